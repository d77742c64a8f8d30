const MINUTE_MS = 60_000;
const MOST = 1_000;

/** Whether a cause is worth telling now: the first time, and again after a minute. What fails over and over must not fill the log, nor be silent. */
export class OnceAMinute {
  readonly #told = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  first(cause: string): boolean {
    const now = this.#now();
    const last = this.#told.get(cause);
    if (last !== undefined && now - last < MINUTE_MS) return false;
    if (this.#told.size >= MOST) this.#told.clear();
    this.#told.set(cause, now);
    return true;
  }
}
