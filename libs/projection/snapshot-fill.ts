import { Fault } from '#faults';
import { isBeginning, type EventLog } from '#log';
import { readSnapshot, type SnapshotChange, type SnapshotFlaw, type StreamPlace } from '#snapshots';
import type { FoldStart, FoundCheckpoint, Progress, State, StateChange, StreamPartition } from '#state';
import type { FoundSnapshot } from './found-snapshots.js';
import type { ViewPartition } from './snapshot-source.js';

/** Proof of a checkpoint while the view partition is filled: its `next` counts pages then, and is no offset. */
export const FILLING = 'filling';

export const isBeingFilled = (stored: readonly (Progress | undefined)[]): boolean =>
  stored.some((at) => at?.proof === FILLING);

/** By the checkpoints of all streams of a view partition: nothing is folded in it (also since a reset), or a fill of it has not ended. */
export const isUnfilled = (stored: readonly (Progress | undefined)[]): boolean =>
  isBeingFilled(stored) || stored.every((at) => at === undefined || isReset(at));

const isReset = ({ reset, proof, appendTimeMs }: Progress): boolean =>
  reset !== undefined && (proof === undefined || isBeginning(proof)) && appendTimeMs === 0;

export interface FillDeps {
  readonly log: EventLog;
  readonly state: State;
  readonly now: () => number;
}

export interface Fill extends ViewPartition {
  readonly epoch: bigint;
  readonly signal: AbortSignal;
  /** The snapshots of the view partition, the best first. */
  readonly found: readonly FoundSnapshot[];
  readonly filled: (entries: number) => void;
  /** This snapshot turned out unusable while it was read. */
  readonly flawed: (topic: string) => void;
}

/** `filled`: the view partition stands at the places of a snapshot. `foreign`: the snapshot was folded from another log. */
export type FillOutcome = 'filled' | NonNullable<FoundSnapshot['flaw']> | SnapshotFlaw;

/**
 * Fills an empty view partition from its best snapshot, in pages. Until the end the checkpoints are marked, so that readers get no "absent", an older owner
 * is refused, and an owner that finds the mark of a fill that was cut off begins anew. Without a usable snapshot the view partition is empty afterwards.
 * Faults of log and store; `fenced` when another owner has written meanwhile.
 */
export async function fillFromSnapshot(
  deps: FillDeps,
  fill: Fill,
  stored: readonly (Progress | undefined)[],
): Promise<FillOutcome> {
  let now: readonly (FoundCheckpoint | undefined)[] = stored;
  let outcome: FillOutcome = fill.found[0]?.flaw ?? 'no_snapshot';
  for (const { topic, tail } of fill.found.filter((f) => f.flaw === undefined)) {
    await restart(deps, fill, now, true);
    const pages = new Map(fill.view.streams.map((stream) => [stream, 0n]));
    const read = await readSnapshot({
      log: deps.log,
      topic,
      partition: fill.partition,
      tail,
      page: (changes) => writePage(deps, fill, pages, changes),
    });
    if (typeof read !== 'string') {
      await finish(deps, fill, pages, read.places);
      return 'filled';
    }
    outcome = read;
    fill.flawed(topic);
    now = fill.view.streams.map((stream) => ({ stream, next: pages.get(stream)!, proof: FILLING }));
  }
  if (now.some((at) => at !== undefined)) await restart(deps, fill, now, false);
  return outcome;
}

/** The view partition stands at the places of its snapshot from here on. */
async function finish(
  deps: FillDeps,
  fill: Fill,
  pages: ReadonlyMap<string, bigint>,
  places: readonly StreamPlace[],
): Promise<void> {
  for (const { stream, next, appendTimeMs, proof } of places) {
    const from = pages.get(stream);
    if (from === undefined) continue;
    const end = { epoch: fill.epoch, from, next, low: 0n, appendTimeMs, puts: [], deletes: [], feedGap: true };
    await commit(deps, fill, stream, proof === undefined ? end : { ...end, proof });
  }
}

/** Empties the view partition: for a fill, or to be folded from the beginning of the log. */
async function restart(
  deps: FillDeps,
  { view, storage, partition, epoch }: Fill,
  stored: readonly (FoundCheckpoint | undefined)[],
  filling: boolean,
): Promise<void> {
  const starts = await Promise.all(
    view.streams.map(async (stream): Promise<FoldStart> => {
      const { low, high } = (await deps.log.describe(stream)).find((r) => r.partition === partition)!;
      return { stream, epoch, until: high, ...(filling ? { next: 0n, proof: FILLING } : { next: low }) };
    }),
  );
  const first = Math.max(
    0,
    stored.findIndex((at) => at !== undefined),
  );
  const found = stored[first] ?? { stream: view.streams[first]! };
  if (!(await deps.state.reset(storage, partition, found, starts, deps.now())))
    throw new Fault('fenced', { detail: `${storage}/${partition} was written by another owner` });
}

async function writePage(
  deps: FillDeps,
  fill: Fill,
  pages: Map<string, bigint>,
  changes: readonly SnapshotChange[],
): Promise<void> {
  for (const [stream, mine] of Map.groupBy(changes, (c) => c.stream)) {
    const from = pages.get(stream);
    if (from === undefined) continue;
    const next = from + 1n;
    const rows = mine.map(({ space, key, offset, appendTimeMs, value }) => ({
      space,
      key,
      offset,
      appendTimeMs,
      value,
    }));
    await commit(deps, fill, stream, {
      epoch: fill.epoch,
      from,
      next,
      low: 0n,
      appendTimeMs: 0,
      proof: FILLING,
      puts: rows.flatMap(({ value, ...row }) => (value === null ? [] : [{ ...row, value }])),
      deletes: rows.flatMap(({ value, ...row }) => (value === null ? [row] : [])),
    });
    pages.set(stream, next);
  }
  fill.filled(changes.length);
}

async function commit(
  { state }: FillDeps,
  { storage, partition, signal }: Fill,
  stream: string,
  change: StateChange,
): Promise<void> {
  if (signal.aborted) throw new Fault('fenced', { detail: 'the partition was lost' });
  const part: StreamPartition = { stream, partition };
  const committed = await state.commit(storage, part, change);
  if (!committed.ok) throw new Fault('fenced', { detail: `${storage}/${partition} was written by another owner` });
}
