import { formatPosition } from '#event';
import type { ItemResult } from '../lanes/types.js';
import type { Place } from '../port.js';

type Result = ItemResult | 'stopped';

/** Who waits for what came of a redrive, by position. */
export class Redriven {
  readonly #waiting = new Map<string, (result: Result) => void>();

  wait(position: string): Promise<Result> {
    return new Promise((resolve) => this.#waiting.set(position, resolve));
  }

  /** What came of an attempt of the event at this place. */
  answer({ stream, partition, offset }: Place, result: ItemResult | undefined): void {
    if (this.#waiting.size > 0 && result !== undefined) this.end(formatPosition(stream, partition, offset), result);
  }

  end(position: string, result: Result): void {
    this.#waiting.get(position)?.(result);
    this.#waiting.delete(position);
  }

  stop(): void {
    for (const answer of this.#waiting.values()) answer('stopped');
    this.#waiting.clear();
  }
}
