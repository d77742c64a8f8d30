import { Ended } from './ended.js';
import type { Exchange } from './exchange.js';

/** The exchanges that a signal ends. One listener for each signal, however many exchanges share it: adding one to a signal walks through those that it has. */
export class Signals {
  readonly #exchanges = new WeakMap<AbortSignal, Set<Exchange>>();

  add(signal: AbortSignal, exchange: Exchange): void {
    let set = this.#exchanges.get(signal);
    if (set === undefined) {
      const made = (set = new Set<Exchange>());
      this.#exchanges.set(signal, made);
      signal.addEventListener(
        'abort',
        () => {
          for (const one of made) one.end(new Ended('CANCELLED'));
        },
        { once: true },
      );
    }
    set.add(exchange);
  }

  delete(signal: AbortSignal, exchange: Exchange): void {
    this.#exchanges.get(signal)?.delete(exchange);
  }
}
