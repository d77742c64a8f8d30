import type { StreamTail, TailListener } from './tail.js';
import type { TailEntry } from './ring.js';

/** What follows a stream beside its readers. */
export interface FollowListener {
  /** There are entries to look at, or Follow.passed has moved. Called soon after, once for many. */
  arrived(): void;
  /** The log does not answer for now; it is asked again. */
  interrupted(fault: unknown): void;
  /**
   * No entries come any more. With a fault: why. Without: a record that cannot be read lies behind the last entry, which pages tell (R15.7); the stream can be
   * followed again behind it.
   */
  ended(fault?: unknown): void;
}

/** An event at the end of a stream. */
export type FollowedEntry = Pick<TailEntry, 'event' | 'partition' | 'offset' | 'appendTimeMs' | 'next'>;

/**
 * The end of a stream for one that looks at every event by itself, in the hub's own name: settled events, copies too. It shares the tail of the live readers of
 * this process. Entries have sequence numbers; those from `at` on are kept until it says that it has looked at them, and while they are many the log is not read on.
 */
export class Follow implements TailListener {
  /** Sequence of the entry that comes next. Move it with looked(). */
  at: number;
  readonly #tail: StreamTail;
  readonly #partitions: readonly number[];
  readonly #listener: FollowListener;

  constructor(tail: StreamTail, partitions: readonly number[], at: number, listener: FollowListener) {
    this.#tail = tail;
    this.#partitions = partitions;
    this.at = at;
    this.#listener = listener;
    tail.listen(this);
  }

  /** Sequence of the oldest entry that is kept. */
  get first(): number {
    return this.#tail.ring.first;
  }

  /** Sequence behind the newest entry. */
  get end(): number {
    return this.#tail.ring.end;
  }

  /** Next offset by partition number: every event below is an entry before `end`. 0n for a partition that the tail does not follow. */
  get passed(): readonly bigint[] {
    return this.#tail.passed;
  }

  /** From `first` to `end`, exclusive. */
  entry(sequence: number): FollowedEntry {
    return this.#tail.ring.at(sequence);
  }

  /** Sequence from which on there is something new for one that has had everything below these offsets; undefined: that is not kept any more. */
  find(next: readonly bigint[]): number | undefined {
    return this.#tail.ring.find(this.#partitions, next);
  }

  /** Entries before this sequence need not be kept for it. */
  looked(at: number): void {
    this.at = at;
    this.#tail.looked();
  }

  arrived(): void {
    this.#listener.arrived();
  }

  interrupted(fault: unknown): void {
    this.#listener.interrupted(fault);
  }

  ended(fault?: unknown): void {
    this.#listener.ended(fault);
  }

  leave(): void {
    this.#tail.unlisten(this);
  }
}
