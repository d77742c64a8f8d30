import { Coalescer } from '#concurrency';
import { StoredPlaces, type LogEnd, type Standing } from '#duplicates';
import { partitionKey } from '#event';
import { isFault } from '#faults';
import type { EventLog } from '#log';
import type { Progress, State } from '#state';
import { FoldAges } from './fold-ages.js';
import { FILLING } from './snapshot-fill.js';

/** The log end of a partition, and when it was asked for. */
interface KnownEnd extends LogEnd {
  readonly atMs: number;
}
type KnownEnds = readonly KnownEnd[];

/** What a read of a view partition may answer (R7). */
export interface Freshness {
  /** The view has folded every event that the log held when its end was read. */
  readonly reached: boolean;
  /** Behind for over 5 s, behind an earlier read of this process (the store was set back), being rebuilt, never folded, or the log end is unknown. */
  readonly stale: boolean;
  /** Some event was folded, or the log is empty. */
  readonly filled: boolean;
  /** false: folded from a log that is not there, or emptied and not folded again yet (R5.9). Nothing may be answered from it. */
  readonly trusted: boolean;
}

export interface EndsDeps {
  readonly log: Pick<EventLog, 'describe' | 'read' | 'topicId'>;
  readonly state: Pick<State, 'connection'>;
  readonly now: () => number;
}

interface Seen {
  readonly next: bigint;
  readonly order: number;
  readonly topicId: string;
  readonly resetAtMs: number;
}

const MEMO_MS = 250;
/** A view partition that is longer behind is stale (R7.3). */
export const LATE_MS = 5_000;

/** Log ends, cached for a quarter of a second, and the freshness of view partitions against them. */
export class Ends {
  /** How long a fold is behind. */
  readonly ages: FoldAges;
  readonly #deps: EndsDeps;
  readonly #places: StoredPlaces;
  readonly #memo = new Map<string, { at: number; ends: Promise<KnownEnds> }>();
  readonly #reads = new Map<string, Coalescer<undefined, KnownEnds>>();
  /** By storage, stream and partition: when the log end was asked for that the view had reached. */
  readonly #reachedAt = new Map<string, number>();
  /** By storage, stream and partition: the furthest progress that this process has read, with the order number of begin(). */
  readonly #seen = new Map<string, Seen>();
  #order = 0;

  constructor(deps: EndsDeps) {
    this.#deps = deps;
    this.ages = new FoldAges(deps.log, deps.now);
    this.#places = new StoredPlaces(deps);
  }

  /** Log ends at most a quarter of a second old. undefined: the log is unavailable. Fault `unknown_topic`: the stream is missing in the log. */
  async recent(stream: string): Promise<KnownEnds | undefined> {
    const known = this.#memo.get(stream);
    if (known && this.#deps.now() - known.at < MEMO_MS) return known.ends.catch(unlessMissing);
    return this.fresh(stream);
  }

  /** Log ends that are read after this call; concurrent callers share one read. undefined, and fault, as recent(). */
  async fresh(stream: string): Promise<KnownEnds | undefined> {
    let reads = this.#reads.get(stream);
    if (!reads)
      this.#reads.set(stream, (reads = new Coalescer({ run: (callers) => this.#read(stream, callers.length) })));
    return reads.add(undefined).catch(unlessMissing);
  }

  /** Call it before a read of the store: only progress that was seen before counts as "set back", not what concurrent reads see. */
  begin(): number {
    return ++this.#order;
  }

  async judge(
    storage: string,
    end: KnownEnd | undefined,
    stream: string,
    progress: Progress | undefined,
    began: number,
  ): Promise<Freshness> {
    if (!end) return { reached: false, stale: true, filled: progress !== undefined, trusted: !isFilling(progress) };
    // What retention has deleted counts as not folded: a store without a position knows nothing of it.
    const next = progress?.next ?? 0n;
    const key = `${storage}/${partitionKey(stream, end.partition)}`;
    const filled = progress !== undefined || end.high === 0n;
    const standing = await this.#standingOf(storage, progress, end);
    if (standing === 'refolding' || standing === 'other_log')
      return { reached: false, stale: true, filled, trusted: false };
    const setBack = this.#isSetBack(key, next, progress, end, began);
    if (next >= end.high) {
      this.#reachedAt.set(key, end.atMs);
      return { reached: !setBack, stale: setBack, filled, trusted: true };
    }
    const stale = !filled || setBack || standing === 'unknown' || (await this.#isLate(key, stream, progress, end));
    return { reached: false, stale, filled, trusted: true };
  }

  /** The first record that is not folded was accepted after the view had reached the log end, and after the last one that is folded: mostly no read is needed. */
  async #isLate(key: string, stream: string, progress: Progress | undefined, end: KnownEnd): Promise<boolean> {
    const after = Math.max(this.#reachedAt.get(key) ?? 0, progress?.appendTimeMs ?? 0);
    if (this.#deps.now() - after <= LATE_MS) return false;
    const { partition, high, low, topicId } = end;
    const behindMs = await this.ages.behindMs({ stream, partition }, progress?.next ?? low, high, topicId);
    return behindMs === undefined || behindMs > LATE_MS;
  }

  async #standingOf(storage: string, progress: Progress | undefined, end: KnownEnd): Promise<Standing> {
    if (progress === undefined) return 'confirmed';
    if (isFilling(progress)) return 'refolding';
    return this.#places.standingOf(storage, progress, end);
  }

  #isSetBack(key: string, next: bigint, progress: Progress | undefined, end: KnownEnd, began: number): boolean {
    const { topicId } = end;
    const before = this.#seen.get(key);
    const resetAtMs = progress?.reset?.atMs ?? 0;
    // Another topic, or folded again from a log that is not the same: what was read before means nothing.
    const anew = before !== undefined && (before.topicId !== topicId || before.resetAtMs < resetAtMs);
    if (before === undefined || next > before.next || anew)
      this.#seen.set(key, { next, order: ++this.#order, topicId, resetAtMs });
    return before !== undefined && !anew && next < before.next && before.order < began;
  }

  async #read(stream: string, callers: number): Promise<readonly KnownEnds[]> {
    const { log, now } = this.#deps;
    const at = now();
    const ends = log.describe(stream).then(async (ranges) => {
      // After the ends: on Kafka they are asked of the topic as it is now.
      const topicId = await log.topicId(stream);
      return ranges.map((range) => ({ ...range, topicId, atMs: at }));
    });
    this.#memo.set(stream, { at, ends });
    try {
      return new Array<KnownEnds>(callers).fill(await ends);
    } catch (e) {
      this.#memo.delete(stream);
      throw e;
    }
  }
}

/** A log that does not answer comes back by itself; a stream that is missing does not, and nothing that was folded from it may be believed. */
function unlessMissing(e: unknown): undefined {
  if (isFault(e) && e.code === 'unknown_topic') throw e;
  return undefined;
}

const isFilling = (progress: Progress | undefined): boolean => progress?.proof === FILLING;
