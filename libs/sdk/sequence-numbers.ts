/** Sequence numbers 1, 2, 3 … per stream (extension `urutanunit`). The number of a refused event is used again, so that a reader sees no gap. */
export class SequenceNumbers {
  readonly #next = new Map<string, number>();
  readonly #free = new Map<string, number[]>();

  /** `start`: the last number used per stream, from an earlier run of the system. */
  constructor(start: Readonly<Record<string, number>> = {}) {
    for (const [stream, last] of Object.entries(start)) this.#next.set(stream, last);
  }

  /** The smallest number that is free. */
  take(stream: string): number {
    const free = this.#free.get(stream);
    if (free !== undefined && free.length > 0) return free.shift()!;
    const n = (this.#next.get(stream) ?? 0) + 1;
    this.#next.set(stream, n);
    return n;
  }

  /** Makes the number of a refused event free again. */
  release(stream: string, n: number): void {
    const free = this.#free.get(stream) ?? [];
    free.push(n);
    free.sort((a, b) => a - b);
    this.#free.set(stream, free);
  }

  /** The last number in use per stream: the `start` of the next run. */
  lastUsed(): Record<string, number> {
    const out: Record<string, number> = {};
    for (const [stream, last] of this.#next) {
      const free = new Set(this.#free.get(stream));
      let n = last;
      while (free.has(n)) n--;
      out[stream] = n;
    }
    return out;
  }
}
