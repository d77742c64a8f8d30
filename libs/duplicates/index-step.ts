import { formatPosition } from '#event';
import { Fault } from '#faults';
import type { EventLog } from '#log';
import type { Catalogue, EventRecord } from '#registry';
import type { First, FirstReplacement, State, StreamPartition } from '#state';
import type { Copies } from './copies.js';
import type { ListedCopy } from './listed.js';
import { KEPT_MS, oldestKept } from './log-age.js';
import { conflictId, lookAtPlaces } from './places.js';
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

/** Each round replaces stale rows; another process may write rows in between. */
const MAX_ROUNDS = 5;

export const underDigest = (entry: First): First => ({ ...entry, id: conflictId(entry.id, entry.digest) });

export function firstEntryOf(e: EventRecord, { stream, partition }: StreamPartition): First {
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

const isSameEvent = (a: First, b: First): boolean => a.source === b.source && a.id === b.id && a.digest === b.digest;
const isAt = (row: First, place: First): boolean => isIn(row, place) && row.offset === place.offset;

/**
 * Puts the entries of events of one partition, and answers the rows that stand under their ids: their own, or that of an earlier event. A row that the
 * log does not confirm is replaced and never answered (R2.7). Fault `log_unavailable` when the log does not answer.
 */
export async function putFirsts(deps: IndexDeps, entries: readonly First[]): Promise<readonly First[]> {
  if (entries.length === 0) return [];
  const own = new Map(entries.map((entry) => [entry.offset, entry]));
  const answers = [...(await deps.state.putFirst(entries))];
  let open = [...entries.keys()];
  for (let round = 0; round < MAX_ROUNDS; round++) {
    open = open.filter((i) => !isAt(answers[i]!, entries[i]!) || answers[i]!.digest !== entries[i]!.digest);
    const known = open.map((i) => {
      const inHand = isIn(answers[i]!, entries[i]!) ? own.get(answers[i]!.offset) : undefined;
      return inHand && isSameEvent(inHand, answers[i]!);
    });
    const unread = open.filter((_, n) => known[n] === undefined);
    const read = await lookAtPlaces(
      deps.log,
      unread.map((i) => answers[i]!),
    );
    if (read.includes('unknown')) throw new Fault('log_unavailable', { detail: 'an earlier event cannot be read' });
    const stale = new Set(unread.filter((_, n) => read[n] === 'other'));
    for (const [n, i] of open.entries()) if (known[n] === false) stale.add(i);
    open = open.filter((i) => stale.has(i));
    if (open.length === 0) return answers;
    const replaced = await deps.state.replaceFirst(open.map((i) => ({ stale: answers[i]!, by: entries[i]! })));
    for (const [n, i] of open.entries()) answers[i] = replaced[n]!;
  }
  throw new Fault('state_unavailable', { detail: 'the duplicate index changes faster than it can be compared' });
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
): Promise<ReadonlyMap<bigint, bigint>> {
  const { stream, partition } = part;
  const copies = new Map<bigint, bigint>();
  const asked: EventRecord[] = [];
  let oldest = deps.now() - KEPT_MS;
  // Only then the log is asked: nearly all events are new.
  if (events.some((e) => e.record.appendTimeMs < oldest)) oldest = await oldestKept(deps, part);
  for (const e of events) {
    const known = deps.copies.originalOf(stream, partition, e.record.offset);
    if (known !== undefined) copies.set(e.record.offset, known);
    else if (e.record.appendTimeMs >= oldest) asked.push(e);
  }
  const entries = asked.map((e) => firstEntryOf(e, part));
  const answers = await putFirsts(deps, entries);
  const found: ListedCopy[] = [];
  const later: FirstReplacement[] = [];
  const conflicting: Judged[] = [];
  for (const [i, event] of asked.entries()) {
    const { offset } = event.record;
    const first = answers[i]!;
    const entry = entries[i]!;
    if (isAt(first, entry)) continue;
    const judged: Judged = { event, entry, first };
    if (!hasSameContent(deps.catalogue, judged)) conflicting.push(judged);
    // The store was emptied, and a later record took the place before this one came again: the log decides (R2.1).
    else if (first.offset > offset) {
      found.push({ offset: first.offset, first: offset });
      later.push({ stale: first, by: entry });
    } else found.push({ offset, first: deps.copies.originalOf(stream, partition, first.offset) ?? first.offset });
  }
  if (conflicting.length > 0) found.push(...(await judgeConflicts(deps, part, conflicting)));
  if (later.length > 0) await deps.state.replaceFirst(later);
  if (found.length > 0) await deps.copies.list(stream, partition, part.topicId, found, part.epoch);
  for (const { offset, first } of found) copies.set(offset, first);
  return copies;
}

/** Events under an id that other content has: each is an event of its own, and only its own repeats are copies (R2.5). Answers those copies. */
async function judgeConflicts(
  deps: IndexDeps,
  part: StreamPartition,
  conflicting: readonly Judged[],
): Promise<ListedCopy[]> {
  const { stream, partition } = part;
  const answers = await putFirsts(
    deps,
    conflicting.map(({ entry }) => underDigest(entry)),
  );
  const copies: ListedCopy[] = [];
  const found: IdConflict[] = [];
  for (const [i, { event, first }] of conflicting.entries()) {
    const { offset } = event.record;
    const original = isIn(answers[i]!, part) ? answers[i]!.offset : offset;
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

export const isIn = (entry: First, { stream, partition }: StreamPartition): boolean =>
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
