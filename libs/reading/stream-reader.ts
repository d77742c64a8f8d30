import type { Caller } from '#access';
import { formatPosition, partitionOf } from '#event';
import { Fault } from '#faults';
import type { EventLog, LogRecord, PartitionRange } from '#log';
import type { Settled } from '#projection';
import type { StreamInfo } from '#registry';
import { showRecord, type Encoding, type EventFilter, type ShowDeps } from './shown.js';

export interface StreamReaderDeps extends ShowDeps {
  readonly log: EventLog;
  readonly settled: Settled;
  readonly now: () => number;
}

export interface PageAsk {
  readonly caller: Caller;
  readonly stream: StreamInfo;
  /** Next offset of each partition. */
  readonly next: readonly bigint[];
  /** Exclusive ends of the period. */
  readonly end?: readonly bigint[] | undefined;
  readonly filter: EventFilter;
  readonly limit: number;
  readonly copies: boolean;
  readonly encoding: Encoding;
}

/** One event of a page, with where the reader stands behind it. */
export interface ShownEvent {
  readonly text: string;
  readonly partition: number;
  readonly offset: bigint;
}

export interface StreamPage {
  readonly events: readonly ShownEvent[];
  readonly next: readonly bigint[];
  /** The scan budget ended the page: there may be more although the page is short or empty. */
  readonly incomplete: boolean;
}

const SCAN_RECORDS = 10_000;
const SCAN_MS = 2_000;
const PAGE_BYTES = 8 * 1_048_576;
/** How long the settled end may take to reach the log end that was seen (R2.3). */
const SETTLE_MS = 1_000;
const CHUNK_BYTES = 1_048_576;

interface Lane {
  readonly partition: number;
  next: bigint;
  readonly end: bigint;
  /** Records lie between `end` and what was asked for. */
  readonly unsettled: boolean;
  chunk: readonly LogRecord[];
  at: number;
  /** Next offset behind the chunk. */
  after: bigint;
}

/** Reads a stream for one caller: all partitions merged by recorded time, order per partition (so per subject) kept, only below the settled end. */
export class StreamReader {
  constructor(readonly deps: StreamReaderDeps) {}

  /** Faults offset_out_of_range (with the earliest position), unknown_cursor, log_unavailable, not_acceptable. */
  async page(ask: PageAsk): Promise<StreamPage> {
    const { stream } = ask;
    const ranges = await this.deps.log.describe(stream.name);
    checkRange(stream.name, ask.next, ranges);
    const next = [...ask.next];
    const wanted = wantedPartitions(ask);
    const lanes = await Promise.all(wanted.map((p) => this.#lane(ask, p, ranges[p]!.high)));
    const events: ShownEvent[] = [];
    const began = this.deps.now();
    let scanned = 0;
    let bytes = 0;
    let incomplete = false;
    await Promise.all(lanes.map((l) => this.#fill(ask, l, lanes.length)));
    for (;;) {
      const lane = earliest(lanes);
      if (lane === undefined) {
        // What the index has not settled yet is no end of the stream: an empty page must not say so.
        incomplete = lanes.some((l) => l.unsettled);
        break;
      }
      if (events.length >= ask.limit || bytes >= PAGE_BYTES) break;
      if (scanned >= SCAN_RECORDS || (scanned > 0 && this.deps.now() - began > SCAN_MS)) {
        incomplete = true;
        break;
      }
      const record = lane.chunk[lane.at++]!;
      lane.next = record.offset + 1n;
      scanned++;
      const text = this.#show(ask, lane.partition, record);
      if (text !== undefined) {
        events.push({ text, partition: lane.partition, offset: record.offset });
        bytes += text.length;
      }
      if (lane.at >= lane.chunk.length) {
        lane.next = lane.after < lane.end ? lane.after : lane.end;
        await this.#fill(ask, lane, lanes.length);
      }
    }
    for (const lane of lanes) next[lane.partition] = lane.next;
    return { events, next, incomplete };
  }

  /**
   * Waits until a partition holds a record at or behind its next offset, and the index has it; at most maxMs, or until the signal aborts.
   * true: it is worth to read again.
   */
  async waitForMore(
    ask: Pick<PageAsk, 'stream' | 'next' | 'filter'>,
    maxMs: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (signal.aborted || maxMs <= 0) return false;
    const stop = new AbortController();
    const until = AbortSignal.any([signal, stop.signal]);
    const waits = wantedPartitions(ask).map(async (p) => {
      const from = ask.next[p]!;
      const got = await this.deps.log.read(ask.stream.name, p, from, { maxRecords: 1, waitMs: maxMs, signal: until });
      if (got.kind === 'out_of_range') return true;
      const last = got.records.at(-1);
      if (last === undefined) return new Promise<boolean>(() => undefined);
      await this.deps.settled.waitFor(ask.stream.name, p, last.offset + 1n, SETTLE_MS);
      return true;
    });
    const timeUp = Promise.withResolvers<boolean>();
    const giveUp = (): void => {
      timeUp.resolve(false);
    };
    const timer = setTimeout(giveUp, maxMs);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      return await Promise.race([...waits, timeUp.promise]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      stop.abort();
      for (const w of waits) w.catch(() => undefined);
    }
  }

  /** One record below the settled end; undefined when it is not there or looks missing. Fault offset_out_of_range below the low end. */
  async one(
    ask: Omit<PageAsk, 'next' | 'end' | 'limit' | 'filter' | 'copies'>,
    partition: number,
    offset: bigint,
  ): Promise<string | undefined> {
    const { name, partitions } = ask.stream;
    if (partition >= partitions) return undefined;
    const range = (await this.deps.log.describe(name))[partition]!;
    if (offset < range.low) throw tooOld(name, partition, range.low);
    if (offset >= range.high) return undefined;
    if ((await this.deps.settled.waitFor(name, partition, offset + 1n, SETTLE_MS)) <= offset) return undefined;
    const got = await this.deps.log.read(name, partition, offset, { maxRecords: 1 });
    const record = got.kind === 'records' ? got.records[0] : undefined;
    if (record?.offset !== offset) return undefined;
    return this.#show({ ...ask, copies: true, filter: {} }, partition, record);
  }

  #show(ask: Omit<PageAsk, 'next' | 'limit'>, partition: number, record: LogRecord): string | undefined {
    const first = this.deps.settled.firstOfCopy(ask.stream.name, partition, record.offset);
    if (first !== undefined && !ask.copies) return undefined;
    const copyOf = first === undefined ? undefined : formatPosition(ask.stream.name, partition, first);
    return showRecord(
      record,
      { stream: ask.stream.name, partition, copyOf },
      ask.filter,
      ask.caller,
      ask.encoding,
      this.deps,
    );
  }

  async #lane(ask: PageAsk, partition: number, high: bigint): Promise<Lane> {
    const from = ask.next[partition]!;
    const target = min(high, ask.end?.[partition] ?? high);
    const settled =
      from < target ? await this.deps.settled.waitFor(ask.stream.name, partition, target, SETTLE_MS) : target;
    const end = min(target, settled);
    return { partition, next: from, end, unsettled: end < target, chunk: [], at: 0, after: from };
  }

  async #fill(ask: PageAsk, lane: Lane, lanes: number): Promise<void> {
    lane.chunk = [];
    lane.at = 0;
    const maxRecords = Math.max(20, Math.min(500, Math.ceil((ask.limit * 2) / lanes)));
    while (lane.next < lane.end) {
      const got = await this.deps.log.read(ask.stream.name, lane.partition, lane.next, {
        maxRecords,
        maxBytes: CHUNK_BYTES,
      });
      if (got.kind === 'out_of_range') throw tooOld(ask.stream.name, lane.partition, got.low);
      const chunk = got.records.filter((r) => r.offset < lane.end);
      if (chunk.length > 0) {
        lane.chunk = chunk;
        lane.after = got.next;
        return;
      }
      // Holes only, or all of it behind the end.
      if (got.next <= lane.next) return;
      lane.next = min(got.next, lane.end);
    }
  }
}

/** The lane whose next record was recorded first. */
function earliest(lanes: readonly Lane[]): Lane | undefined {
  let best: Lane | undefined;
  let time = Number.POSITIVE_INFINITY;
  for (const lane of lanes) {
    const head = lane.chunk[lane.at];
    if (head !== undefined && head.appendTimeMs < time) {
      best = lane;
      time = head.appendTimeMs;
    }
  }
  return best;
}

/** All partitions, or the one of the subject asked for. */
function wantedPartitions(ask: Pick<PageAsk, 'stream' | 'filter'>): readonly number[] {
  const { subject } = ask.filter;
  if (subject !== undefined) return [partitionOf(Buffer.from(subject), ask.stream.partitions)];
  return Array.from({ length: ask.stream.partitions }, (_, p) => p);
}

function checkRange(stream: string, next: readonly bigint[], ranges: readonly PartitionRange[]): void {
  for (const { partition, low, high } of ranges) {
    const at = next[partition]!;
    if (at < low) throw tooOld(stream, partition, low);
    if (at > high) throw new Fault('unknown_cursor');
  }
}

function tooOld(stream: string, partition: number, low: bigint): Fault {
  const earliestKept = formatPosition(stream, partition, low);
  return new Fault('offset_out_of_range', {
    detail: `the earliest position kept is ${earliestKept}`,
    problems: [{ pointer: '?cursor', reason: 'no longer kept', expected: earliestKept }],
  });
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
