import { formatPosition } from '#event';
import type { EventLog } from '#log';
import { openRecord, type Catalogue, type EventRecord } from '#registry';
import type { First, State, StreamPartition } from '#state';
import type { Copies, ListedCopy } from './copies.js';
import { sameContent } from './same-content.js';

export interface IndexDeps {
  readonly log: EventLog;
  readonly state: State;
  readonly catalogue: Catalogue;
  readonly copies: Copies;
  readonly now: () => number;
  /** Publishes id conflicts (R2.5). The index moves past them only when this has resolved; after a failure the same conflicts come again. */
  readonly publishConflicts?: (found: readonly IdConflict[]) => Promise<void>;
}

/** Other content under a used (source, id) (R2.5). */
export interface IdConflict {
  readonly event: EventRecord;
  readonly position: string;
  readonly firstPosition: string;
}

/** A stream partition with its owner: the epoch of the claim, and the id of the topic that the owner reads. */
export interface OwnedPartition extends StreamPartition {
  readonly epoch: bigint;
  readonly topicId: string;
}

/** How long the index keeps an entry, and how far back it is filled in again after the store connected anew (R2.2). */
const KEPT_MS = 8 * 24 * 3_600_000;
const RECHECK_MS = 10 * 60_000;

const idOf = (e: EventRecord): string => `${e.envelope.source}\n${e.envelope.id}`;

/**
 * The id under which the index holds an event with other content than the first event of its id, so that its own copies are found (R2.5).
 * `digest` is 64 hex digits.
 */
export const conflictId = (id: string, digest: string): string => `${id}\n${digest}`;
const underDigest = (entry: First): First => ({ ...entry, id: conflictId(entry.id, entry.digest) });
const idUnderDigest = (e: EventRecord): string => conflictId(idOf(e), e.envelope.digest.toString('hex'));

function firstEntryOf(e: EventRecord, { stream, partition }: StreamPartition): First {
  return {
    source: e.envelope.source,
    id: e.envelope.id,
    stream,
    partition,
    offset: e.record.offset,
    digest: e.envelope.digest.toString('hex'),
    schemaId: e.type.schemaId,
    // The gateway's clock, not the log's: a receipt from the index must equal the first receipt.
    recordedTimeMs: Date.parse(e.envelope.recordedtime) || e.record.appendTimeMs,
  };
}

/** The first event of each id in the last ten minutes of a partition, as read again from the log: by idOf, or idUnderDigest. */
export type Rechecked = ReadonlyMap<string, EventRecord>;

/**
 * Fills the index in again with the last ten minutes below `until` (R2.2). The answer is the truth for this stretch, whatever the
 * store says: the place of a lost entry may have been taken by a later copy. Faults of log and state: do it again.
 */
export async function recheck(deps: IndexDeps, part: StreamPartition, until: bigint): Promise<Rechecked> {
  const { stream, partition } = part;
  const seen = new Map<string, EventRecord>();
  let at = await deps.log.offsetAt(stream, partition, deps.now() - RECHECK_MS);
  while (at < until) {
    const read = await deps.log.read(stream, partition, at, { maxRecords: 500 });
    if (read.kind === 'out_of_range') return seen;
    const firsts: First[] = [];
    for (const r of read.records) {
      if (r.offset >= until || deps.copies.originalOf(stream, partition, r.offset) !== undefined) continue;
      const opened = openRecord(r, deps.catalogue);
      if (opened.kind !== 'event') continue;
      const isTaken = seen.has(idOf(opened));
      const id = isTaken ? idUnderDigest(opened) : idOf(opened);
      if (seen.has(id)) continue;
      seen.set(id, opened);
      const entry = firstEntryOf(opened, part);
      firsts.push(isTaken ? underDigest(entry) : entry);
    }
    if (firsts.length > 0) await deps.state.putFirst(firsts);
    if (read.next <= at) break;
    at = read.next;
  }
  return seen;
}

/** An event, its own entry, and the entry that stands under its id. */
interface Judged {
  readonly event: EventRecord;
  readonly entry: First;
  readonly first: First;
}

/**
 * The copies among events of one partition, each with the offset of its original. New copies are listed durably before this resolves.
 * For events older than what the index keeps, the list alone decides.
 */
export async function findCopies(
  deps: IndexDeps,
  part: OwnedPartition,
  events: readonly EventRecord[],
  rechecked: Rechecked,
): Promise<ReadonlyMap<bigint, bigint>> {
  const { stream, partition } = part;
  const copies = new Map<bigint, bigint>();
  const asked: EventRecord[] = [];
  const oldest = deps.now() - KEPT_MS;
  for (const e of events) {
    const known = deps.copies.originalOf(stream, partition, e.record.offset);
    if (known !== undefined) copies.set(e.record.offset, known);
    else if (e.record.appendTimeMs >= oldest) asked.push(e);
  }
  const entries = asked.map((e) => firstEntryOf(e, part));
  const answers = entries.length > 0 ? await deps.state.putFirst(entries) : [];
  const found: ListedCopy[] = [];
  const conflicting: Judged[] = [];
  for (const [i, event] of asked.entries()) {
    const { offset } = event.record;
    const again = rechecked.get(idOf(event));
    const first = again && again.record.offset < offset ? firstEntryOf(again, part) : answers[i]!;
    if (isIn(first, part) && first.offset === offset) continue;
    const judged: Judged = { event, entry: entries[i]!, first };
    if (!hasSameContent(deps.catalogue, judged)) conflicting.push(judged);
    // The store was emptied, and a later record took the place before this one came again: the log decides (R2.1).
    else if (first.offset > offset) found.push({ offset: first.offset, first: offset });
    else found.push({ offset, first: deps.copies.originalOf(stream, partition, first.offset) ?? first.offset });
  }
  if (conflicting.length > 0) found.push(...(await judgeConflicts(deps, part, conflicting, rechecked)));
  if (found.length > 0) await deps.copies.list(stream, partition, part.topicId, found, part.epoch);
  for (const { offset, first } of found) copies.set(offset, first);
  return copies;
}

/** Events under an id that other content has: each is an event of its own, and only its own repeats are copies (R2.5). Answers those copies. */
async function judgeConflicts(
  deps: IndexDeps,
  part: StreamPartition,
  conflicting: readonly Judged[],
  rechecked: Rechecked,
): Promise<ListedCopy[]> {
  const { stream, partition } = part;
  const answers = await deps.state.putFirst(conflicting.map(({ entry }) => underDigest(entry)));
  const copies: ListedCopy[] = [];
  const found: IdConflict[] = [];
  for (const [i, { event, first }] of conflicting.entries()) {
    const { offset } = event.record;
    const again = rechecked.get(idUnderDigest(event))?.record.offset;
    const stored = isIn(answers[i]!, part) ? answers[i]!.offset : offset;
    const original = again !== undefined && again < stored ? again : stored;
    if (original < offset) copies.push({ offset, first: original });
    // Of two conflicting records the later one is reported.
    else if (!isIn(first, part) || first.offset < offset)
      found.push({
        event,
        position: formatPosition(stream, partition, offset),
        firstPosition: formatPosition(first.stream, first.partition, first.offset),
      });
  }
  if (found.length > 0) await deps.publishConflicts?.(found);
  return copies;
}

const isIn = (entry: First, { stream, partition }: StreamPartition): boolean =>
  entry.stream === stream && entry.partition === partition;

const NO_KEY = Buffer.alloc(0);

function hasSameContent(catalogue: Catalogue, { event: { record, type }, entry, first }: Judged): boolean {
  const { stream, partition, digest } = entry;
  return sameContent(
    { stream, partition, digest, type, key: record.key ?? NO_KEY, value: record.value! },
    first,
    catalogue,
  );
}
