import { partitionKey } from '#event';
import { isFault } from '#faults';
import type { EventLog } from '#log';
import type { Progress, State, StreamPartition } from '#state';
import type { Copies } from './copies.js';
import { INDEX_VIEW } from './index-view.js';
import { StoredPlaces } from './stored-places.js';

/**
 * Up to which offset the duplicate index has judged each stream partition (R2.3). Readers read only below the settled end and leave out the copies.
 * Follows `_simpul.settled`, and polls the state store for newer ends while a caller waits.
 */
export interface Settled {
  /** The settled end known in this process; 0n when none. */
  end(stream: string, partition: number): bigint;
  /**
   * Waits until the settled end reaches `target` or maxMs have passed; answers the settled end then. `topicId`: of the topic that the caller has read: ends
   * and copies of another topic of that name are forgotten at once.
   */
  waitFor(stream: string, partition: number, target: bigint, maxMs: number, topicId?: string): Promise<bigint>;
  /** The offset of the original, when the record at `offset` is a listed copy. */
  originalOf(stream: string, partition: number, offset: bigint): bigint | undefined;
  /** false until the index has once passed the log end that each stream had at the start. */
  readonly ready: boolean;
  close(): Promise<void>;
}

export interface SettledReport {
  /** The topic of a stream is gone. Called once, until it is found again. Alarm. */
  readonly streamMissing?: (stream: string) => void;
  readonly streamFound?: (stream: string) => void;
}

export interface SettledDeps {
  readonly log: EventLog;
  readonly state: State;
  readonly copies: Copies;
  /** The streams that `ready` waits for. */
  readonly streams: readonly { readonly name: string; readonly partitions: number }[];
  /** How often the store is asked while callers wait: once for all of them, ms. @default 20 */
  readonly pollMs?: number;
  /** ms since 1970. @default Date.now */
  readonly now?: () => number;
  readonly report?: SettledReport | undefined;
  /** How often is asked whether a topic is there, and is the same, while nobody reads it, ms. @default 5,000 */
  readonly identifyMs?: number;
}

interface Waiter {
  readonly target: bigint;
  done(): void;
}

const READY_MS = 100;
const IDENTIFY_MS = 5_000;

class FollowedEnds implements Settled {
  readonly #deps: SettledDeps;
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #missing = new Map<string, bigint>();
  readonly #unlisten: () => void;
  readonly #pollMs: number;
  readonly #places: StoredPlaces;
  /** The topic of each stream, as this process knows it. */
  readonly #topics = new Map<string, string>();
  /** Streams that are missing in the log. */
  readonly #gone = new Set<string>();
  readonly #identifying: NodeJS.Timeout;
  #described = false;
  #polling: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(deps: SettledDeps) {
    this.#deps = deps;
    this.#pollMs = deps.pollMs ?? 20;
    this.#places = new StoredPlaces({ ...deps, now: deps.now ?? Date.now });
    this.#identifying = setInterval(() => {
      for (const stream of this.#topics.keys()) void this.#lookFor(stream);
    }, deps.identifyMs ?? IDENTIFY_MS).unref();
    this.#unlisten = deps.copies.onEnd((stream, partition, end) => this.#reached(partitionKey(stream, partition), end));
  }

  get ready(): boolean {
    return this.#described && this.#missing.size === 0;
  }

  end(stream: string, partition: number): bigint {
    return this.#deps.copies.end(stream, partition);
  }

  originalOf(stream: string, partition: number, offset: bigint): bigint | undefined {
    return this.#deps.copies.originalOf(stream, partition, offset);
  }

  async waitFor(stream: string, partition: number, target: bigint, maxMs: number, topicId?: string): Promise<bigint> {
    // Not the caller's id: its read may be older than what is known here.
    if (topicId !== undefined && topicId !== this.#topics.get(stream)) await this.#identify(stream);
    if (this.end(stream, partition) >= target || maxMs <= 0 || this.#closed) return this.end(stream, partition);
    const key = partitionKey(stream, partition);
    await new Promise<void>((resolve) => {
      const waiters = this.#waiters.get(key) ?? new Set<Waiter>();
      this.#waiters.set(key, waiters);
      const done = (): void => {
        clearTimeout(timer);
        waiters.delete(waiter);
        if (waiters.size === 0) this.#waiters.delete(key);
        resolve();
      };
      const waiter: Waiter = { target, done };
      const timer = setTimeout(done, maxMs);
      waiters.add(waiter);
      this.#poll(this.#pollMs);
    });
    return this.end(stream, partition);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#unlisten();
    clearTimeout(this.#polling);
    clearInterval(this.#identifying);
    for (const waiters of this.#waiters.values()) for (const w of waiters) w.done();
    return Promise.resolve();
  }

  /** Reads the log ends: `ready` turns true when the index has passed each of them. */
  async prepare(): Promise<void> {
    for (const { name } of this.#deps.streams) {
      await this.#identify(name);
      for (const { partition, low, high } of await this.#deps.log.describe(name))
        if (high > low && this.end(name, partition) < high) this.#missing.set(partitionKey(name, partition), high);
    }
    this.#described = true;
    if (!this.ready) await this.#ask();
    this.#poll(READY_MS);
  }

  async #lookFor(stream: string): Promise<void> {
    const { report } = this.#deps;
    try {
      await this.#identify(stream);
      if (this.#gone.delete(stream)) report?.streamFound?.(stream);
    } catch (e) {
      if (this.#closed || !isFault(e) || e.code !== 'unknown_topic' || this.#gone.has(stream)) return;
      this.#gone.add(stream);
      report?.streamMissing?.(stream);
    }
  }

  async #identify(stream: string): Promise<string> {
    const topicId = await this.#deps.log.topicId(stream);
    if (this.#topics.get(stream) !== topicId) {
      // Log ends of the old topic say nothing about the new one.
      for (const key of this.#missing.keys()) if (key.startsWith(`${stream}/`)) this.#missing.delete(key);
      this.#topics.set(stream, topicId);
      this.#deps.copies.identify(stream, topicId);
    }
    return topicId;
  }

  #reached(key: string, end: bigint): void {
    const high = this.#missing.get(key);
    if (high !== undefined && end >= high) this.#missing.delete(key);
    for (const w of this.#waiters.get(key) ?? []) if (end >= w.target) w.done();
  }

  #poll(afterMs: number): void {
    if (this.#closed || this.#polling !== undefined) return;
    if (this.#waiters.size === 0 && this.#missing.size === 0) return;
    this.#polling = setTimeout(() => {
      void this.#ask().finally(() => {
        this.#polling = undefined;
        this.#poll(this.#waiters.size > 0 ? this.#pollMs : READY_MS);
      });
    }, afterMs);
  }

  /** Polls the store. A newer end counts only when the log confirms it (R5.9), and after the copies below it are known here. */
  async #ask(): Promise<void> {
    const keys = [...new Set([...this.#waiters.keys(), ...this.#missing.keys()])];
    const parts = keys.map((key): StreamPartition => {
      const cut = key.lastIndexOf('/');
      return { stream: key.slice(0, cut), partition: Number(key.slice(cut + 1)) };
    });
    try {
      const stored = await this.#deps.state.positions(INDEX_VIEW, parts);
      const newer = parts.flatMap((p, i) => {
        const progress = stored[i];
        return progress !== undefined && progress.next > this.end(p.stream, p.partition) ? [{ ...p, progress }] : [];
      });
      const confirmed = await Promise.all(newer.map((p) => this.#isConfirmed(p, p.progress)));
      const counting = newer.filter((_, i) => confirmed[i]);
      if (counting.length === 0) return;
      await this.#deps.copies.refresh(counting.map(({ stream }) => stream));
      for (const { stream, partition, progress } of counting)
        this.#deps.copies.raise(stream, partition, progress.next, progress.epoch);
    } catch {
      // Without the store or the log, ends come from the topic alone, a second later or more.
    }
  }

  /** A position below which the index has begun anew is right: it was folded from the log that is there. */
  async #isConfirmed(
    { stream, partition }: StreamPartition,
    { reset: _reset, ...progress }: Progress,
  ): Promise<boolean> {
    const topicId = await this.#identify(stream);
    const { next } = progress;
    return (
      (await this.#places.standingOf(INDEX_VIEW, progress, { partition, low: 0n, high: next, topicId })) === 'confirmed'
    );
  }
}

/** Follows settled ends. `copies` must be open. Faults of the log while the log ends are read. */
export async function openSettled(deps: SettledDeps): Promise<Settled> {
  const settled = new FollowedEnds(deps);
  await settled.prepare();
  return settled;
}
