const MINUTE_MS = 60_000;
const MAX_CAUSES = 1_000;

/** Throttles log lines by cause: an error that occurs over and over neither fills the log nor stays silent. */
export class OnceAMinute {
  readonly #lastMs = new Map<string, number>();
  readonly #now: () => number;

  /** `now`: milliseconds of any clock that only goes forward. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** True when the line of this cause may be written: at its first occurrence, and a minute after the last line that was written. */
  first(cause: string): boolean {
    const now = this.#now();
    const last = this.#lastMs.get(cause);
    if (last !== undefined && now - last < MINUTE_MS) return false;
    if (this.#lastMs.size >= MAX_CAUSES) this.#lastMs.clear();
    this.#lastMs.set(cause, now);
    return true;
  }
}
