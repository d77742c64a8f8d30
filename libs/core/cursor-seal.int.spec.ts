import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openEmbeddedLog, type EmbeddedLog } from '#log-embedded';
import { openMeta, PSEUDONYM_KEY, type MetaTable } from '#registry';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cursorSeal, unsealedUntil } from './cursor-seal.js';

const DAY = 86_400_000;

describe('cursors without a MAC', () => {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-cursors-'));
  let log: EmbeddedLog;
  let meta: MetaTable;
  beforeEach(async () => {
    log = await openEmbeddedLog({ dir: mkdtempSync(join(dir, 'log-')) });
    meta = await openMeta({ log });
  });
  afterEach(async () => {
    await meta.close();
    await log.close();
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('are read by no new deployment, which has given out none, also after its pseudonym key is recorded', async () => {
    expect(await unsealedUntil(meta, 5 * DAY)).toBe(5 * DAY);
    await meta.write(() => ({ changes: [{ key: PSEUDONYM_KEY, row: { fingerprint: 'x' } }], result: undefined }));
    expect(await unsealedUntil(meta, 9 * DAY)).toBe(5 * DAY);
    expect(cursorSeal(Buffer.alloc(32), 5 * DAY, () => 5 * DAY).acceptsUnsealed()).toBe(false);
  });

  it('are read for 30 days by a deployment that has given some out, counted from its first start with a MAC', async () => {
    await meta.write(() => ({ changes: [{ key: PSEUDONYM_KEY, row: { fingerprint: 'x' } }], result: undefined }));
    expect(await unsealedUntil(meta, 5 * DAY)).toBe(35 * DAY);
    expect(await unsealedUntil(meta, 40 * DAY)).toBe(35 * DAY);
    expect(cursorSeal(Buffer.alloc(32), 35 * DAY, () => 34 * DAY).acceptsUnsealed()).toBe(true);
  });
});
