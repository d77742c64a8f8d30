import type { CursorRow } from '../port.js';

interface Slot {
  readonly offset: bigint;
  passed: boolean;
}
const DONE = (offset: bigint): Slot => ({ offset, passed: true });

/** How far one partition is looked at, and what of it the cursor may not pass yet. */
export class PartitionPlaces<S extends Slot> {
  readonly of: StreamPlaces<S>;
  /** Everything below has been looked at. */
  scanned = 0n;
  #slots: (S | Slot)[] = [];
  #head = 0;
  /** Finished offsets that the feed has not come to again since the takeover, ascending. */
  ahead: bigint[] = [];
  /** Offsets that a row of an earlier owner speaks for, and that the feed has not come to again. */
  readonly known = new Map<bigint, S>();

  constructor(of: StreamPlaces<S>) {
    this.of = of;
  }

  /** The feed has come to a matching event. `new`: nothing is known of it. After `new` and `known` the caller says `add` or `passOver`. */
  meet(offset: bigint): 'new' | 'known' | 'finished' {
    if (offset < this.scanned) return 'finished';
    this.skipTo(offset);
    this.scanned = offset + 1n;
    this.of.moves++;
    if (this.known.delete(offset)) return 'known';
    if (this.ahead[0] !== offset) return 'new';
    this.ahead.shift();
    this.of.ahead--;
    this.passOver(offset);
    return 'finished';
  }

  /** The cursor may pass this offset from the beginning. */
  passOver(offset: bigint): void {
    if (this.#slots.length === 0) return;
    this.#slots.push(DONE(offset));
    this.of.slots++;
    this.of.passed++;
  }

  add(slot: S): void {
    this.#slots.push(slot);
    this.of.slots++;
  }

  skipTo(offset: bigint): void {
    if (offset <= this.scanned) return;
    this.scanned = offset;
    this.of.moves++;
    while (this.ahead.length > 0 && this.ahead[0]! < offset) {
      this.ahead.shift();
      this.of.ahead--;
    }
    // Ascending, because rows are taken over in this order.
    for (const known of this.known.keys()) {
      if (known >= offset) break;
      this.known.delete(known);
    }
  }

  /** The lowest place that the cursor may not pass. It is never a finished one. */
  lowest(): S | undefined {
    return this.#slots[this.#head] as S | undefined;
  }

  /** From the lowest place on. */
  *slots(): IterableIterator<S | Slot> {
    for (let i = this.#head; i < this.#slots.length; i++) yield this.#slots[i]!;
  }

  /** The cursor may pass this slot. */
  pass(slot: S): void {
    slot.passed = true;
    const { of } = this;
    of.moves++;
    if (this.#slots[this.#head] !== slot) {
      of.passed++;
      return;
    }
    let at = this.#head;
    do {
      this.#slots[at++] = undefined as never;
      of.slots--;
    } while (this.#slots[at]?.passed);
    of.passed -= at - this.#head - 1;
    if (at === this.#slots.length) {
      this.#slots.length = at = 0;
    } else if (at >= 1024) {
      this.#slots = this.#slots.slice(at);
      at = 0;
    }
    this.#head = at;
  }

  /** What a row of an earlier owner spoke for is finished, before the feed came to it again. */
  finishAhead(offset: bigint): void {
    if (this.known.delete(offset)) this.#putAhead(offset);
  }

  /** It is finished; nothing is known of it but that the feed has not come to it. */
  passAhead(offset: bigint): void {
    if (offset >= this.scanned && !this.known.has(offset)) this.#putAhead(offset);
  }

  #putAhead(offset: bigint): void {
    if (this.ahead.includes(offset)) return;
    const at = this.ahead.findLastIndex((o) => o < offset) + 1;
    this.ahead.splice(at, 0, offset);
    this.of.ahead++;
    this.of.moves++;
  }

  restore(next: bigint, done: readonly bigint[]): void {
    this.skipTo(next);
    const ahead = new Set([...this.ahead, ...done].filter((o) => o >= this.scanned));
    this.of.ahead += ahead.size - this.ahead.length;
    this.ahead = [...ahead].sort((a, b) => (a < b ? -1 : 1));
    for (const offset of ahead) this.known.delete(offset);
  }

  get next(): bigint {
    return this.lowest()?.offset ?? this.scanned;
  }

  done(): bigint[] {
    const out: bigint[] = [];
    for (const slot of this.slots()) if (slot.passed) out.push(slot.offset);
    return this.ahead.length === 0 ? out : [...out, ...this.ahead];
  }
}

/** The places of one stream: what becomes its cursor row (R8.6). */
export class StreamPlaces<S extends Slot> {
  topicId = '';
  start: readonly bigint[] = [];
  readonly partitions: PartitionPlaces<S>[] = [];
  moves = 0;
  slots = 0;
  /** Slots that the cursor may pass, and that lie above one that it may not pass. */
  passed = 0;
  ahead = 0;

  partition(partition: number): PartitionPlaces<S> {
    while (this.partitions.length <= partition) this.partitions.push(new PartitionPlaces(this));
    return this.partitions[partition]!;
  }

  /** How many further matching events fit below the limit of a cursor row. */
  room(limit: number): number {
    return Math.max(limit - this.slots - this.ahead, this.slots === 0 ? 1 : 0);
  }

  row(limit: number): CursorRow {
    const done: Record<number, readonly bigint[]> = {};
    let left = limit;
    for (const [partition, places] of this.partitions.entries()) {
      const offsets = places.done().slice(0, left);
      left -= offsets.length;
      if (offsets.length > 0) done[partition] = offsets;
    }
    const { topicId, partitions } = this;
    return { topicId, next: partitions.map((p) => p.next), done, start: partitions.map((_, p) => this.start[p] ?? 0n) };
  }
}
