import { formatPosition } from '#event';
import type { EventLog } from '#log';
import type { First, State } from '#state';
import { openRecord, type Catalogue, type EventRecord } from '#registry';
import type { Copies } from './copies.js';
import { sameContent } from './same-record-content.js';

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

/** How long the index keeps an entry, and how far back it is filled again after a store connection (R2.2). */
const KEPT_MS = 8 * 24 * 3_600_000;
const RECHECK_MS = 10 * 60_000;

const idOf = (e: EventRecord): string => `${e.envelope.source}\n${e.envelope.id}`;

/** An event that came under an id that was taken stands in the index under id and digest, so that its own copies are found. */
const own = (first: First): First => ({ ...first, id: `${first.id}\n${first.digest}` });
const ownIdOf = (e: EventRecord): string => `${idOf(e)}\n${e.envelope.digest.toString('hex')}`;

function firstEntryOf(e: EventRecord, stream: string, partition: number): First {
  return {
    source: e.envelope.source,
    id: e.envelope.id,
    stream,
    partition,
    offset: e.record.offset,
    digest: e.envelope.digest.toString('hex'),
    schemaId: e.type.schemaId,
    // The header, not the log: receipts from the index must equal the first one given out.
    recordedTimeMs: Date.parse(e.envelope.recordedtime) || e.record.appendTimeMs,
  };
}

/** Offsets of one partition that were the first of their (source, id), as read again from the log. */
export type Rechecked = ReadonlyMap<string, EventRecord>;

/**
 * Fills the index again with the last ten minutes below `until` (R2.2). The answer is the truth for this stretch, whatever the
 * store says: a lost entry may meanwhile have been taken by a later copy. Faults of log and state: do it again.
 */
export async function recheck(deps: IndexDeps, stream: string, partition: number, until: bigint): Promise<Rechecked> {
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
      const id = seen.has(idOf(opened)) ? ownIdOf(opened) : idOf(opened);
      if (seen.has(id)) continue;
      seen.set(id, opened);
      const first = firstEntryOf(opened, stream, partition);
      firsts.push(id === idOf(opened) ? first : own(first));
    }
    if (firsts.length > 0) await deps.state.putFirst(firsts);
    if (read.next <= at) break;
    at = read.next;
  }
  return seen;
}

async function sameAsFirst(deps: IndexDeps, event: EventRecord, first: First): Promise<boolean> {
  if (first.digest === event.envelope.digest.toString('hex')) return true;
  if (first.schemaId === event.type.schemaId) return false;
  const read = await deps.log.read(first.stream, first.partition, first.offset, { maxRecords: 1 });
  const record = read.kind === 'records' ? read.records[0] : undefined;
  if (record?.offset !== first.offset) return false;
  const opened = openRecord(record, deps.catalogue);
  return opened.kind === 'event' && sameContent(opened, event);
}

const later = (first: First, event: EventRecord, stream: string, partition: number): boolean =>
  first.stream === stream && first.partition === partition && first.offset > event.record.offset;

/** Events under an id that is taken by other content: each counts, its own copies do not (R2.5). Answers those copies. */
async function conflicts(
  deps: IndexDeps,
  stream: string,
  partition: number,
  taken: readonly { event: EventRecord; first: First }[],
  rechecked: Rechecked,
): Promise<{ offset: bigint; first: bigint }[]> {
  if (taken.length === 0) return [];
  const answers = await deps.state.putFirst(taken.map(({ event }) => own(firstEntryOf(event, stream, partition))));
  const copies: { offset: bigint; first: bigint }[] = [];
  const found: IdConflict[] = [];
  for (const [i, { event, first }] of taken.entries()) {
    const { offset } = event.record;
    const again = rechecked.get(ownIdOf(event))?.record.offset;
    const answer = answers[i]!;
    const here = answer.stream === stream && answer.partition === partition ? answer.offset : offset;
    const mine = again !== undefined && again < here ? again : here;
    if (mine < offset) copies.push({ offset, first: mine });
    else if (!later(first, event, stream, partition))
      found.push({
        event,
        position: formatPosition(stream, partition, offset),
        firstPosition: formatPosition(first.stream, first.partition, first.offset),
      });
  }
  if (found.length > 0) await deps.publishConflicts?.(found);
  return copies;
}

/**
 * The copies among events of one partition, each with the offset of its first. New ones are listed durably before this resolves.
 * Events older than the index are judged by the list alone.
 */
export async function findCopies(
  deps: IndexDeps,
  stream: string,
  partition: number,
  events: readonly EventRecord[],
  rechecked: Rechecked,
): Promise<ReadonlyMap<bigint, bigint>> {
  const copies = new Map<bigint, bigint>();
  const asked: EventRecord[] = [];
  const oldest = deps.now() - KEPT_MS;
  for (const e of events) {
    const known = deps.copies.originalOf(stream, partition, e.record.offset);
    if (known !== undefined) copies.set(e.record.offset, known);
    else if (e.record.appendTimeMs >= oldest) asked.push(e);
  }
  const answers =
    asked.length > 0 ? await deps.state.putFirst(asked.map((e) => firstEntryOf(e, stream, partition))) : [];
  const found: { offset: bigint; first: bigint }[] = [];
  const taken: { event: EventRecord; first: First }[] = [];
  for (const [i, e] of asked.entries()) {
    const again = rechecked.get(idOf(e));
    const first = again && again.record.offset < e.record.offset ? firstEntryOf(again, stream, partition) : answers[i]!;
    const here = first.stream === stream && first.partition === partition;
    if (here && first.offset === e.record.offset) continue;
    const same = here && (await sameAsFirst(deps, e, first));
    // The index was emptied, and a later record took the place before this one came again: the log decides (R2.1).
    if (same && first.offset > e.record.offset) found.push({ offset: first.offset, first: e.record.offset });
    else if (same)
      found.push({
        offset: e.record.offset,
        first: deps.copies.originalOf(stream, partition, first.offset) ?? first.offset,
      });
    else taken.push({ event: e, first });
  }
  found.push(...(await conflicts(deps, stream, partition, taken, rechecked)));
  if (found.length > 0) await deps.copies.list(stream, partition, found);
  for (const { offset, first } of found) copies.set(offset, first);
  return copies;
}
