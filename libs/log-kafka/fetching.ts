import type { LogRecord } from '#log';
import { decodeRecords, type FetchAnswer, type FetchedPartition } from './decode.js';
import type { Fetcher } from './fetcher.js';
import { codecs } from './platformatic.js';
import type { FetchOrder, Node, WantedPartition } from './wire.js';

/** How long the broker may hold a fetch of waiting reads: also the longest that a new waiter stands outside of it. */
const HOLD_MS = 500;
/** A read that finds the end while such a fetch runs without it looks again after this. */
const AGAIN_MS = 20;
/** A fetch answer is taken apart on the event loop: 1 MB takes a few milliseconds, the client's own default of 50 MB seconds. */
const FETCH_BYTES = 1_048_576;

/** With 1 MB an answer, this many partitions may be served before one. */
const MOST_BARREN = 1_000;

const OFFSET_OUT_OF_RANGE = 1;

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
  /** The broker does not lead this partition now, or cannot be reached: ask the metadata, then again. */
  | { readonly kind: 'moved'; readonly cause: unknown };

interface Want {
  readonly key: string;
  readonly topicId: string;
  readonly partition: number;
  readonly from: bigint;
  readonly until: number;
  /** Of the last look, so that a wait which ends empty can say where the log ends. */
  range: { low: bigint; high: bigint } | undefined;
  /** Answers in a row that had nothing for it although the log goes on there. */
  barren: number;
  timer: NodeJS.Timeout | undefined;
  done: ((fetched: Fetched) => void) | undefined;
  fail: (error: unknown) => void;
}

/**
 * All reads of one broker. Those that just came share one fetch which the broker answers at once; those that found the end share one long fetch
 * (an incremental session: what has not changed is not sent again), each on a connection of its own.
 */
export class BrokerReads {
  readonly #node: Node;
  readonly #version: number;
  readonly #quick: Fetcher;
  readonly #long: Fetcher;
  readonly #fresh: Want[] = [];
  readonly #waiting = new Map<string, Set<Want>>();
  readonly #again = new Set<NodeJS.Timeout>();
  /** What the long fetch that runs now covers: key → offset. */
  #held: ReadonlyMap<string, bigint> = new Map();
  #session: { id: number; epoch: number; covers: Map<string, WantedPartition> } | undefined;
  #quickRuns = false;
  #longRuns = false;
  #closed = false;

  constructor(node: Node, version: number, quick: Fetcher, long: Fetcher) {
    this.#node = node;
    this.#version = version;
    this.#quick = quick;
    this.#long = long;
  }

  isAt(node: Node): boolean {
    return node.host === this.#node.host && node.port === this.#node.port;
  }

  /** Resolves with records, or empty after `waitMs` or when the signal aborts. Rejects only for a corrupt record. */
  read(topicId: string, partition: number, from: bigint, waitMs: number, signal?: AbortSignal): Promise<Fetched> {
    return new Promise((resolve, reject) => {
      const want: Want = {
        key: `${topicId}/${partition}`,
        topicId,
        partition,
        from,
        until: Date.now() + waitMs,
        range: undefined,
        barren: 0,
        timer: undefined,
        done: undefined,
        fail: undefined as never,
      };
      const onAbort = (): void => want.done?.({ kind: 'empty', ...(want.range ?? { low: 0n, high: from }) });
      const end = (): void => {
        want.done = undefined;
        clearTimeout(want.timer);
        this.#waiting.get(want.key)?.delete(want);
        signal?.removeEventListener('abort', onAbort);
      };
      want.done = (fetched) => {
        end();
        resolve(fetched);
      };
      want.fail = (error) => {
        if (!want.done) return;
        end();
        reject(error as Error);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
      else this.#ask(want);
    });
  }

  /** A record of this partition is durable: reads that wait for it outside the running long fetch look again now. */
  wake(key: string): void {
    for (const want of this.#waiting.get(key) ?? []) if (!this.#isHeld(want)) this.#ask(want);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#again) clearTimeout(timer);
    const gone: Fetched = { kind: 'moved', cause: new Error('closed') };
    for (const want of this.#fresh.splice(0)) want.done?.(gone);
    for (const set of this.#waiting.values()) for (const want of set) want.done?.(gone);
  }

  #ask(want: Want): void {
    this.#waiting.get(want.key)?.delete(want);
    this.#fresh.push(want);
    if (!this.#quickRuns) void this.#runQuick();
  }

  async #runQuick(): Promise<void> {
    this.#quickRuns = true;
    // what is asked for in the same turn goes into the same fetch
    await Promise.resolve();
    while (this.#fresh.length > 0 && !this.#closed) {
      const round = new Map<string, Want[]>();
      const later: Want[] = [];
      for (const want of this.#fresh.splice(0)) {
        if (!want.done) continue;
        const same = round.get(want.key);
        if (!same) round.set(want.key, [want]);
        else if (same[0]!.from === want.from) same.push(want);
        else later.push(want);
      }
      const asked = [...round.values()].map((wants) => wantedOf(wants[0]!));
      if (asked.length === 0) break;
      const order: FetchOrder = {
        waitMs: 0,
        maxBytes: FETCH_BYTES,
        session: 0,
        epoch: -1,
        wanted: asked,
        forgotten: [],
      };
      try {
        const answer = await this.#quick.fetch(this.#node, this.#version, order);
        this.#fresh.push(...later);
        for (const part of answer.partitions) this.#settle(round, part, false);
        const cause = new Error(`Kafka error ${answer.error}, no answer for this partition`);
        for (const wants of round.values()) for (const want of wants) want.done?.({ kind: 'moved', cause });
      } catch (cause) {
        for (const wants of [...round.values(), later]) for (const want of wants) want.done?.({ kind: 'moved', cause });
      }
    }
    this.#quickRuns = false;
  }

  /** Gives one partition's answer to those who asked; what found the end waits on. */
  #settle(round: Map<string, Want[]>, part: FetchedPartition, long: boolean): void {
    const key = `${part.topicId}/${part.partition}`;
    const wants = (round.get(key) ?? []).filter((w) => w.done);
    round.delete(key);
    if (wants.length === 0) return;
    if (part.error === OFFSET_OUT_OF_RANGE) return wants.forEach((w) => w.done?.({ kind: 'out_of_range' }));
    if (part.error !== 0) {
      const cause = new Error(`Kafka error ${part.error}`);
      return wants.forEach((w) => w.done?.({ kind: 'moved', cause }));
    }
    for (const want of wants) {
      want.range = { low: part.low, high: part.high };
      if (part.records.length === 0) {
        this.#lookOn(want, long);
        continue;
      }
      try {
        const { records, next } = decodeRecords(part.records, want.from, part.aborted, codecs);
        if (next > want.from) want.done?.({ kind: 'records', records, next, low: part.low, high: part.high });
        else this.#lookOn(want, long);
      } catch (error) {
        want.fail(error);
      }
    }
  }

  /** Nothing for it in this answer: at the end it waits; else the answer was full before its turn came, and it is asked for again. */
  #lookOn(want: Want, long: boolean): void {
    if (want.range!.high > want.from) {
      if (++want.barren < MOST_BARREN) this.#ask(want);
      else want.done?.({ kind: 'moved', cause: new Error(`no records at ${want.from}, though the log goes on`) });
    } else if (!long) this.#park(want);
  }

  #isHeld(want: Want): boolean {
    const from = this.#held.get(want.key);
    return from !== undefined && from <= want.from;
  }

  #park(want: Want): void {
    const left = want.until - Date.now();
    if (left <= 0) return want.done?.({ kind: 'empty', ...want.range! });
    const set = this.#waiting.get(want.key);
    if (set) set.add(want);
    else this.#waiting.set(want.key, new Set([want]));
    want.timer ??= setTimeout(() => want.done?.({ kind: 'empty', ...want.range! }), left);
    if (!this.#longRuns) void this.#runLong();
    else if (!this.#isHeld(want)) {
      const timer = setTimeout(() => {
        this.#again.delete(timer);
        if (want.done && this.#waiting.get(want.key)?.has(want) && !this.#isHeld(want)) this.#ask(want);
      }, AGAIN_MS);
      this.#again.add(timer);
    }
  }

  async #runLong(): Promise<void> {
    this.#longRuns = true;
    // the reads that end in this turn of the event loop come along
    await new Promise((resolve) => setImmediate(resolve));
    while (!this.#closed) {
      const round = new Map<string, Want[]>();
      const covers = new Map<string, WantedPartition>();
      for (const [key, set] of this.#waiting) {
        const wants = [...set];
        if (wants.length === 0) {
          this.#waiting.delete(key);
          continue;
        }
        round.set(key, wants);
        covers.set(key, wantedOf(wants.reduce((a, b) => (b.from < a.from ? b : a))));
      }
      if (covers.size === 0) break;
      this.#held = new Map([...covers].map(([key, w]) => [key, w.from]));
      try {
        const answer = await this.#long.fetch(this.#node, this.#version, this.#orderFor(covers));
        this.#held = new Map();
        if (answer.error !== 0) this.#session = undefined;
        else this.#keepSession(answer, covers);
        for (const part of answer.partitions) this.#settle(round, part, true);
      } catch (cause) {
        this.#held = new Map();
        this.#session = undefined;
        for (const wants of round.values()) for (const want of wants) want.done?.({ kind: 'moved', cause });
      }
      // who was answered comes back soon: the next long fetch can take it along
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#longRuns = false;
  }

  /** In a session only what changed is sent; what is no longer wanted is named, else the broker goes on answering it. */
  #orderFor(covers: ReadonlyMap<string, WantedPartition>): FetchOrder {
    const session = this.#session;
    const base = { waitMs: HOLD_MS, maxBytes: FETCH_BYTES };
    if (!session) return { ...base, session: 0, epoch: 0, wanted: [...covers.values()], forgotten: [] };
    const wanted = [...covers].filter(([key, w]) => session.covers.get(key)?.from !== w.from).map(([, w]) => w);
    const forgotten = [...session.covers].filter(([key]) => !covers.has(key)).map(([, w]) => w);
    return { ...base, session: session.id, epoch: session.epoch, wanted, forgotten };
  }

  #keepSession(answer: FetchAnswer, covers: Map<string, WantedPartition>): void {
    const epoch = (this.#session?.epoch ?? 0) + 1;
    this.#session = answer.session === 0 || epoch > 2_000_000_000 ? undefined : { id: answer.session, epoch, covers };
  }
}

function wantedOf(want: Want): WantedPartition {
  return { topicId: want.topicId, partition: want.partition, from: want.from, maxBytes: FETCH_BYTES };
}
