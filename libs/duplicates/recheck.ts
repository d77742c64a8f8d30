import type { First, FirstReplacement, StreamPartition } from '#state';
import { oldestKept } from './log-age.js';
import { openRecords, type OpenRecordsDeps } from './open-records.js';
import { firstEntryOf, isIn, putFirsts, underDigest, type IndexDeps, type OwnedPartition } from './index-step.js';

/** A new connection may lead to a store that lost the writes of this time (R2.2). */
export const RECHECK_MS = 10 * 60_000;
const PAGE = 500;
/** Offsets without a record (markers of a transaction) that may lie below a position. */
const HOLE = 64n;

/** Where to begin after the store has evicted rows, which may be of any age: as far back as the index keeps them. */
export async function recheckAllFrom(
  deps: Pick<IndexDeps, 'log' | 'now'>,
  { stream, partition }: StreamPartition,
): Promise<bigint> {
  return deps.log.offsetAt(stream, partition, await oldestKept(deps, { stream, partition }));
}

/**
 * Where an index begins of which the store has nothing: as far back as it keeps rows (R2.2), but not above the settled end, below which the copies are
 * listed, and not below `low`. Faults of the log.
 */
export async function beginningOf(
  deps: Pick<IndexDeps, 'log' | 'now' | 'copies'>,
  part: StreamPartition,
  low: bigint,
): Promise<bigint> {
  const end = deps.copies.end(part.stream, part.partition);
  if (end <= low) return low;
  const kept = await recheckAllFrom(deps, part);
  const from = kept < end ? kept : end;
  return from > low ? from : low;
}

/**
 * Where to begin: where the index stood ten minutes ago (`before`), else ten minutes of the log below `next`. Never by the wall clock: an index that lies
 * further behind would then check nothing.
 */
export async function recheckFrom(
  { log, now }: Pick<IndexDeps, 'log' | 'now'>,
  { stream, partition }: StreamPartition,
  before: bigint | undefined,
  { low, next }: { readonly low: bigint; readonly next: bigint },
): Promise<bigint> {
  if (next <= low) return next;
  if (before !== undefined && before < next) return before;
  const from = next - HOLE > low ? next - HOLE : low;
  const read = await log.read(stream, partition, from, { maxRecords: Number(next - from) });
  const last = read.kind === 'records' ? read.records.findLast((r) => r.offset < next) : undefined;
  return log.offsetAt(stream, partition, (last?.appendTimeMs ?? now()) - RECHECK_MS);
}

/**
 * Fills the index in again from the log, for the events of [from, until) (R2.2): afterwards it holds the first event of each of their ids, also where a
 * later copy had taken the place of a lost row. Keeps nothing in memory but one page. Faults of log and state: do it again.
 */
export async function recheck(
  deps: IndexDeps & OpenRecordsDeps,
  part: OwnedPartition,
  from: bigint,
  until: bigint,
): Promise<void> {
  const { stream, partition } = part;
  for (let at = from; at < until;) {
    const read = await deps.log.read(stream, partition, at, { maxRecords: PAGE });
    if (read.kind !== 'records' || read.next <= at) return;
    const firsts = read.records.filter(
      (r) => r.offset < until && deps.copies.originalOf(stream, partition, r.offset) === undefined,
    );
    const entries = (await openRecords(deps, part, firsts, false)).map((e) => firstEntryOf(e, part));
    const others = await fill(deps, entries);
    // Not a copy, and under a used id: other content, which stands under its digest (R2.5).
    await fill(deps, others.map(underDigest));
    at = read.next;
  }
}

/** Puts entries where the index has none, or a later one. Answers those whose id an earlier event, or one of another partition, has. */
async function fill(deps: IndexDeps, entries: readonly First[]): Promise<First[]> {
  const answers = await putFirsts(deps, entries);
  const others: First[] = [];
  const later: FirstReplacement[] = [];
  for (const [i, by] of entries.entries()) {
    const row = answers[i]!;
    if (!isIn(row, by) || row.offset < by.offset) others.push(by);
    else if (row.offset > by.offset) later.push({ stale: row, by });
  }
  if (later.length > 0) await deps.state.replaceFirst(later);
  return others;
}

/** The index position at some times of this process, to know what was written to the store lately. */
export class PositionTrace {
  readonly #marks: { readonly atMs: number; readonly next: bigint }[] = [];

  constructor(private readonly now: () => number) {}

  /** The index stands at `next` now. */
  mark(next: bigint): void {
    const atMs = this.now();
    const last = this.#marks.at(-1);
    if (last !== undefined && atMs - last.atMs < RECHECK_MS / 20) return;
    this.#marks.push({ atMs, next });
    while (this.#marks.length > 1 && this.#marks[1]!.atMs <= atMs - RECHECK_MS) this.#marks.shift();
  }

  /** Where the index stood at least ten minutes ago; undefined: it was opened later. */
  get before(): bigint | undefined {
    const [oldest] = this.#marks;
    return oldest && oldest.atMs <= this.now() - RECHECK_MS ? oldest.next : undefined;
  }
}
