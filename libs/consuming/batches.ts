import type { Entry } from './feed.js';

/** The unfinished events of a feed for one batch handler, in the order of the feed. */
export class BatchQueue {
  #head: Entry | undefined;
  #tail: Entry | undefined;
  /** A batch is in work, or waits for its next attempt. */
  busy = false;
  pumping = false;

  push(entry: Entry): void {
    if (this.#tail) this.#tail.afterInBatch = entry;
    else this.#head = entry;
    this.#tail = entry;
  }

  /** The next batch: the first events of the queue, as far as the earlier events of their subjects are finished or in this batch too. */
  cut(size: number): Entry[] {
    const batch: Entry[] = [];
    const taken = new Set<Entry>();
    let entry = this.#head;
    while (entry !== undefined && batch.length < size && (entry.before === undefined || taken.has(entry.before))) {
      batch.push(entry);
      taken.add(entry);
      entry = entry.afterInBatch;
    }
    this.#head = entry;
    if (entry === undefined) this.#tail = undefined;
    return batch;
  }
}
