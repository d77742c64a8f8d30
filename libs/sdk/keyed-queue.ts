import { deferred } from '#concurrency';

/** What a running job may give back before it ends. */
export interface Turn {
  /** These keys are done: later jobs with them need not wait for the rest of this one. */
  release(keys: Iterable<string>): void;
  /** Gives its place among the concurrent jobs to another one until the work has ended, then waits for a place again. */
  rest(work: Promise<unknown>): Promise<void>;
}

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
  run<T>(keys: readonly string[], job: (turn: Turn) => Promise<T>): Promise<T> {
    const distinct = new Set(keys);
    const earlier = [...distinct].map((key) => this.#tails.get(key)).filter((tail) => tail !== undefined);
    const ends = new Map<string, () => void>();
    for (const key of distinct) {
      const { promise, resolve } = deferred<void>();
      this.#tails.set(key, promise);
      ends.set(key, () => {
        if (this.#tails.get(key) === promise) this.#tails.delete(key);
        resolve();
      });
    }
    const release = (done: Iterable<string>): void => {
      for (const key of done) ends.get(key)?.();
    };
    this.#pending++;
    const result = this.#after(earlier, () => job({ release, rest: (work) => this.#rest(work) }));
    const end = (): void => {
      release(distinct);
      if (--this.#pending === 0) for (const wake of this.#idle.splice(0)) wake();
    };
    void result.then(end, end);
    return result;
  }

  /** Resolves when no job waits or runs. */
  idle(): Promise<void> {
    return this.#pending === 0 ? Promise.resolve() : new Promise((wake) => this.#idle.push(wake));
  }

  async #after<T>(earlier: readonly Promise<void>[], job: () => Promise<T>): Promise<T> {
    if (earlier.length > 0) await Promise.all(earlier);
    await this.#takePlace();
    try {
      return await job();
    } finally {
      this.#givePlace();
    }
  }

  async #rest(work: Promise<unknown>): Promise<void> {
    this.#givePlace();
    await work.catch(() => undefined);
    await this.#takePlace();
  }

  async #takePlace(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((wake) => this.#waiting.push(wake));
  }

  #givePlace(): void {
    const wake = this.#waiting.shift();
    if (wake) wake();
    else this.#free++;
  }
}
