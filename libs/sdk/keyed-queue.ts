/**
 * Runs jobs with ordering keys. Jobs that share a key run one after another, in the order of run(); other jobs run concurrently, at most
 * `concurrency` at once. A job may have several keys; it cannot deadlock, because it takes its place for all of them in one step.
 */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  #free: number;
  #pending = 0;
  #idle: (() => void)[] = [];

  constructor(concurrency: number) {
    this.#free = concurrency;
  }

  /** Number of jobs that wait or run. */
  get pending(): number {
    return this.#pending;
  }

  /** The result of the job. A job that fails does not stop the later jobs of its keys. */
  run<T>(keys: readonly string[], job: () => Promise<T>): Promise<T> {
    const distinct = [...new Set(keys)];
    const earlier = distinct.map((key) => this.#tails.get(key)).filter((tail) => tail !== undefined);
    this.#pending++;
    const result = this.#after(earlier, job);
    const tail = result.then(
      () => undefined,
      () => undefined,
    );
    for (const key of distinct) this.#tails.set(key, tail);
    void tail.then(() => {
      for (const key of distinct) if (this.#tails.get(key) === tail) this.#tails.delete(key);
      if (--this.#pending === 0) for (const wake of this.#idle.splice(0)) wake();
    });
    return result;
  }

  /** Resolves when no job waits or runs. */
  idle(): Promise<void> {
    return this.#pending === 0 ? Promise.resolve() : new Promise((wake) => this.#idle.push(wake));
  }

  async #after<T>(earlier: readonly Promise<void>[], job: () => Promise<T>): Promise<T> {
    if (earlier.length > 0) await Promise.all(earlier);
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
