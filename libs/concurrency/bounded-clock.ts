/** A jump of this size is followed at once. */
const STEP_MS = 3_600_000;
/** Beyond it the clock gains at most this many ms for each ms that has passed: nine days take three and a half hours. */
const GAIN = 60;
/** While the wall clock is behind, this clock runs at half the speed. */
const SLOW = 0.5;
/** A difference that is told. */
const TOLD_MS = 60_000;

export interface BoundedClockOptions {
  /** Milliseconds since 1970. @default Date.now */
  readonly wall?: () => number;
  /** A clock that nobody sets, ms. @default performance.now */
  readonly steady?: () => number;
  /** Where the clock begins when the wall clock is ahead of it: the time of the newest thing whose age it tells. 0: nothing yet. @default the wall clock */
  readonly start?: number;
  /** Called when the wall clock differs by more than a minute (by how much, ms; positive: it is ahead), and with 0 when it does not any more. */
  readonly differs?: (byMs: number) => void;
}

/**
 * The time of the wall clock, in bounded steps, and never backwards: what goes by age (the duplicate index, deletes, retention) must not be emptied by a
 * clock that was wrong for a minute. After a jump the clock approaches the wall clock until they agree; a new process believes the wall clock at once, unless `start`
 * says from when the newest thing is.
 */
export class BoundedClock {
  readonly #wall: () => number;
  readonly #steady: () => number;
  readonly #differs: ((byMs: number) => void) | undefined;
  #last: number;
  #at: number;
  #allowed = STEP_MS;
  /** What the wall clock said last, while both agreed. */
  #agreed: number | undefined;
  #told = false;

  constructor({ wall = Date.now, steady = () => performance.now(), start = 0, differs }: BoundedClockOptions = {}) {
    this.#wall = wall;
    this.#steady = steady;
    this.#differs = differs;
    const began = wall();
    this.#last = start > 0 ? Math.min(start, began) : began;
    this.#at = steady();
  }

  /** Milliseconds since 1970. */
  now(): number {
    const wall = this.#wall();
    // Most calls come several times in a millisecond.
    if (wall === this.#agreed) return wall;
    const at = this.#steady();
    const elapsed = Math.max(0, at - this.#at);
    this.#at = at;
    this.#allowed = Math.min(STEP_MS, this.#allowed + elapsed * GAIN);
    const expected = this.#last + elapsed;
    const ahead = wall - expected;
    const step = ahead >= 0 ? Math.min(ahead, this.#allowed) : Math.max(ahead, -elapsed * SLOW);
    if (step > 0) this.#allowed -= step;
    this.#last = expected + step;
    this.#tell(wall - this.#last);
    const now = Math.round(this.#last);
    this.#agreed = now === wall ? wall : undefined;
    return now;
  }

  #tell(byMs: number): void {
    const differs = Math.abs(byMs) > TOLD_MS;
    if (differs === this.#told) return;
    this.#told = differs;
    this.#differs?.(differs ? byMs : 0);
  }
}
