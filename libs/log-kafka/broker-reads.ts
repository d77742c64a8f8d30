import { partitionKey } from '#event';
import type { LogRecord } from '#log';
import type { FetchAnswer, FetchedPartition, Fetcher } from './fetch.js';
import { codecs } from './platformatic/index.js';
import { ERROR, errorText } from './protocol.js';
import { decodeRecords } from './record-batch.js';
import { NEW_SESSION, NO_SESSION, type Broker, type FetchPosition, type FetchRequest } from './types.js';

/** How long the broker may hold the long poll. A read that comes meanwhile and is not covered by it joins the next one, at most this much later. */
const LONG_POLL_MS = 500;
/** Retry delay for a read that reached the log end while the running long poll does not cover its partition. */
const UNCOVERED_RETRY_MS = 20;
/** Largest fetch answer. It is decoded on the event loop: 1 MB takes a few milliseconds, the client library's default of 50 MB would take seconds. */
const FETCH_BYTES = 1_048_576;
/** An answer of 1 MB may hold no records of a partition because it was full before. So many answers in a row mean that something is wrong. */
const MAX_EMPTY_ANSWERS = 1_000;
/** The epoch of a fetch session is an int32: a new session begins well before its end. */
const MAX_SESSION_EPOCH = 2_000_000_000;

export type Fetched =
  | {
      readonly kind: 'records';
      readonly records: LogRecord[];
      readonly next: bigint;
      readonly low: bigint;
      readonly high: bigint;
    }
  | { readonly kind: 'empty'; readonly low: bigint; readonly high: bigint }
  | { readonly kind: 'out_of_range' }
  /** The broker does not lead this partition now, or cannot be reached: refresh the metadata and read again. */
  | { readonly kind: 'moved'; readonly cause: unknown };

/** One call of read() that has no answer yet. */
interface PendingRead {
  readonly key: string;
  readonly topicId: string;
  readonly partition: number;
  readonly from: bigint;
  readonly until: number;
  /** Range of the partition in the last answer, so that a long poll which ends empty can give it. */
  range: { low: bigint; high: bigint } | undefined;
  /** Answers in a row without records, although the log has some at this offset. */
  emptyAnswers: number;
  timer: NodeJS.Timeout | undefined;
  done: ((fetched: Fetched) => void) | undefined;
  fail: (error: unknown) => void;
}

/**
 * The reads at one broker. New reads share a fetch that the broker answers at once. Reads at the log end wait together in one long poll: a fetch in an
 * incremental session, which names only the partitions that changed. Both have connections of their own.
 */
export class BrokerReads {
  readonly #broker: Broker;
  readonly #fetcher: Fetcher;
  readonly #longPollFetcher: Fetcher;
  /** For the next fetch that the broker answers at once. */
  readonly #fresh: PendingRead[] = [];
  /** At the log end, by partition key. */
  readonly #parked = new Map<string, Set<PendingRead>>();
  readonly #retryTimers = new Set<NodeJS.Timeout>();
  /** What the running long poll covers: partition key → offset. */
  #covered: ReadonlyMap<string, bigint> = new Map();
  #session: { id: number; epoch: number; covers: Map<string, FetchPosition> } | undefined;
  #fetchRuns = false;
  #longPollRuns = false;
  #closed = false;

  constructor(broker: Broker, fetcher: Fetcher, longPollFetcher: Fetcher) {
    this.#broker = broker;
    this.#fetcher = fetcher;
    this.#longPollFetcher = longPollFetcher;
  }

  isAt(broker: Broker): boolean {
    return broker.host === this.#broker.host && broker.port === this.#broker.port;
  }

  /** Resolves with records, or empty after `waitMs` or when the signal aborts. Rejects only for a corrupt record. */
  read(topicId: string, partition: number, from: bigint, waitMs: number, signal?: AbortSignal): Promise<Fetched> {
    return new Promise((resolve, reject) => {
      const read: PendingRead = {
        key: partitionKey(topicId, partition),
        topicId,
        partition,
        from,
        until: Date.now() + waitMs,
        range: undefined,
        emptyAnswers: 0,
        timer: undefined,
        done: undefined,
        fail: undefined as never,
      };
      const onAbort = (): void => read.done?.({ kind: 'empty', ...(read.range ?? { low: 0n, high: from }) });
      const end = (): void => {
        read.done = undefined;
        clearTimeout(read.timer);
        this.#parked.get(read.key)?.delete(read);
        signal?.removeEventListener('abort', onAbort);
      };
      read.done = (fetched) => {
        end();
        resolve(fetched);
      };
      read.fail = (error) => {
        if (!read.done) return;
        end();
        reject(error as Error);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
      else this.#fetchNow(read);
    });
  }

  /** This process has appended to the partition: parked reads that the running long poll does not cover fetch now. */
  wake(key: string): void {
    for (const read of this.#parked.get(key) ?? []) if (!this.#isCovered(read)) this.#fetchNow(read);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#retryTimers) clearTimeout(timer);
    const gone: Fetched = { kind: 'moved', cause: new Error('closed') };
    for (const read of this.#fresh.splice(0)) read.done?.(gone);
    for (const set of this.#parked.values()) for (const read of set) read.done?.(gone);
  }

  #fetchNow(read: PendingRead): void {
    this.#parked.get(read.key)?.delete(read);
    this.#fresh.push(read);
    if (!this.#fetchRuns) void this.#runFetches();
  }

  async #runFetches(): Promise<void> {
    this.#fetchRuns = true;
    // reads of the same event-loop turn share the fetch
    await Promise.resolve();
    while (this.#fresh.length > 0 && !this.#closed) {
      const round = new Map<string, PendingRead[]>();
      // a request may name each partition once: reads at other offsets of it go into the next fetch
      const later: PendingRead[] = [];
      for (const read of this.#fresh.splice(0)) {
        if (!read.done) continue;
        const same = round.get(read.key);
        if (!same) round.set(read.key, [read]);
        else if (same[0]!.from === read.from) same.push(read);
        else later.push(read);
      }
      const positions = [...round.values()].map((reads) => positionOf(reads[0]!));
      if (positions.length === 0) break;
      const request: FetchRequest = {
        waitMs: 0,
        maxBytes: FETCH_BYTES,
        ...NO_SESSION,
        wanted: positions,
        forgotten: [],
      };
      try {
        const answer = await this.#fetcher.fetch(this.#broker, request);
        this.#fresh.push(...later);
        for (const part of answer.partitions) this.#settle(round, part, false);
        const cause = new Error(`${errorText(answer.error)}: no answer for this partition`);
        for (const reads of round.values()) for (const read of reads) read.done?.({ kind: 'moved', cause });
      } catch (cause) {
        for (const reads of [...round.values(), later]) for (const read of reads) read.done?.({ kind: 'moved', cause });
      }
    }
    this.#fetchRuns = false;
  }

  /** Resolves the waiting reads of one partition; reads at the log end stay parked for the long poll. */
  #settle(round: Map<string, PendingRead[]>, part: FetchedPartition, fromLongPoll: boolean): void {
    const key = partitionKey(part.topicId, part.partition);
    const reads = (round.get(key) ?? []).filter((w) => w.done);
    round.delete(key);
    if (reads.length === 0) return;
    if (part.error === ERROR.OFFSET_OUT_OF_RANGE) return reads.forEach((w) => w.done?.({ kind: 'out_of_range' }));
    if (part.error !== ERROR.NONE) {
      const cause = new Error(errorText(part.error));
      return reads.forEach((w) => w.done?.({ kind: 'moved', cause }));
    }
    for (const read of reads) {
      read.range = { low: part.low, high: part.high };
      if (part.records.length === 0) {
        this.#readOn(read, fromLongPoll);
        continue;
      }
      try {
        const { records, next } = decodeRecords(part.records, read.from, part.aborted, codecs);
        if (next > read.from) read.done?.({ kind: 'records', records, next, low: part.low, high: part.high });
        else this.#readOn(read, fromLongPoll);
      } catch (error) {
        read.fail(error);
      }
    }
  }

  /** The answer had no records for this read. At the log end the read is parked; otherwise the answer was full before its partition, and it fetches again. */
  #readOn(read: PendingRead, fromLongPoll: boolean): void {
    if (read.range!.high > read.from) {
      if (++read.emptyAnswers < MAX_EMPTY_ANSWERS) this.#fetchNow(read);
      else
        read.done?.({ kind: 'moved', cause: new Error(`no records at offset ${read.from}, although the log goes on`) });
    } else if (!fromLongPoll) this.#park(read);
  }

  #isCovered(read: PendingRead): boolean {
    const from = this.#covered.get(read.key);
    return from !== undefined && from <= read.from;
  }

  #park(read: PendingRead): void {
    const left = read.until - Date.now();
    if (left <= 0) return read.done?.({ kind: 'empty', ...read.range! });
    const set = this.#parked.get(read.key);
    if (set) set.add(read);
    else this.#parked.set(read.key, new Set([read]));
    read.timer ??= setTimeout(() => read.done?.({ kind: 'empty', ...read.range! }), left);
    if (!this.#longPollRuns) void this.#runLongPolls();
    else if (!this.#isCovered(read)) {
      const timer = setTimeout(() => {
        this.#retryTimers.delete(timer);
        if (read.done && this.#parked.get(read.key)?.has(read) && !this.#isCovered(read)) this.#fetchNow(read);
      }, UNCOVERED_RETRY_MS);
      this.#retryTimers.add(timer);
    }
  }

  async #runLongPolls(): Promise<void> {
    this.#longPollRuns = true;
    // reads that reach the log end in this event-loop turn join the long poll
    await new Promise((resolve) => setImmediate(resolve));
    while (!this.#closed) {
      const round = new Map<string, PendingRead[]>();
      const covers = new Map<string, FetchPosition>();
      for (const [key, set] of this.#parked) {
        const reads = [...set];
        if (reads.length === 0) {
          this.#parked.delete(key);
          continue;
        }
        round.set(key, reads);
        covers.set(key, positionOf(reads.reduce((a, b) => (b.from < a.from ? b : a))));
      }
      if (covers.size === 0) break;
      this.#covered = new Map([...covers].map(([key, w]) => [key, w.from]));
      try {
        const answer = await this.#longPollFetcher.fetch(this.#broker, this.#requestFor(covers));
        this.#covered = new Map();
        if (answer.error !== ERROR.NONE) this.#session = undefined;
        else this.#keepSession(answer, covers);
        for (const part of answer.partitions) this.#settle(round, part, true);
      } catch (cause) {
        this.#covered = new Map();
        this.#session = undefined;
        for (const reads of round.values()) for (const read of reads) read.done?.({ kind: 'moved', cause });
      }
      // a reader that was just answered reads on in this event-loop turn: its read joins the next long poll
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#longPollRuns = false;
  }

  /** In a session: the positions that changed, and the partitions to forget, which the broker would otherwise go on answering. */
  #requestFor(covers: ReadonlyMap<string, FetchPosition>): FetchRequest {
    const session = this.#session;
    const base = { waitMs: LONG_POLL_MS, maxBytes: FETCH_BYTES };
    if (!session) return { ...base, ...NEW_SESSION, wanted: [...covers.values()], forgotten: [] };
    const wanted = [...covers].filter(([key, w]) => session.covers.get(key)?.from !== w.from).map(([, w]) => w);
    const forgotten = [...session.covers].filter(([key]) => !covers.has(key)).map(([, w]) => w);
    return { ...base, session: session.id, epoch: session.epoch, wanted, forgotten };
  }

  #keepSession(answer: FetchAnswer, covers: Map<string, FetchPosition>): void {
    const epoch = (this.#session?.epoch ?? 0) + 1;
    this.#session =
      answer.session === 0 || epoch > MAX_SESSION_EPOCH ? undefined : { id: answer.session, epoch, covers };
  }
}

function positionOf(read: PendingRead): FetchPosition {
  return { topicId: read.topicId, partition: read.partition, from: read.from, maxBytes: FETCH_BYTES };
}
