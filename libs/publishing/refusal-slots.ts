const FIRST_SLOTS = 8;
/** Slot, kind, count. */
const WIDTH = 3;

/** Counts of one unit, by slot (a minute or an hour, as a number) and kind (an id): 12 bytes each, sorted by slot. */
export class RefusalSlots {
  #cells = new Uint32Array(0);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#cells.byteLength;
  }

  /** Adds to the count of a kind in a slot. Slots come almost always in ascending order. */
  add(slot: number, kind: number, count: number): void {
    let at = this.#size;
    while (at > 0 && this.#cells[(at - 1) * WIDTH]! > slot) at--;
    for (let i = at - 1; i >= 0 && this.#cells[i * WIDTH] === slot; i--)
      if (this.#cells[i * WIDTH + 1] === kind) {
        this.#cells[i * WIDTH + 2]! += count;
        return;
      }
    if (this.#cells.length === this.#size * WIDTH) this.#resize(Math.max(FIRST_SLOTS, Math.ceil(this.#size * 1.25)));
    this.#cells.copyWithin((at + 1) * WIDTH, at * WIDTH, this.#size * WIDTH);
    this.#cells.set([slot, kind, count], at * WIDTH);
    this.#size++;
  }

  /** The entries of the slots from `from` (inclusive) to `until` (exclusive), ascending. */
  *between(from: number, until: number): IterableIterator<{ slot: number; kind: number; count: number }> {
    for (let i = this.#firstAt(from); i < this.#size && this.#cells[i * WIDTH]! < until; i++) {
      const at = i * WIDTH;
      yield { slot: this.#cells[at]!, kind: this.#cells[at + 1]!, count: this.#cells[at + 2]! };
    }
  }

  /** The greatest slot below this one that has an entry. */
  below(slot: number): number | undefined {
    const at = this.#firstAt(slot) - 1;
    return at < 0 ? undefined : this.#cells[at * WIDTH];
  }

  /** Removes the slots below this one. */
  dropBelow(slot: number): void {
    const first = this.#firstAt(slot);
    if (first === 0) return;
    this.#cells = this.#cells.slice(first * WIDTH, this.#size * WIDTH);
    this.#size -= first;
  }

  #firstAt(slot: number): number {
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#cells[middle * WIDTH]! < slot) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #resize(size: number): void {
    const cells = new Uint32Array(size * WIDTH);
    cells.set(this.#cells);
    this.#cells = cells;
  }
}
