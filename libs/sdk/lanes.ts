/**
 * Work in lanes: jobs that share a lane run one after another in the order they were given; others run side by side,
 * at most `width` at once. A job may stand in several lanes; it never deadlocks, since all its places are taken in one step.
 */
export class Lanes {
  readonly #tails = new Map<string, Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  #free: number;
  #pending = 0;
  #idle: (() => void)[] = [];

  constructor(width: number) {
    this.#free = width;
  }

  get pending(): number {
    return this.#pending;
  }

  run<T>(lanes: readonly string[], job: () => Promise<T>): Promise<T> {
    const names = [...new Set(lanes)];
    const before = names.map((name) => this.#tails.get(name)).filter((p) => p !== undefined);
    this.#pending++;
    const result = this.#after(before, job);
    const tail = result.then(
      () => undefined,
      () => undefined,
    );
    for (const name of names) this.#tails.set(name, tail);
    void tail.then(() => {
      for (const name of names) if (this.#tails.get(name) === tail) this.#tails.delete(name);
      if (--this.#pending === 0) for (const wake of this.#idle.splice(0)) wake();
    });
    return result;
  }

  /** Resolves when no job is left. */
  idle(): Promise<void> {
    return this.#pending === 0 ? Promise.resolve() : new Promise((wake) => this.#idle.push(wake));
  }

  async #after<T>(before: readonly Promise<void>[], job: () => Promise<T>): Promise<T> {
    if (before.length > 0) await Promise.all(before);
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((wake) => this.#waiting.push(wake));
    try {
      return await job();
    } finally {
      const wake = this.#waiting.shift();
      if (wake) wake();
      else this.#free++;
    }
  }
}
