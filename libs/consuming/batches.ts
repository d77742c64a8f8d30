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

  /** The next batch: the first events of the queue, as far as the earlier events of their lanes are finished or in this batch too. What a source keeps account of is not mixed. */
  cut(size: number): Entry[] {
    const batch: Entry[] = [];
    const taken = new Set<Entry>();
    let entry = this.#head;
    while (entry !== undefined && batch.length < size) {
      if (!entry.gone) {
        if (entry.before !== undefined && !taken.has(entry.before)) break;
        if (batch.length > 0 && batch[0]!.held.batch.account !== entry.held.batch.account) break;
        batch.push(entry);
        taken.add(entry);
      }
      entry = entry.afterInBatch;
    }
    this.#head = entry;
    if (entry === undefined) this.#tail = undefined;
    return batch;
  }
}
