/** Requests to one host that run at a time, over all subscriptions of the process: many offices behind one gateway must not be flooded by it. */
export const MAX_AT_HOST = 64;

/** How many requests run to each host. Who finds no slot is called once one is free, the one that has waited longest first. */
export class Hosts {
  readonly #max: number;
  readonly #running = new Map<string, number>();
  readonly #waiting = new Map<string, Set<() => void>>();
  /** Hosts of slots that were given back, while somebody is called. */
  readonly #freed: string[] = [];

  constructor(max = MAX_AT_HOST) {
    this.#max = max;
  }

  /** Takes a slot; false: none is free, and `free` is called once when one is. */
  take(host: string, free: () => void): boolean {
    const running = this.#running.get(host) ?? 0;
    if (running >= this.#max) {
      let waiting = this.#waiting.get(host);
      if (waiting === undefined) this.#waiting.set(host, (waiting = new Set()));
      waiting.add(free);
      return false;
    }
    this.#running.set(host, running + 1);
    return true;
  }

  /** Gives a slot back. */
  release(host: string): void {
    const running = this.#running.get(host)! - 1;
    if (running > 0) this.#running.set(host, running);
    else this.#running.delete(host);
    this.#freed.push(host);
    if (this.#freed.length > 1) return;
    // Who is called may give its slot back at once: a loop, because thousands may do so one after the other.
    for (let next = this.#freed[0]; next !== undefined; next = this.#freed[0]) {
      this.#call(next);
      this.#freed.shift();
    }
  }

  #call(host: string): void {
    const waiting = this.#waiting.get(host);
    if (waiting === undefined) return;
    const [first] = waiting;
    waiting.delete(first!);
    if (waiting.size === 0) this.#waiting.delete(host);
    first!();
  }

  /** Who waits no longer. */
  forget(host: string, free: () => void): void {
    const waiting = this.#waiting.get(host);
    waiting?.delete(free);
    if (waiting?.size === 0) this.#waiting.delete(host);
  }
}
