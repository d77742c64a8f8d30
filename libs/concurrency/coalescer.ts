export interface CoalescerOptions<T, R> {
  /**
   * Runs one batch; never called while another batch runs. Answers one result for each input, in order.
   * A rejection rejects every caller of the batch.
   */
  readonly run: (batch: readonly T[]) => Promise<readonly R[]>;
  /** What an input counts against `max`. @default 1 each */
  readonly sizeOf?: (input: T) => number;
  /** Greatest total size of a batch; a single input may exceed it. @default no limit */
  readonly max?: number;
  /**
   * Event-loop turns that a batch waits before it starts, so that requests read in the same turns share it.
   * A turn is short while little happens and longer under load, so batches grow with the load and no clock is involved. @default 1
   */
  readonly turns?: number;
}

interface Waiting<T, R> {
  readonly input: T;
  readonly resolve: (result: R) => void;
  readonly reject: (cause: unknown) => void;
}

/**
 * Self-clocked batching: at most one batch is in flight; inputs that arrive meanwhile are collected and go together in the next one, in order.
 * There is no fixed linger: an input that arrives while nothing is in flight leaves after `turns` event-loop turns.
 */
export class Coalescer<T, R> {
  readonly #options: CoalescerOptions<T, R>;
  readonly #waiting: Waiting<T, R>[] = [];
  #running: Promise<void> | undefined;

  constructor(options: CoalescerOptions<T, R>) {
    this.#options = options;
  }

  /** The result of this input once its batch has run. */
  add(input: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ input, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing waits and nothing is in flight. Never rejects. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    const turns = this.#options.turns ?? 1;
    do {
      for (let n = 0; n < turns; n++) await new Promise(setImmediate);
      const batch = this.#cut();
      try {
        const results = await this.#options.run(batch.map((w) => w.input));
        for (const [i, w] of batch.entries()) w.resolve(results[i]!);
      } catch (cause) {
        for (const w of batch) w.reject(cause);
      }
    } while (this.#waiting.length > 0);
    this.#running = undefined;
  }

  #cut(): Waiting<T, R>[] {
    const { sizeOf, max = Number.POSITIVE_INFINITY } = this.#options;
    let size = 0;
    let n = 0;
    for (; n < this.#waiting.length; n++) {
      size += sizeOf?.(this.#waiting[n]!.input) ?? 1;
      if (n > 0 && size > max) break;
    }
    return this.#waiting.splice(0, n);
  }
}
