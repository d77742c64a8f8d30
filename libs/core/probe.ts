import { withDeadline } from '#concurrency';

/** How long a health answer waits for a probe: an orchestrator gives up after a second by default. */
const WAIT_MS = 500;
/** A port that has not answered one question for so long is failing; a process that stood still for a moment is not. */
const PATIENCE_MS = 1_500;

/**
 * One question at a time to something that may be slow. `now()` answers within 500 ms: what the question that runs now answers; else the answer before it, until the
 * question has waited 1.5 s; then, and before the first answer, `late`. Never rejects as long as `ask` does not.
 */
export class Probe<T> {
  readonly #ask: () => Promise<T>;
  readonly #late: T;
  #running: { readonly sinceMs: number; readonly answer: Promise<T> } | undefined;
  #last: T;

  constructor(ask: () => Promise<T>, late: T) {
    this.#ask = ask;
    this.#late = late;
    this.#last = late;
  }

  now(): Promise<T> {
    const { sinceMs, answer } = (this.#running ??= this.#start());
    return withDeadline(answer, WAIT_MS, () => (performance.now() - sinceMs < PATIENCE_MS ? this.#last : this.#late));
  }

  #start(): { readonly sinceMs: number; readonly answer: Promise<T> } {
    const answer = this.#ask().then((value) => {
      this.#running = undefined;
      this.#last = value;
      return value;
    });
    return { sinceMs: performance.now(), answer };
  }
}
