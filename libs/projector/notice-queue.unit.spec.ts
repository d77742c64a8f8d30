import { expect, it } from '@jest/globals';
import type { Offered } from '#publishing';
import { NoticeQueue, type Notice, type NoticeDeps } from './notice-queue.js';

/** Turns of the microtask queue in which a notice may come behind the last one. */
const TURNS = Array.from({ length: 16 }, (_, n) => n);
const notice = (n: number): Notice => ({ from: 'urn:simpul:unit:SU00066:uji', offered: { n } as unknown as Offered });

it.each(TURNS)('a notice that comes %i turns behind the last one is published without a further one', async (turns) => {
  const published: Offered[] = [];
  const second = Promise.withResolvers<void>();
  const deps = {
    publishing: {
      publish: (offered: readonly Offered[]) => {
        published.push(...offered);
        if (published.length === 2) second.resolve();
        return Promise.resolve(offered.map(() => ({ receipt: {} })));
      },
    },
    report: { refused: () => undefined, failed: () => undefined, dropped: () => undefined },
  } as unknown as NoticeDeps;
  const queue = new NoticeQueue(deps);
  queue.push([notice(1)]);
  for (let n = 0; n < turns; n++) await Promise.resolve();
  queue.push([notice(2)]);
  await second.promise;
  await queue.close();
  expect(published).toEqual([notice(1).offered, notice(2).offered]);
});
