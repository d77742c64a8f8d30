import { readLevel, sourceOf, type Caller, type ReadLevel } from '#access';
import { pause } from '#concurrency';
import type { Settled } from '#duplicates';
import { atOnce, type InSteps } from '#avro';
import { formatPosition } from '#event';
import { Fault } from '#faults';
import { ENDLESS, stepsInTurns, type LongWork, type Turn } from '#limits';
import { TEST_EVENTS, type EventLog, type LogRecord } from '#log';
import type { StreamInfo } from '#registry';
import { READ_BUDGET, type Limits, type ReadBudget } from './budget.js';
import { cursorTopicId, decodeStreamCursor, type StreamCursor } from './cursor.js';
import type { Encoding } from './event-text.js';
import type { Follow, FollowListener } from './follow.js';
import type { LiveMember, LiveSink } from './live-member.js';
import { isLarge } from './large.js';
import { learnSchema } from './learn-schema.js';
import {
  asBytes,
  DECODED,
  LINES,
  LOGGED,
  readPage,
  type DamagedRecord,
  type Encoder,
  type EventLine,
  type EventPage,
  type Look,
} from './page.js';
import type { PageText } from './page-text.js';
import { offsetsOf } from './period.js';
import { offsetOutOfRange, type StreamRange } from './range.js';
import { PollMember } from './poll-member.js';
import { Rests } from './rests.js';
import {
  DAMAGED,
  eventInSteps,
  loggedInSteps,
  LoggedEvent,
  type EventFilter,
  type ReadEvent,
  type Reader,
  type RecordPlace,
  type Rights,
} from './read-event.js';
import { tailPage } from './tail-page.js';
import { Tails, type ReadingReport, type TailLimits, type TailPlace, type TailUse } from './tails.js';

export interface ReadingDeps extends Rights {
  readonly log: Pick<EventLog, 'describe' | 'read' | 'offsetAt' | 'topicId'>;
  readonly settled: Pick<Settled, 'end' | 'waitFor' | 'originalOf'>;
  readonly now: () => number;
  readonly tails?: Partial<TailLimits>;
  readonly report?: ReadingReport;
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
  readonly #deps: ReadingDeps & { readonly rests: Rests };
  readonly #tails: Tails;

  constructor(deps: ReadingDeps) {
    const settled = withTestEvents(deps.settled);
    this.#deps = { ...deps, settled, rests: new Rests() };
    this.#tails = new Tails({ ...deps, settled }, deps.tails);
  }

  /** What the tails of this process hold now. */
  get tailUse(): TailUse {
    return this.#tails.use;
  }

  /** The streams from which a caller can read at least the events of its own unit, with these types. */
  streams(caller: Caller): readonly { readonly stream: StreamInfo; readonly types: readonly string[] }[] {
    return this.#deps.catalogue.streams().flatMap((stream) => {
      const types = this.#readableTypes(caller, stream);
      return types.length === 0 ? [] : [{ stream, types }];
    });
  }

  /**
   * One of streams(), or the test events (R10.11), which are read like a stream with the events of all types that the caller may read. Fault not_found for a
   * stream that does not exist and for one that the caller may not read.
   */
  stream(caller: Caller, name: string): { readonly stream: StreamInfo; readonly types: readonly string[] } {
    const stream = name === TEST_EVENTS.name ? this.#testEvents(caller) : this.#deps.catalogue.stream(name);
    const types = stream === undefined ? [] : this.#readableTypes(caller, stream);
    if (stream === undefined || types.length === 0) throw new Fault('not_found');
    return { stream, types };
  }

  /** How far each partition reaches now, ascending. Fault log_unavailable. */
  async extent({ name }: Pick<StreamInfo, 'name'>): Promise<readonly PartitionExtent[]> {
    const kept = await this.#deps.log.describe(name);
    return kept.map(({ partition, low, high }) => ({
      partition,
      low,
      high,
      settled: name === TEST_EVENTS.name ? high : this.#deps.settled.end(name, partition),
    }));
  }

  /**
   * Where reading begins: at a cursor text, or else at `from` (see offsetsOf; default earliest). `until` ends the period, unless the cursor carries
   * an end. Faults: invalid_cursor, stream_recreated, invalid_query, offset_out_of_range.
   */
  async begin(stream: StreamInfo, { cursor, from = 'earliest', until }: Beginning): Promise<StreamCursor> {
    const { log } = this.#deps;
    const topicId = cursorTopicId(await log.topicId(stream.name));
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

  /** The same page with each event as the data part of a message of a live stream. Readers that come past a large event together share its bytes. */
  readLines(
    reader: Reader,
    range: StreamRange,
    filter: EventFilter,
    budget: ReadBudget,
  ): Promise<EventPage<EventLine>> {
    return this.#poll(reader, range, filter, budget, LINES);
  }

  /** The same page with its texts added to `out`; it holds the bytes of each. Fault not_acceptable, too: an event that the reader sees
   * masked was asked for as Avro; `out` has no meaning then. */
  readInto(
    reader: Reader,
    range: StreamRange,
    filter: EventFilter,
    budget: ReadBudget,
    encoding: Encoding,
    out: PageText,
  ): Promise<EventPage<number>> {
    return this.#poll(reader, range, filter, budget, asBytes(encoding, out));
  }

  /**
   * The event at one place, also when it is a copy. undefined: no such record, or the reader may not see it.
   * Faults: offset_out_of_range (below the earliest kept offset), not_settled (there is a record, and whether it is a copy is not decided in time: for
   * every reader, whatever it may see), corrupt_record, log_unavailable. `work`: in whose turns a large event is read.
   */
  async readOne(
    reader: Reader,
    stream: StreamInfo,
    partition: number,
    offset: bigint,
    budget: Pick<ReadBudget, 'settleMs' | 'work'> = {},
  ): Promise<ReadEvent | undefined> {
    const { log, settled } = this.#deps;
    const { name } = stream;
    if (partition >= stream.partitions) return undefined;
    const got = await log.read(name, partition, offset, { maxRecords: 1, maxBytes: 1 });
    if (got.kind === 'out_of_range' && offset < got.low) throw offsetOutOfRange(name, partition, got.low);
    if (got.kind !== 'records') return undefined;
    const [record] = got.records;
    if (record?.offset !== offset) return undefined;
    const settleMs = budget.settleMs ?? READ_BUDGET.settleMs;
    // Not "missing": its publisher may hold the receipt already.
    if ((await settled.waitFor(name, partition, offset + 1n, settleMs, got.topicId)) <= offset)
      throw new Fault('not_settled', { retryAfterMs: 1_000 });
    const original = settled.originalOf(name, partition, offset);
    const place = { stream: name, partition, original };
    const open = (): Promise<ReadEvent | typeof DAMAGED | undefined> =>
      inTurnsIfLarge(budget.work, record, eventInSteps(reader, record, place, { copies: true }, this.#deps));
    let event = await open();
    if (event === DAMAGED && (await learnSchema(this.#deps, record))) event = await open();
    if (event !== DAMAGED) return event;
    this.#deps.report?.damaged?.(name, partition, offset);
    throw new Fault('corrupt_record', { detail: formatPosition(name, partition, offset) });
  }

  /**
   * How much of the event at one place a caller may see, also before it is settled. `none` too for a place that no event is at any more. Fault
   * log_unavailable. `work`: in whose turns a large event is read.
   */
  async levelAt(
    caller: Caller,
    stream: string,
    partition: number,
    offset: bigint,
    work?: LongWork,
  ): Promise<ReadLevel> {
    const { log } = this.#deps;
    const got = await log.read(stream, partition, offset, { maxRecords: 1, maxBytes: 1 });
    const record = got.kind === 'records' ? got.records[0] : undefined;
    if (record?.offset !== offset) return 'none';
    const place = { stream, partition, original: undefined };
    const level = (): Promise<ReadLevel | typeof DAMAGED> =>
      inTurnsIfLarge(work, record, levelInSteps(caller, record, place, this.#deps));
    let found = await level();
    if (found === DAMAGED && (await learnSchema(this.#deps, record))) found = await level();
    return found === DAMAGED ? 'none' : found;
  }

  /**
   * Hangs a live reader on the tail of its stream: one read of each partition, one decoding and one text of each event serve all readers of this process
   * that are at the end. The sink gets the messages behind `place`, in order, each event once. `atEnd`: a page (or `latest`) has brought the reader to
   * the end, so that a tail may begin there. undefined: the reader is behind the tail, and reads a page.
   */
  hang(reader: Reader, place: TailPlace, filter: EventFilter, atEnd: boolean, sink: LiveSink): LiveMember | undefined {
    return this.#tails.hang(place, reader, filter, atEnd, sink);
  }

  /**
   * One page of events for subscriptions, in the hub's own name: of the types that somebody wants, without copies, with the damaged records between them; their data
   * is not decoded. Faults as readEvents().
   */
  async readLogged(
    range: StreamRange,
    wants: (type: string) => boolean,
    budget: Omit<ReadBudget, 'waitMs' | 'signal'> = {},
  ): Promise<EventPage<LoggedEvent | DamagedRecord>> {
    const limits: Limits = { ...READ_BUDGET, ...budget };
    const look: Look<LoggedEvent> = (record, at) => loggedInSteps(record, at, wants, this.#deps.catalogue);
    const read = (turn: Turn) => readPage(this.#deps, range, {}, limits, look, LOGGED, turn);
    return budget.work?.run(read) ?? read(ENDLESS);
  }

  /**
   * Follows a stream at its end, in the hub's own name, on the tail that live readers share. `atEnd` as in hang(). undefined: the end of the stream is not followed
   * from so far back, so read pages.
   */
  follow(place: TailPlace, atEnd: boolean, listener: FollowListener): Follow | undefined {
    return this.#tails.follow(place, atEnd, listener);
  }

  /** The settled end that this process knows of a partition. 0n for test events, which have none. */
  settledEnd(stream: string, partition: number): bigint {
    return this.#deps.settled.end(stream, partition);
  }

  /** A page; when it is empty and `waitMs` allows, waits on the tail of the stream for an event that the reader sees (long poll). */
  async #poll<E>(
    reader: Reader,
    range: StreamRange,
    filter: EventFilter,
    budget: ReadBudget,
    encoder: Encoder<E>,
  ): Promise<EventPage<E>> {
    const limits: Limits = { ...READ_BUDGET, ...budget };
    const look: Look<ReadEvent> = (record, at) => eventInSteps(reader, record, at, filter, this.#deps);
    // Only the work, not the waiting, is done in turns.
    const inTurns = <T>(work: (turn: Turn) => Promise<T>): Promise<T> => budget.work?.run(work) ?? work(ENDLESS);
    const readFrom = (from: StreamRange): Promise<EventPage<E>> =>
      inTurns((turn) => readPage(this.#deps, from, filter, limits, look, encoder, turn));
    if (limits.waitMs <= 0) return readFrom(range);
    const deadline = this.#deps.now() + limits.waitMs;
    const topicId = cursorTopicId(range.topicId ?? (await this.#deps.log.topicId(range.stream.name)));
    const read = async (next: readonly bigint[], atEnd: boolean): Promise<EventPage<E>> => {
      const place = { stream: range.stream, topicId, next };
      const seat = range.end === undefined ? this.#tails.seat(place, filter, atEnd) : undefined;
      if (seat !== undefined)
        return inTurns(() => Promise.resolve(tailPage(seat, reader, next, filter, limits, encoder)));
      return readFrom({ ...range, next });
    };
    let page = await read(range.next, false);
    while (page.events.length === 0 && page.damaged.length === 0 && page.stopped === 'end') {
      const { next } = page;
      if (range.end !== undefined && next.every((n, p) => n >= range.end![p]!)) break;
      const place = { stream: range.stream, topicId, next };
      const waited = await this.#waitOn(place, reader, filter, deadline - this.#deps.now(), budget.signal);
      if (waited === 'unsettled') return { ...page, stopped: 'unsettled' };
      if (waited === 'over') break;
      page = await read(next, false);
    }
    return page;
  }

  /** `arrived`: read again. `over`: maxMs passed or the signal aborted. `unsettled`: so, and a record lies in the log that is not settled. */
  async #waitOn(
    place: TailPlace,
    reader: Reader,
    filter: EventFilter,
    maxMs: number,
    signal: AbortSignal | undefined,
  ): Promise<'arrived' | 'over' | 'unsettled'> {
    if (maxMs <= 0 || signal?.aborted === true) return 'over';
    const seat = this.#tails.seat(place, filter, true);
    if (seat === undefined) return 'arrived';
    const { tail, partitions, at } = seat;
    const audience = tail.audiences.join(reader, filter);
    const member = new PollMember(tail, { audience, partitions, at, next: place.next });
    this.#tails.add(tail, member);
    const stop = new AbortController();
    const ended = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    try {
      const over = pause(maxMs, ended).then(() => 'over' as const);
      const first = await Promise.race([member.arrival.then(() => 'arrived' as const), over]);
      return first === 'over' && tail.isUnsettled(partitions) ? 'unsettled' : first;
    } finally {
      stop.abort();
      member.leave();
    }
  }

  /** Ends the tails. Readers that hang on them get nothing more. */
  close(): void {
    this.#tails.close();
    this.#deps.rests.close();
  }

  /** Names no type that the caller may not read. */
  #testEvents(caller: Caller): StreamInfo {
    const types = this.#deps.catalogue.streams().flatMap((stream) => this.#readableTypes(caller, stream));
    // Some of the subjects are pseudonyms: a clear one must not stand in an address.
    return { ...TEST_EVENTS, ordering: 'stream', subjectForm: 'pseudonym', types };
  }

  #readableTypes(caller: Caller, stream: Pick<StreamInfo, 'types'>): readonly string[] {
    const { catalogue, units } = this.#deps;
    const own = { source: sourceOf(caller), data: {} };
    return stream.types.filter((name) => {
      const type = catalogue.newest(name);
      return type !== undefined && readLevel(caller, type, own, units) !== 'none';
    });
  }
}

/** What is read of one record: a large one in turns, so that it counts as the long work that it is. */
function inTurnsIfLarge<T>(work: LongWork | undefined, record: LogRecord, steps: InSteps<T>): Promise<T> {
  if (work === undefined || !isLarge(record)) return Promise.resolve(atOnce(steps));
  return work.run((turn) => stepsInTurns(steps, turn));
}

function* levelInSteps(
  caller: Caller,
  record: LogRecord,
  place: RecordPlace,
  { catalogue, units }: Rights,
): InSteps<ReadLevel | typeof DAMAGED> {
  const event = LoggedEvent.open(record, place, catalogue);
  yield;
  return event === DAMAGED ? DAMAGED : (event?.levels(units)?.of(caller) ?? 'none');
}

type SettledEnds = ReadingDeps['settled'];

/** Test events have no copies (R10.11): each is settled as soon as it is recorded. */
function withTestEvents(settled: SettledEnds): SettledEnds {
  return {
    end: (stream, partition) => settled.end(stream, partition),
    waitFor: (stream, partition, offset, ...more) =>
      stream === TEST_EVENTS.name ? Promise.resolve(offset) : settled.waitFor(stream, partition, offset, ...more),
    originalOf: (stream, partition, offset) =>
      stream === TEST_EVENTS.name ? undefined : settled.originalOf(stream, partition, offset),
  };
}
