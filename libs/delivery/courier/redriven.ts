import { formatPosition } from '#event';
import type { ItemResult } from '../lanes/types.js';
import type { Place } from '../port.js';

type Result = ItemResult | 'stopped';

/** Who waits for what came of a redrive, by position. Jobs that take the same event share one try. */
export class Redriven {
  readonly #waiting = new Map<string, ((result: Result) => void)[]>();
  #isStopped = false;

  /** `stopped`: the run has ended, or ends before there is a try. */
  wait(position: string): Promise<Result> {
    if (this.#isStopped) return Promise.resolve('stopped');
    return new Promise((resolve) => {
      const others = this.#waiting.get(position);
      if (others === undefined) this.#waiting.set(position, [resolve]);
      else others.push(resolve);
    });
  }

  /** What came of an attempt of the event at this place. true: somebody has waited for it. */
  answer({ stream, partition, offset }: Place, result: ItemResult | undefined): boolean {
    if (this.#waiting.size === 0 || result === undefined) return false;
    return this.end(formatPosition(stream, partition, offset), result);
  }

  end(position: string, result: Result): boolean {
    const waiting = this.#waiting.get(position) ?? [];
    this.#waiting.delete(position);
    for (const answer of waiting) answer(result);
    return waiting.length > 0;
  }

  stop(): void {
    this.#isStopped = true;
    for (const position of [...this.#waiting.keys()]) this.end(position, 'stopped');
  }
}
