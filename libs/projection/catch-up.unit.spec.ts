import { expect, it } from '@jest/globals';
import type { IndexedPartition } from '#duplicates';
import type { AssignedPartition, EventLog } from '#log';
import type { State } from '#state';
import { until } from '../../test/kit/projection/stage.js';
import { CatchUp } from './catch-up.js';
import type { CompiledView } from './compile.js';
import { HeldPartition, type Slot } from './held-partition.js';

/** Turns of the microtask queue in which a slot may leave live behind the hand-over of its reader. */
const TURNS = Array.from({ length: 12 }, (_, n) => n);

it.each(TURNS)('a slot that leaves live %i turns behind the hand-over of its reader is read again', async (turns) => {
  const at = { topic: 'layanan.kasus', partition: 0, epoch: 1n, topicId: 't' } as AssignedPartition;
  const held = new HeldPartition(at, 0n, { next: 0n } as IndexedPartition, 0);
  const slot: Slot = { view: { name: 'v' } as CompiledView, storage: 'v~1', next: 0n, live: false };
  held.slots.set(slot.storage, slot);
  let begun = 0;
  const reader = new CatchUp({
    log: {} as EventLog,
    state: {} as State,
    now: Date.now,
    trusted: () => {
      begun++;
      return Promise.resolve(undefined);
    },
    interrupted: () => Promise.resolve(),
    fenced: () => Promise.resolve(),
    fold: () => Promise.resolve(),
  });
  reader.start(held);
  while (!slot.live) await Promise.resolve();
  for (let n = 0; n < turns; n++) await Promise.resolve();
  // As a store that was set back does, which has waited for the mutex of the hand-over.
  slot.live = false;
  reader.start(held);
  await until(() => begun >= 2 && slot.live);
  held.lost.abort();
  await reader.ended();
  expect(slot.live).toBe(true);
});
