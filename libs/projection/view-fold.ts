import { Mutex } from '#concurrency';
import type { JudgedEvents } from '#duplicates';
import { partitionKey } from '#event';
import { decodeEvent, type DecodedEvent, type EventRecord } from '#registry';
import type { Committed, State, StreamPartition } from '#state';
import { foldInto } from './desk.js';
import type { HeldPartition, Slot } from './held-partition.js';
import { openRefusal } from './refused.js';
import type { ProjectionReport } from './report.js';
import type { ViewSnapshots } from './view-snapshots.js';

/** The events of a batch that some view has decoded already, by offset; undefined: it cannot be decoded. */
export type Decoded = Map<bigint, DecodedEvent | undefined>;

/** Folds judged events into one view and moves its position, in one commit (R5.6). A commit that the store refuses changes nothing. */
export class ViewFold {
  readonly #mutexes = new Map<string, Mutex>();

  constructor(
    private readonly state: State,
    private readonly report: ProjectionReport | undefined,
    private readonly snapshots?: () => ViewSnapshots | undefined,
  ) {}

  /** Folds the events from slot.next up to `next`, without the copies. Faults of the store: do it again. */
  async fold(
    held: HeldPartition,
    slot: Slot,
    judged: JudgedEvents,
    next: bigint,
    decoded: Decoded,
  ): Promise<Committed> {
    const { view, storage } = slot;
    const part: StreamPartition = { stream: held.stream, partition: held.partition };
    const events: DecodedEvent[] = [];
    for (const record of judged.events) {
      const { offset } = record.record;
      if (offset < slot.next || offset >= next || judged.copies.has(offset) || !view.ofType.has(record.type.type))
        continue;
      if (!decoded.has(offset)) decoded.set(offset, this.#decode(part, record));
      const event = decoded.get(offset);
      if (event) events.push(event);
    }
    const step = { epoch: held.epoch, from: slot.next, next, low: held.low, ...judged.end };
    const snapshots = this.snapshots?.();
    const { committed, refused } = await this.mutexOf(storage, held.partition).run(async () => {
      const folded = await foldInto(this.state, storage, view, part, events, step);
      if (folded.committed.ok) snapshots?.committed(storage, part, folded.change);
      return folded;
    });
    await snapshots?.room(storage, held.partition);
    if (committed.ok) {
      slot.next = next;
      slot.proof = judged.end.proof;
      this.report?.folded?.(view.name, storage, part, next, events.length);
      if (refused.length > 0) this.report?.refused?.(view, refused.map(openRefusal));
    }
    return committed;
  }

  #decode({ stream, partition }: StreamPartition, record: EventRecord): DecodedEvent | undefined {
    const event = decodeEvent(record, stream, partition);
    if (!event) {
      const { offset } = record.record;
      this.report?.badRecord?.({ stream, partition, offset, code: 'corrupt_record' });
    }
    return event;
  }

  /** A view over several streams reads and writes one entry from several stream partitions: one fold at a time for each view partition. */
  mutexOf(storage: string, partition: number): Mutex {
    const key = partitionKey(storage, partition);
    let mutex = this.#mutexes.get(key);
    if (!mutex) this.#mutexes.set(key, (mutex = new Mutex()));
    return mutex;
  }
}
