/** Most requests that are remembered. */
const MOST = 50_000;

/**
 * Requests that were taken, as long as their timestamps are: somebody who sends one of them again gets the same answer, and no handler sees it. The hub signs every try anew, so this
 * is never about a try of the hub. Of this process only; an inbox knows the events of all processes.
 */
export class Answered {
  readonly #until = new Map<string, number>();

  has(request: string, nowMs: number): boolean {
    return (this.#until.get(request) ?? 0) > nowMs;
  }

  add(request: string, untilMs: number, nowMs: number): void {
    // In the order of their ends, nearly: timestamps of requests differ by the time of their way.
    for (const [old, until] of this.#until) {
      if (until > nowMs && this.#until.size < MOST) break;
      this.#until.delete(old);
    }
    this.#until.set(request, untilMs);
  }
}
