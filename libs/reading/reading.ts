import { readLevel, sourceOf, type Caller } from '#access';
import type { Settled } from '#duplicates';
import { Fault } from '#faults';
import type { EventLog } from '#log';
import type { StreamInfo } from '#registry';
import { waitForArrival } from './arrival.js';
import { READ_BUDGET, type Limits, type ReadBudget } from './budget.js';
import { decodeStreamCursor, type StreamCursor } from './cursor.js';
import type { Encoding } from './event-text.js';
import { asText, DECODED, readPage, wantedPartitions, type Encoder, type EventPage, type EventText } from './page.js';
import { offsetsOf } from './period.js';
import { offsetOutOfRange, type StreamRange } from './range.js';
import { eventFor, type EventFilter, type ReadEvent, type Reader, type Rights } from './read-event.js';

export interface ReadingDeps extends Rights {
  readonly log: Pick<EventLog, 'describe' | 'read' | 'offsetAt' | 'topicId'>;
  readonly settled: Pick<Settled, 'end' | 'waitFor' | 'originalOf'>;
  readonly now: () => number;
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
    const { stream, next } = range;
    const partitions = wantedPartitions(stream, filter);
    const settleMs = budget.settleMs ?? READ_BUDGET.settleMs;
    return waitForArrival(this.#deps, { stream: stream.name, partitions, next }, { maxMs, settleMs, signal });
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
    let page = await readPage(this.#deps, reader, range, filter, limits, encoder);
    while (limits.waitMs > 0 && page.events.length === 0 && page.stopped === 'end') {
      const rest = { ...range, next: page.next };
      if (range.end !== undefined && page.next.every((n, p) => n >= range.end![p]!)) break;
      if (!(await this.waitForMore(rest, filter, deadline - this.#deps.now(), budget.signal, limits))) break;
      page = await readPage(this.#deps, reader, rest, filter, limits, encoder);
    }
    return page;
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
