import type { Exchange } from './exchange.js';

/** The exchanges that have not ended. All have the same time, so the first that came in is the first to be over: one timer is enough. */
export class Deadlines {
  readonly #ms: number;
  readonly #exchanges = new Set<Exchange>();
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  get size(): number {
    return this.#exchanges.size;
  }

  add(exchange: Exchange): void {
    exchange.until = performance.now() + this.#ms;
    this.#exchanges.add(exchange);
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#look(), this.#ms).unref();
  }

  /** The timer may stand: it finds the next one, or none. */
  delete(exchange: Exchange): void {
    this.#exchanges.delete(exchange);
  }

  /** Ends all of them. */
  end(error: Error): void {
    for (const exchange of this.#exchanges) exchange.end(error);
  }

  #look(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const exchange of this.#exchanges) {
      if (exchange.until > now) {
        this.#timer = setTimeout(() => this.#look(), Math.ceil(exchange.until - now)).unref();
        return;
      }
      exchange.expire();
    }
  }
}
