/** The longest delay of a timer. */
const FOREVER_MS = 0x7fff_ffff;

/** Calls `wake` once at the earliest of the times that it was asked for; after that it must be asked again. */
export class Waker {
  readonly #now: () => number;
  readonly #wake: () => void;
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;
  #isSoon = false;
  #isStopped = false;

  constructor(now: () => number, wake: () => void) {
    this.#now = now;
    this.#wake = wake;
  }

  /** In this turn of the event loop, after what runs now: once for all who ask meanwhile. */
  soon(): void {
    if (this.#isSoon || this.#isStopped) return;
    this.#isSoon = true;
    setImmediate(() => {
      this.#isSoon = false;
      if (!this.#isStopped) this.#wake();
    });
  }

  /** At this time, as `now` tells it. */
  at(time: number): void {
    if (this.#isStopped || (this.#timer !== undefined && this.#due <= time)) return;
    clearTimeout(this.#timer);
    this.#due = time;
    const delay = Math.min(FOREVER_MS, Math.max(1, time - this.#now()));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#wake();
    }, delay).unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
