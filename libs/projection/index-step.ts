import { formatPosition } from '#event';
import type { EventLog } from '#log';
import type { First, State } from '#state';
import type { Catalogue } from '#registry';
import type { Copies } from './copies.js';
import { openRecord, sameContent, type EventRecord } from './record.js';

export interface IndexDeps {
  readonly log: EventLog;
  readonly state: State;
  readonly catalogue: Catalogue;
  readonly copies: Copies;
  readonly now: () => number;
  /** Other content under a used (source, id) (R2.5). */
  readonly onConflict?: (position: string, firstPosition: string) => void;
}

/** How long the index keeps an entry, and how far back it is filled again after a store connection (R2.2). */
const KEPT_MS = 8 * 24 * 3_600_000;
const RECHECK_MS = 10 * 60_000;

const idOf = (e: EventRecord): string => `${e.envelope.source}\n${e.envelope.id}`;

function firstOf(e: EventRecord, stream: string, partition: number): First {
  return {
    source: e.envelope.source,
    id: e.envelope.id,
    stream,
    partition,
    offset: e.record.offset,
    digest: e.envelope.digest.toString('hex'),
    schemaId: e.type.schemaId,
    timeMs: e.record.timeMs,
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
    const firsts: EventRecord[] = [];
    for (const r of read.records) {
      if (r.offset >= until || deps.copies.firstOf(stream, partition, r.offset) !== undefined) continue;
      const opened = openRecord(r, deps.catalogue);
      if (opened.kind !== 'event' || seen.has(idOf(opened))) continue;
      seen.set(idOf(opened), opened);
      firsts.push(opened);
    }
    if (firsts.length > 0) await deps.state.firstOf(firsts.map((e) => firstOf(e, stream, partition)));
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
    const known = deps.copies.firstOf(stream, partition, e.record.offset);
    if (known !== undefined) copies.set(e.record.offset, known);
    else if (e.record.timeMs >= oldest) asked.push(e);
  }
  const answers = asked.length > 0 ? await deps.state.firstOf(asked.map((e) => firstOf(e, stream, partition))) : [];
  const found: { offset: bigint; first: bigint }[] = [];
  for (const [i, e] of asked.entries()) {
    const again = rechecked.get(idOf(e));
    const first = again && again.record.offset < e.record.offset ? firstOf(again, stream, partition) : answers[i]!;
    const here = first.stream === stream && first.partition === partition;
    if (here && first.offset >= e.record.offset) continue;
    if (here && (await sameAsFirst(deps, e, first))) found.push({ offset: e.record.offset, first: first.offset });
    else
      deps.onConflict?.(
        formatPosition(stream, partition, e.record.offset),
        formatPosition(first.stream, first.partition, first.offset),
      );
  }
  if (found.length > 0) await deps.copies.list(stream, partition, found);
  for (const { offset, first } of found) copies.set(offset, first);
  return copies;
}
