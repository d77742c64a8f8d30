import type { Group } from './group.js';

export interface Listener {
  /** The offset it waits for: the high offset must come above it. */
  readonly from: bigint;
  readonly wake: () => void;
}

/** What all openings of one file in this process share: who waits for records, and the groups. */
export class Hub {
  readonly groups = new Map<string, Group>();
  readonly #listeners = new Map<number, Set<Listener>>();
  #openings = 0;

  static readonly #all = new Map<string, Hub>();

  static of(file: string): Hub {
    let hub = this.#all.get(file);
    if (!hub) this.#all.set(file, (hub = new Hub()));
    hub.#openings++;
    return hub;
  }

  release(file: string): void {
    if (--this.#openings === 0) Hub.#all.delete(file);
  }

  /** Returns how to stop listening. */
  listen(part: number, listener: Listener): () => void {
    let set = this.#listeners.get(part);
    if (!set) this.#listeners.set(part, (set = new Set()));
    set.add(listener);
    return () => {
      set.delete(listener);
      if (set.size === 0 && this.#listeners.get(part) === set) this.#listeners.delete(part);
    };
  }

  /** Records of this partition have become durable. */
  wake(part: number): void {
    const set = this.#listeners.get(part);
    if (set) for (const listener of set) listener.wake();
  }

  /** The partitions somebody waits for, each with the lowest offset waited for. */
  *waitedFor(): Generator<readonly [part: number, from: bigint]> {
    for (const [part, set] of this.#listeners) {
      let lowest: bigint | undefined;
      for (const { from } of set) if (lowest === undefined || from < lowest) lowest = from;
      if (lowest !== undefined) yield [part, lowest];
    }
  }

  get anyoneWaits(): boolean {
    return this.#listeners.size > 0;
  }
}
