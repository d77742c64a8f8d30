import type { Group } from './group.js';

export interface Listener {
  /** Waits until the high offset of the partition is above this. */
  readonly from: bigint;
  readonly wake: () => void;
}

/** What all openings of one file in this process share: the reads that wait for records (long poll), and the groups. `part` is the partition's row in the file. */
export class Listeners {
  readonly groups = new Map<string, Group>();
  readonly #listeners = new Map<number, Set<Listener>>();
  #openings = 0;

  static readonly #all = new Map<string, Listeners>();

  static of(file: string): Listeners {
    let listeners = this.#all.get(file);
    if (!listeners) this.#all.set(file, (listeners = new Listeners()));
    listeners.#openings++;
    return listeners;
  }

  release(file: string): void {
    if (--this.#openings === 0) Listeners.#all.delete(file);
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

  /** The partitions with a waiting read, each with the lowest offset that is waited for. */
  *waitedFor(): Generator<readonly [part: number, from: bigint]> {
    for (const [part, set] of this.#listeners) {
      let lowest: bigint | undefined;
      for (const { from } of set) if (lowest === undefined || from < lowest) lowest = from;
      if (lowest !== undefined) yield [part, lowest];
    }
  }

  get empty(): boolean {
    return this.#listeners.size === 0;
  }
}
