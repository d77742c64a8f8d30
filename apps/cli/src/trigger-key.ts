import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { shapes, type Shape } from '#sdk';
import { readTerminal } from '#settings';
import { writePrivate } from './contexts.js';
import type { Context } from './context.js';
import { texts } from './texts.js';
import { Usage } from './usage.js';

const isMade: Shape = shapes.texts('id', 'key', 'unit', 'state');

/**
 * A key of a unit for test events, for the admin of a hub, who publishes nothing under the admin key. It is made once for each hub and unit and kept in the
 * folder of the user's settings, readable for nobody else; a new one when the hub does not take it any more. Rejects as Context.send; Usage: the hub wants a
 * second admin to approve it.
 */
export async function testKeyOf(ctx: Context, unit: string): Promise<string> {
  const file = join(readTerminal().configDir, 'test-keys.json');
  const name = `${ctx.url} ${unit}`;
  const kept = read(file);
  const known = kept[name];
  if (known !== undefined) {
    const me = await ctx.hub.call('/v1/me', { key: known, shape: shapes.isMe });
    if (me.status === 200) return known;
  }
  const wish = { unit, system: 'uji', roles: ['publisher', 'reader'], expires: '30d' };
  const { id, key, state } = (await ctx.send('POST', '/v1/keys', isMade, wish)).body as Record<
    'id' | 'key' | 'state',
    string
  >;
  if (state !== 'valid') throw new Usage(texts.test_key_pending({ id, unit }));
  writePrivate(file, `${JSON.stringify({ ...kept, [name]: key }, null, 2)}\n`);
  process.stderr.write(`· ${ctx.say(texts.test_key_made({ id, unit }))}\n`);
  return key;
}

function read(file: string): Record<string, string> {
  try {
    const stored = JSON.parse(readFileSync(file, 'utf8')) as unknown;
    return typeof stored === 'object' && stored !== null ? (stored as Record<string, string>) : {};
  } catch {
    return {};
  }
}
