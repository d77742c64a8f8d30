import { partitionKey } from '#event';
import type { FetchAnswer, FetchedPartition, Fetcher } from './fetch.js';
import { endOf, type FetchedBatches } from '#kafka-records';
import { ERROR, errorText } from './protocol.js';
import { NEW_SESSION, NO_SESSION, type Broker, type FetchPosition, type FetchRequest } from './types.js';

/** How long the broker may hold the long poll. A read that comes meanwhile and is not covered by it joins the next one, at most this much later. */
const LONG_POLL_MS = 500;
/** Retry delay for a read that reached the log end while the running long poll does not cover its partition. */
const UNCOVERED_RETRY_MS = 20;
/** Largest answer to a fetch of several partitions, each of which has a bound of its own. */
const FETCH_BYTES = 4 * 1_048_576;
/** Largest answer to a long poll. What is beyond comes with the fetch that follows it. */
const LONG_POLL_BYTES = 1_048_576;
/** An answer may hold no records of a partition because it was full before. So many answers in a row mean that something is wrong. */
const MAX_EMPTY_ANSWERS = 1_000;
/** The epoch of a fetch session is an int32: a new session begins well before its end. */
const MAX_SESSION_EPOCH = 2_000_000_000;

export type BrokerAnswer =
  | {
      readonly kind: 'records';
      /** Not decoded; they reach behind the offset of the read. */
      readonly batches: FetchedBatches;
      readonly low: bigint;
      readonly high: bigint;
    }
  | { readonly kind: 'empty'; readonly low: bigint; readonly high: bigint }
  | { readonly kind: 'out_of_range' }
  /** The log does not hold what was read up to the offset of the read (KIP-320); it ends at `end`, or holds something else from there on. */
  | { readonly kind: 'diverging'; readonly end: bigint }
  /** The broker does not lead this partition now, or cannot be reached: refresh the metadata and read again. */
  | { readonly kind: 'moved'; readonly cause: unknown };

/** Ends of a partition as a broker has told them. */
export interface KnownRange {
  readonly low: bigint;
  readonly high: bigint;
  /** On the clock of performance.now(). */
  readonly at: number;
}

/** One call of read() that has no answer yet. */
interface PendingRead {
  readonly key: string;
  readonly position: FetchPosition;
  readonly until: number;
  /** Range of the partition in the last answer, so that a long poll which ends empty can give it. */
  range: KnownRange | undefined;
  maxBytes: number;
  /** Answers in a row without records, although the log has some at this offset. */
  emptyAnswers: number;
  timer: NodeJS.Timeout | undefined;
  done: ((answer: BrokerAnswer) => void) | undefined;
}

export interface BrokerReadsDeps {
  readonly broker: Broker;
  readonly fetcher: Fetcher;
  /** With connections of its own, so that a long poll never delays another request. */
  readonly longPollFetcher: Fetcher;
  /** See FetchRequest. */
  readonly committed: boolean;
  /** Called with each partition of an answer that has no error. */
  seen(key: string, part: FetchedPartition): void;
}

/**
 * The reads at one broker. New reads share a fetch that the broker answers at once. Reads at the log end wait together in one long poll: a fetch in an
 * incremental session, which names only the partitions that changed, and this class too looks only at those.
 */
export class BrokerReads {
  readonly #deps: BrokerReadsDeps;
  /** For the next fetch that the broker answers at once. */
  readonly #fresh: PendingRead[] = [];
  /** At the log end, by partition key. */
  readonly #parked = new Map<string, Set<PendingRead>>();
  readonly #retryTimers = new Set<NodeJS.Timeout>();
  /** What the long poll names, running or next: partition key → where it reads. */
  readonly #cover = new Map<string, FetchPosition>();
  /** Partitions whose parked reads have changed since #cover was made. */
  readonly #changed = new Set<string>();
  readonly #ranges = new Map<string, KnownRange>();
  #session: { readonly id: number; readonly epoch: number } | undefined;
  /** When the broker last said of every partition of the session that it has not changed since. */
  #unchangedAt = 0;
  #fetchRuns = false;
  #longPollRuns = false;
  /** A long poll is on the wire. */
  #polling = false;
  #closed = false;

  constructor(deps: BrokerReadsDeps) {
    this.#deps = deps;
  }

  isAt({ host, port }: Broker): boolean {
    return host === this.#deps.broker.host && port === this.#deps.broker.port;
  }

  /** The ends of a partition in the last answer, and when they were still true. */
  rangeOf(key: string): KnownRange | undefined {
    const range = this.#ranges.get(key);
    if (range === undefined || this.#session === undefined || !this.#cover.has(key)) return range;
    return { ...range, at: Math.max(range.at, this.#unchangedAt) };
  }

  /** Resolves with records, or empty after `waitMs` or when the signal aborts. Never rejects. */
  read(position: FetchPosition, waitMs: number, signal?: AbortSignal): Promise<BrokerAnswer> {
    return new Promise((resolve) => {
      const read: PendingRead = {
        key: partitionKey(position.topicId, position.partition),
        position,
        until: performance.now() + waitMs,
        range: undefined,
        maxBytes: position.maxBytes,
        emptyAnswers: 0,
        timer: undefined,
        done: undefined,
      };
      const onAbort = (): void => read.done?.(emptyOf(read, { low: 0n, high: position.from }));
      read.done = (answer) => {
        read.done = undefined;
        clearTimeout(read.timer);
        this.#unpark(read);
        signal?.removeEventListener('abort', onAbort);
        resolve(answer);
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
    this.#moveAll(new Error('closed'));
  }

  /** Every read without an answer gets `moved`. */
  #moveAll(cause: unknown): void {
    for (const read of this.#fresh.splice(0)) read.done?.({ kind: 'moved', cause });
    this.#moveParked(cause);
  }

  #moveParked(cause: unknown): void {
    for (const reads of [...this.#parked.values()])
      for (const read of [...reads]) read.done?.({ kind: 'moved', cause });
  }

  #fetchNow(read: PendingRead): void {
    this.#unpark(read);
    this.#fresh.push(read);
    if (!this.#fetchRuns) void this.#runFetches();
  }

  async #runFetches(): Promise<void> {
    this.#fetchRuns = true;
    // reads of the same event-loop turn share the fetch
    await Promise.resolve();
    while (this.#fresh.length > 0 && !this.#closed) {
      const { round, later } = this.#nextRound();
      if (round.size === 0) break;
      const request: FetchRequest = {
        waitMs: 0,
        maxBytes: FETCH_BYTES,
        committed: this.#deps.committed,
        ...NO_SESSION,
        wanted: [...round.values()].map(positionOf),
        forgotten: [],
      };
      try {
        const answer = await this.#deps.fetcher.fetch(this.#deps.broker, request);
        this.#fresh.push(...later);
        for (const part of answer.partitions) {
          const key = partitionKey(part.topicId, part.partition);
          this.#settle(part, key, round.get(key) ?? [], false);
          round.delete(key);
        }
        const cause = new Error(`${errorText(answer.error)}: no answer for this partition`);
        for (const reads of round.values()) for (const read of reads) read.done?.({ kind: 'moved', cause });
      } catch (cause) {
        for (const reads of [...round.values(), later]) for (const read of reads) read.done?.({ kind: 'moved', cause });
      }
    }
    this.#fetchRuns = false;
  }

  /** The reads of the next fetch, by partition. A request names each partition once: reads at other places of it wait for the one after. */
  #nextRound(): { readonly round: Map<string, PendingRead[]>; readonly later: PendingRead[] } {
    const round = new Map<string, PendingRead[]>();
    const later: PendingRead[] = [];
    for (const read of this.#fresh.splice(0)) {
      if (!read.done) continue;
      const same = round.get(read.key);
      if (!same) round.set(read.key, [read]);
      else if (isSamePlace(same[0]!.position, read.position)) same.push(read);
      else later.push(read);
    }
    return { round, later };
  }

  /** Resolves the waiting reads of one partition; reads at the log end stay parked for the long poll. */
  #settle(part: FetchedPartition, key: string, waiting: Iterable<PendingRead>, fromLongPoll: boolean): void {
    const reads = [...waiting].filter((read) => read.done);
    if (part.error === ERROR.OFFSET_OUT_OF_RANGE) return reads.forEach((read) => read.done?.({ kind: 'out_of_range' }));
    if (part.error !== ERROR.NONE) {
      const cause = new Error(errorText(part.error));
      return reads.forEach((read) => read.done?.({ kind: 'moved', cause }));
    }
    this.#deps.seen(key, part);
    const { committed } = this.#deps;
    const { low, aborted, records: bytes, diverging } = part;
    const high = committed ? part.lastStable : part.highWatermark;
    const range = { low, high, at: performance.now() };
    this.#ranges.set(key, range);
    const batches: FetchedBatches = { bytes, committed, aborted };
    const end = bytes.length === 0 ? undefined : endOf(bytes);
    for (const read of reads) {
      read.range = range;
      if (diverging !== undefined) read.done?.({ kind: 'diverging', end: diverging.end });
      else if (end !== undefined && end > read.position.from) read.done?.({ kind: 'records', batches, low, high });
      else this.#readOn(read, range, fromLongPoll);
    }
  }

  /** The answer had no records for this read. At the log end the read is parked; otherwise the answer was full before its partition, and it fetches again. */
  #readOn(read: PendingRead, { high }: KnownRange, fromLongPoll: boolean): void {
    const { from } = read.position;
    if (high < from) {
      // the log goes up to here, or the broker would say out of range: a new leader learns a moment later how far it is committed
      read.done?.({ kind: 'moved', cause: new Error(`offset ${from} is above the end that the leader knows`) });
    } else if (high > from) {
      // its first batch may be larger than what was asked for, and only the first partition of an answer gets such a batch
      read.maxBytes = LONG_POLL_BYTES;
      if (++read.emptyAnswers < MAX_EMPTY_ANSWERS) this.#fetchNow(read);
      else read.done?.({ kind: 'moved', cause: new Error(`no records at offset ${from}, although the log goes on`) });
    } else if (!fromLongPoll) this.#park(read);
  }

  #isCovered({ key, position }: PendingRead): boolean {
    const cover = this.#cover.get(key);
    return this.#polling && cover !== undefined && covers(cover, position);
  }

  #park(read: PendingRead): void {
    const left = read.until - performance.now();
    const empty = emptyOf(read);
    if (left <= 0) return read.done?.(empty);
    const set = this.#parked.get(read.key);
    if (set) set.add(read);
    else this.#parked.set(read.key, new Set([read]));
    this.#changed.add(read.key);
    read.timer ??= setTimeout(() => read.done?.(emptyOf(read)), left);
    if (!this.#longPollRuns) void this.#runLongPolls();
    else if (this.#polling && !this.#isCovered(read)) {
      const timer = setTimeout(() => {
        this.#retryTimers.delete(timer);
        if (read.done && this.#parked.get(read.key)?.has(read) && !this.#isCovered(read)) this.#fetchNow(read);
      }, UNCOVERED_RETRY_MS);
      this.#retryTimers.add(timer);
    }
  }

  #unpark(read: PendingRead): void {
    const set = this.#parked.get(read.key);
    if (!set?.delete(read)) return;
    if (set.size === 0) this.#parked.delete(read.key);
    this.#changed.add(read.key);
  }

  async #runLongPolls(): Promise<void> {
    this.#longPollRuns = true;
    const { broker, longPollFetcher } = this.#deps;
    // reads that reach the log end in this event-loop turn join the long poll
    await new Promise((resolve) => setImmediate(resolve));
    while (!this.#closed) {
      // what the session still covers then is forgotten with the next request
      if (this.#parked.size === 0) break;
      const request = this.#nextRequest();
      this.#polling = true;
      try {
        const sentAt = performance.now();
        const answer = await longPollFetcher.fetch(broker, request);
        this.#polling = false;
        this.#keepSession(answer);
        if (answer.error === ERROR.NONE && !isFull(answer)) this.#unchangedAt = sentAt;
        for (const part of answer.partitions) {
          const key = partitionKey(part.topicId, part.partition);
          const cover = this.#cover.get(key);
          if (cover === undefined) continue;
          const reads = [...(this.#parked.get(key) ?? [])].filter((read) => covers(cover, read.position));
          this.#settle(part, key, reads, true);
        }
      } catch (cause) {
        this.#polling = false;
        this.#session = undefined;
        this.#moveParked(cause);
      }
      // a reader that was just answered reads on in this event-loop turn: its read joins the next long poll
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#longPollRuns = false;
  }

  /** Brings #cover up to date. In a session: the positions that changed, and the partitions to forget, which the broker would otherwise go on answering. */
  #nextRequest(): FetchRequest {
    const wanted: FetchPosition[] = [];
    const forgotten: FetchPosition[] = [];
    for (const key of this.#changed) {
      const reads = [...(this.#parked.get(key) ?? [])];
      const known = this.#cover.get(key);
      if (reads.length === 0) {
        if (known) forgotten.push(known);
        this.#cover.delete(key);
        continue;
      }
      const position = reads.map((read) => read.position).reduce(earlier);
      if (known && isSamePlace(known, position) && known.leaderEpoch === position.leaderEpoch) continue;
      this.#cover.set(key, position);
      wanted.push(position);
    }
    this.#changed.clear();
    const base = { waitMs: LONG_POLL_MS, maxBytes: LONG_POLL_BYTES, committed: this.#deps.committed };
    if (!this.#session) return { ...base, ...NEW_SESSION, wanted: [...this.#cover.values()], forgotten: [] };
    const { id, epoch } = this.#session;
    return { ...base, session: id, epoch, wanted, forgotten };
  }

  #keepSession({ error, session }: FetchAnswer): void {
    const epoch = (this.#session?.epoch ?? 0) + 1;
    const ended = error !== ERROR.NONE || session === 0 || epoch > MAX_SESSION_EPOCH;
    this.#session = ended ? undefined : { id: session, epoch };
  }
}

function isSamePlace(a: FetchPosition, b: FetchPosition): boolean {
  return a.from === b.from && a.lastEpoch === b.lastEpoch;
}

/** Whether an answer for `cover` is one for `position` too. */
function covers(cover: FetchPosition, position: FetchPosition): boolean {
  return cover.from <= position.from && (position.lastEpoch < 0 || isSamePlace(cover, position));
}

/** The read at the lower offset; at the same offset the one that knows the epoch before it. */
function earlier(a: FetchPosition, b: FetchPosition): FetchPosition {
  if (a.from !== b.from) return a.from < b.from ? a : b;
  return a.lastEpoch >= b.lastEpoch ? a : b;
}

/** Whether partitions may have been left out of an answer because it had no room for them. */
function isFull({ partitions }: FetchAnswer): boolean {
  return partitions.reduce((sum, part) => sum + part.records.length, 0) > LONG_POLL_BYTES / 2;
}

function emptyOf({ range }: PendingRead, otherwise = { low: 0n, high: 0n }): BrokerAnswer {
  const { low, high } = range ?? otherwise;
  return { kind: 'empty', low, high };
}

/** Of the reads of a partition that share a fetch. */
function positionOf(reads: readonly PendingRead[]): FetchPosition {
  const first = reads[0]!;
  return { ...first.position, maxBytes: Math.max(...reads.map((read) => read.maxBytes)) };
}
