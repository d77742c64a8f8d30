import { isFault } from '#faults';
import { checkPlace, type EventLog } from '#log';
import { isOlderVersion, readTail, type SnapshotTail, type StreamPlace } from '#snapshots';
import type { ViewPartition } from './snapshot-source.js';

/** One of the snapshots of a view partition, as its topic holds it. */
export interface FoundSnapshot {
  readonly topic: string;
  readonly tail: SnapshotTail;
  /**
   * undefined: the store may be filled from it. `foreign`: folded from another log, or from other streams than those of the view. `incomplete`: not written
   * to its end. `no_snapshot`: the topic has none for this partition.
   */
  readonly flaw?: 'foreign' | 'incomplete' | 'no_snapshot';
  /** Its places; empty when it must not be used. */
  readonly places: readonly StreamPlace[];
  /** The log still has every event after its places. */
  readonly reaches: boolean;
}

type Log = Pick<EventLog, 'describe' | 'read' | 'topicId'>;

/** Which of these topics exist. Faults of the log. */
export async function existingTopics(log: Pick<EventLog, 'describe'>, topics: readonly string[]): Promise<string[]> {
  const exists = await Promise.all(
    topics.map((topic) =>
      log.describe(topic).then(
        () => true,
        (e: unknown) => {
          if (isFault(e) && e.code === 'unknown_topic') return false;
          throw e;
        },
      ),
    ),
  );
  return topics.filter((_, i) => exists[i]);
}

/** The snapshots of a view partition in these topics, the best to fill from first: usable, then with every later event in the log, then the newest. Faults of the log. */
export async function findSnapshots(
  log: Log,
  { view, partition }: Pick<ViewPartition, 'view' | 'partition'>,
  topics: readonly string[],
): Promise<readonly FoundSnapshot[]> {
  const found = await Promise.all(
    topics.map(async (topic): Promise<FoundSnapshot> => {
      const tail = await readTail(log, topic, partition);
      const { progress } = tail;
      const none = { topic, tail, places: [], reaches: false };
      if (progress === undefined) return { ...none, flaw: 'no_snapshot' };
      if (!progress.complete) return { ...none, flaw: 'incomplete' };
      const { places } = progress;
      if (!view.streams.every((s) => places.some((p) => p.stream === s))) return { ...none, flaw: 'foreign' };
      const standing = await standingOf(log, partition, places);
      return standing === 'foreign'
        ? { ...none, flaw: 'foreign' }
        : { topic, tail, places, reaches: standing === 'reaches' };
    }),
  );
  return found.sort((a, b) => rank(a) - rank(b) || (isOlderVersion(a.tail.version, b.tail.version) ? 1 : -1));
}

const rank = ({ flaw, reaches }: FoundSnapshot): number => (flaw !== undefined ? 2 : reaches ? 0 : 1);

/** Whether the log holds at each place what was folded, and every event after it. */
async function standingOf(
  log: Log,
  partition: number,
  places: readonly StreamPlace[],
): Promise<'foreign' | 'passed' | 'reaches'> {
  let passed = false;
  for (const { stream, next, proof } of places) {
    const range = (await log.describe(stream)).find((r) => r.partition === partition);
    if (range === undefined || next > range.high) return 'foreign';
    if (proof !== undefined && (await checkPlace(log, stream, partition, next, proof)) === 'differs') return 'foreign';
    if (next < range.low) passed = true;
  }
  return passed ? 'passed' : 'reaches';
}
