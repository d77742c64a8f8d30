import { readFileSync } from 'node:fs';
import { defineEvent } from '#sdk';
import { DeliveryStage, PASSPORTS } from '../../test/kit/deliveries/stage.js';
import { describeSource, type SourceHarness } from './conformance/index.js';
import { openSubscription } from './conformance/subscription-child.js';

const schema = readFileSync(new URL('../../schemas/imigrasi/paspor/diterbitkan.v1.avsc', import.meta.url), 'utf8');
const { version } = (JSON.parse(schema) as { simpul: { version: number } }).simpul;

async function openStage(): Promise<SourceHarness> {
  // Each kill is a failed try of what was leased; parking is the matter of other specs.
  const hub = await DeliveryStage.open('embedded', { SIMPUL_DELIVERY_RETRIES: Array(5).fill('0.05').join() });
  const key = await hub.key();
  let run = 0;
  return {
    token: defineEvent({ type: PASSPORTS, stream: 'imigrasi.paspor', version, schema }),
    async publish(count, subjects) {
      const from = 10_000 * ++run;
      const made = await hub.publish(Array.from({ length: count }, (_, n) => from + (n % subjects)));
      return made.map(({ id, number }) => ({ id, subject: String(number) }));
    },
    open: (group) => openSubscription({ url: hub.url, key, group }),
    child: {
      module: new URL('./conformance/subscription-child.ts', import.meta.url).href,
      open: 'openSubscription',
      options: { url: hub.url, key },
    },
    close: () => hub[Symbol.asyncDispose](),
  };
}
describeSource('a subscription of the hub', openStage, { kills: 3, keepsAccount: true });
