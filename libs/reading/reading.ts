import { readLevel, sourceOf, type Caller } from '#access';
import { pause } from '#concurrency';
import { partitionOf } from '#event';
import { Fault } from '#faults';
import type { EventLog } from '#log';
import type { Settled } from '#duplicates';
import type { StreamInfo } from '#registry';
import { READ_BUDGET, type Limits, type ReadBudget } from './budget.js';
import { decodeStreamCursor, type StreamCursor } from './cursor.js';
import { eventText, type Encoding } from './event-text.js';
import { earliestHead, PartitionCursor } from './partition-cursor.js';
import { offsetsOf } from './period.js';
import { nextWithin, offsetOutOfRange, type StreamRange } from './range.js';
import { eventFor, type EventFilter, type ReadEvent, type Reader, type Rights } from './read-event.js';

export interface ReadingDeps extends Rights {
  readonly log: Pick<EventLog, 'describe' | 'read' | 'offsetAt' | 'topicId'>;
  readonly settled: Pick<Settled, 'end' | 'waitFor' | 'originalOf'>;
  readonly now: () => number;
}

export interface EventPage<E> {
  /** Ordered by append time over all partitions; within a partition, and so within a subject, by offset. */
  readonly events: readonly E[];
  /** Next offset by partition number: the range of the next page. */
  readonly next: readonly bigint[];
  /**
   * Why the page ended. `end`: the end of the period or of the log, nothing more now. `full`: `limit` or `pageBytes` reached.
   * `scan_budget`: there may be more although the page is short or empty. `unsettled`: more records lie in the log, but the settled end did not
   * reach them in time.
   */
  readonly stopped: 'end' | 'full' | 'scan_budget' | 'unsettled';
}

/** True when a short or empty page does not mean the end of the stream (R13). */
export function isIncomplete({ stopped }: Pick<EventPage<unknown>, 'stopped'>): boolean {
  return stopped === 'scan_budget' || stopped === 'unsettled';
}

/** An event as text, with its place. */
export interface EventText {
  readonly text: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** Where reading begins and ends, as a reader says it. */
export interface Beginning {
  readonly cursor?: string | undefined;
  readonly from?: string | undefined;
  readonly until?: string | undefined;
}

/** How far one partition reaches: earliest kept offset, log end, settled end. */
export interface PartitionExtent {
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
  readonly settled: bigint;
}

interface Encoder<E> {
  readonly encode: (event: ReadEvent) => E;
  readonly sizeOf: (encoded: E) => number;
}

const DECODED: Encoder<ReadEvent> = {
  encode: (event) => event,
  sizeOf: ({ bytes }) => bytes,
};

function asText(encoding: Encoding): Encoder<EventText> {
  return {
    encode: (event) => ({
      text: eventText(event, encoding),
      partition: event.partition,
      offset: event.offset,
    }),
    sizeOf: ({ text }) => text.length,
  };
}

/**
 * The use case "read a stream": the events of a stream for one reader, only below the settled end, without copies unless the filter asks for them,
 * filtered, and masked by the rights of the reader (R2.3, R12). Every way to read a stream goes through this class.
 */
export class Reading {
  readonly #deps: ReadingDeps;

  constructor(deps: ReadingDeps) {
    this.#deps = deps;
  }

  /** The streams from which a caller can read at least the events of its own unit, with these types. */
  streams(caller: Caller): readonly { readonly stream: StreamInfo; readonly types: readonly string[] }[] {
    return this.#deps.catalogue.streams().flatMap((stream) => {
      const types = this.#readableTypes(caller, stream);
      return types.length === 0 ? [] : [{ stream, types }];
    });
  }

  /** One of streams(). Fault not_found for a stream that does not exist and for one that the caller may not read. */
  stream(caller: Caller, name: string): { readonly stream: StreamInfo; readonly types: readonly string[] } {
    const stream = this.#deps.catalogue.stream(name);
    const types = stream === undefined ? [] : this.#readableTypes(caller, stream);
    if (stream === undefined || types.length === 0) throw new Fault('not_found');
    return { stream, types };
  }

  /** How far each partition reaches now, ascending. Fault log_unavailable. */
  async extent({ name }: StreamInfo): Promise<readonly PartitionExtent[]> {
    const kept = await this.#deps.log.describe(name);
    return kept.map(({ partition, low, high }) => ({
      partition,
      low,
      high,
      settled: this.#deps.settled.end(name, partition),
    }));
  }

  /**
   * Where reading begins: at a cursor text, or else at `from` (see offsetsOf; default earliest). `until` ends the period, unless the cursor carries
   * an end. Faults: invalid_cursor, stream_recreated, invalid_query, offset_out_of_range.
   */
  async begin(stream: StreamInfo, { cursor, from = 'earliest', until }: Beginning): Promise<StreamCursor> {
    const { log } = this.#deps;
    const topicId = await log.topicId(stream.name);
    const at = cursor === undefined ? undefined : decodeStreamCursor(cursor, stream.name, topicId, stream.partitions);
    const next = at?.next ?? (await offsetsOf(log, stream, from, 'from'));
    const end = at?.end ?? (until === undefined ? undefined : await offsetsOf(log, stream, until, 'until'));
    return { stream: stream.name, topicId, next, ...(end === undefined ? {} : { end }) };
  }

  /** One page of decoded events. Faults: offset_out_of_range (with the earliest kept position), unknown_cursor, log_unavailable. */
  readEvents(
    reader: Reader,
    range: StreamRange,
    filter: EventFilter = {},
    budget: ReadBudget = {},
  ): Promise<EventPage<ReadEvent>> {
    return this.#poll(reader, range, filter, budget, DECODED);
  }

  /** The same page with each event as text. Fault not_acceptable, too: an event that the reader sees masked was asked for as Avro. */
  readTexts(
    reader: Reader,
    range: StreamRange,
    filter: EventFilter,
    budget: ReadBudget,
    encoding: Encoding,
  ): Promise<EventPage<EventText>> {
    return this.#poll(reader, range, filter, budget, asText(encoding));
  }

  /**
   * The event at one place, also when it is a copy. undefined: no such record, not settled in time, or the reader may not see it.
   * Faults: offset_out_of_range (below the earliest kept offset), log_unavailable.
   */
  async readOne(
    reader: Reader,
    stream: StreamInfo,
    partition: number,
    offset: bigint,
    budget: Pick<ReadBudget, 'settleMs'> = {},
  ): Promise<ReadEvent | undefined> {
    const { log, settled } = this.#deps;
    const { name } = stream;
    if (partition >= stream.partitions) return undefined;
    const kept = (await log.describe(name))[partition]!;
    if (offset < kept.low) throw offsetOutOfRange(name, partition, kept.low);
    if (offset >= kept.high) return undefined;
    const settleMs = budget.settleMs ?? READ_BUDGET.settleMs;
    if ((await settled.waitFor(name, partition, offset + 1n, settleMs)) <= offset) return undefined;
    const got = await log.read(name, partition, offset, { maxRecords: 1 });
    const record = got.kind === 'records' ? got.records[0] : undefined;
    if (record?.offset !== offset) return undefined;
    const original = settled.originalOf(name, partition, offset);
    return eventFor(reader, record, { stream: name, partition, original }, { copies: true }, this.#deps);
  }

  /**
   * Waits until a partition of the range holds a settled record at or behind its next offset; at most maxMs, or until the signal aborts.
   * true: a new page may hold events (read again; the record may not match the filter). Fault log_unavailable.
   */
  async waitForMore(
    range: StreamRange,
    filter: EventFilter,
    maxMs: number,
    signal: AbortSignal | undefined,
    budget: Pick<ReadBudget, 'settleMs'> = {},
  ): Promise<boolean> {
    if (signal?.aborted === true || maxMs <= 0) return false;
    const stop = new AbortController();
    const ended = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    const settleMs = budget.settleMs ?? READ_BUDGET.settleMs;
    const arrivals = wantedPartitions(range.stream, filter).map((p) =>
      this.#arrival(range.stream.name, p, range.next[p]!, { maxMs, settleMs, signal: ended }),
    );
    try {
      return await Promise.race([...arrivals, pause(maxMs, ended).then(() => false)]);
    } finally {
      stop.abort();
      for (const arrival of arrivals) arrival.catch(() => undefined);
    }
  }

  /** Resolves true when a settled record lies at or behind `from`; without one it never resolves. */
  async #arrival(
    stream: string,
    partition: number,
    from: bigint,
    { maxMs, settleMs, signal }: { maxMs: number; settleMs: number; signal: AbortSignal },
  ): Promise<boolean> {
    const got = await this.#deps.log.read(stream, partition, from, { maxRecords: 1, waitMs: maxMs, signal });
    if (got.kind === 'out_of_range') return true;
    const last = got.records.at(-1);
    if (last === undefined) return new Promise<boolean>(() => undefined);
    await this.#deps.settled.waitFor(stream, partition, last.offset + 1n, settleMs);
    return true;
  }

  /** A page; when it is empty and `waitMs` allows, waits for records and reads again (long poll). */
  async #poll<E>(
    reader: Reader,
    range: StreamRange,
    filter: EventFilter,
    budget: ReadBudget,
    encoder: Encoder<E>,
  ): Promise<EventPage<E>> {
    const limits: Limits = { ...READ_BUDGET, ...budget };
    const deadline = this.#deps.now() + limits.waitMs;
    let page = await this.#page(reader, range, filter, limits, encoder);
    while (limits.waitMs > 0 && page.events.length === 0 && page.stopped === 'end') {
      const rest = { ...range, next: page.next };
      if (range.end !== undefined && page.next.every((n, p) => n >= range.end![p]!)) break;
      if (!(await this.waitForMore(rest, filter, deadline - this.#deps.now(), budget.signal, limits))) break;
      page = await this.#page(reader, rest, filter, limits, encoder);
    }
    return page;
  }

  async #page<E>(
    reader: Reader,
    range: StreamRange,
    filter: EventFilter,
    limits: Limits,
    encoder: Encoder<E>,
  ): Promise<EventPage<E>> {
    const { settled, now } = this.#deps;
    const { name } = range.stream;
    const { next, cursors, unsettled } = await this.#open(range, filter, limits);
    const events: E[] = [];
    const began = now();
    let scanned = 0;
    let bytes = 0;
    let stopped: EventPage<E>['stopped'];
    for (;;) {
      const cursor = earliestHead(cursors);
      if (cursor === undefined) {
        stopped = unsettled ? 'unsettled' : 'end';
        break;
      }
      if (events.length >= limits.limit || bytes >= limits.pageBytes) {
        stopped = 'full';
        break;
      }
      if (scanned >= limits.scanRecords || (scanned > 0 && now() - began > limits.scanMs)) {
        stopped = 'scan_budget';
        break;
      }
      scanned++;
      const { partition } = cursor;
      const record = cursor.head!;
      const usedUp = cursor.take();
      const original = settled.originalOf(name, partition, record.offset);
      const event = eventFor(reader, record, { stream: name, partition, original }, filter, this.#deps);
      if (event !== undefined) {
        const encoded = encoder.encode(event);
        events.push(encoded);
        bytes += encoder.sizeOf(encoded);
      }
      if (usedUp) await cursor.load();
    }
    for (const cursor of cursors) next[cursor.partition] = cursor.next;
    return { events, next, stopped };
  }

  /** One loaded cursor per partition that can hold matching events, each ending at the settled end. */
  async #open(
    range: StreamRange,
    filter: EventFilter,
    limits: Limits,
  ): Promise<{ next: bigint[]; cursors: readonly PartitionCursor[]; unsettled: boolean }> {
    const { log, settled } = this.#deps;
    const { stream } = range;
    const kept = await log.describe(stream.name);
    const next = nextWithin(range, kept);
    const partitions = wantedPartitions(stream, filter);
    const chunkRecords = Math.max(20, Math.min(500, Math.ceil((limits.limit * 2) / partitions.length)));
    let unsettled = false;
    const cursors = await Promise.all(
      partitions.map(async (partition) => {
        const from = next[partition]!;
        const target = min(kept[partition]!.high, range.end?.[partition] ?? kept[partition]!.high);
        const reached = from < target ? await settled.waitFor(stream.name, partition, target, limits.settleMs) : target;
        if (reached < target) unsettled = true;
        const end = min(target, reached);
        const missing = range.missing ?? 'fault';
        return new PartitionCursor({ log, stream: stream.name, partition, from, end, chunkRecords, missing });
      }),
    );
    await Promise.all(cursors.map((c) => c.load()));
    return { next, cursors, unsettled };
  }

  #readableTypes(caller: Caller, stream: StreamInfo): readonly string[] {
    const { catalogue, units } = this.#deps;
    const own = { source: sourceOf(caller), data: {} };
    return stream.types.filter((name) => {
      const type = catalogue.newest(name);
      return type !== undefined && readLevel(caller, type, own, units) !== 'none';
    });
  }
}

/** All partitions, or only the one of the subject that the filter asks for. */
function wantedPartitions(stream: StreamInfo, { subject }: EventFilter): readonly number[] {
  if (subject !== undefined) return [partitionOf(Buffer.from(subject), stream.partitions)];
  return Array.from({ length: stream.partitions }, (_, p) => p);
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
