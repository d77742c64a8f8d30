import type { LoggedEvent, ReadEvent } from './read-event.js';

/** One event of a tail, in the order in which every reader of the tail gets it. */
export interface TailEntry {
  readonly sequence: number;
  readonly event: LoggedEvent;
  readonly partition: number;
  readonly offset: bigint;
  readonly appendTimeMs: number;
  /** Next offset by partition number, behind this entry. 0n for a partition that the tail did not follow yet. */
  readonly next: readonly bigint[];
  /** What the entry counts against the bound of the ring, with what was rendered from it. */
  size: number;
  /** Made when first needed, for all readers: the JSON text, the data part and the id part of a message of a live stream. */
  readonly texts: Partial<Record<ReadEvent['level'], string>>;
  readonly data: Partial<Record<ReadEvent['level'], Buffer>>;
  id: Buffer | undefined;
}

/** Size of an entry beside its record: objects, offsets, the decoded data. */
const ENTRY_BYTES = 1_024;
const DECODED_FACTOR = 3;

/** The newest events of a tail, numbered from 0 by sequence. Adding beyond the bound evicts the oldest. */
export class Ring {
  #entries: TailEntry[] = [];
  /** Index of the oldest entry in #entries: evicted entries are cut off a few at a time. */
  #head = 0;
  /** Sequence of the first element of #entries. */
  #base = 0;
  #bytes = 0;
  /** Next offset by partition number before the oldest entry; undefined for a partition that is not followed. */
  readonly #floor: (bigint | undefined)[];
  /** The same behind the newest entry. */
  #next: readonly bigint[];

  constructor(partitions: number) {
    this.#floor = Array.from({ length: partitions }, () => undefined);
    this.#next = Array.from({ length: partitions }, () => 0n);
  }

  /** Sequence of the oldest entry. */
  get first(): number {
    return this.#base + this.#head;
  }

  /** Sequence of the entry that comes next. */
  get end(): number {
    return this.#base + this.#entries.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Next offset of each partition behind the newest entry. */
  get next(): readonly bigint[] {
    return this.#next;
  }

  at(sequence: number): TailEntry {
    return this.#entries[sequence - this.#base]!;
  }

  /** The tail follows this partition from this offset on. */
  follow(partition: number, from: bigint): void {
    this.#floor[partition] = from;
    this.#next = this.#next.with(partition, from);
  }

  follows(partition: number): boolean {
    return this.#floor[partition] !== undefined;
  }

  add(event: LoggedEvent, partition: number): void {
    const { offset, appendTimeMs, value } = event.record;
    this.#next = this.#next.with(partition, offset + 1n);
    const size = ENTRY_BYTES + 16 * this.#next.length + DECODED_FACTOR * value!.length;
    const next = this.#next;
    this.#entries.push({
      sequence: this.end,
      event,
      partition,
      offset,
      appendTimeMs,
      next,
      size,
      texts: {},
      data: {},
      id: undefined,
    });
    this.#bytes += size;
  }

  /** Counts bytes that were rendered from an entry. */
  grow(entry: TailEntry, bytes: number): void {
    entry.size += bytes;
    this.#bytes += bytes;
  }

  /** Evicts the oldest entries until the ring holds at most `max` bytes; the newest entry stays, and those from sequence `keep` on. */
  trim(max: number, keep = Number.POSITIVE_INFINITY): void {
    while (this.#bytes > max && this.end - this.first > 1 && this.first < keep) {
      const entry = this.#entries[this.#head++]!;
      this.#bytes -= entry.size;
      for (const [p, from] of this.#floor.entries())
        if (from !== undefined && entry.next[p]! > from) this.#floor[p] = entry.next[p]!;
    }
    if (this.#head > 64 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#base += this.#head;
      this.#head = 0;
    }
  }

  /**
   * The sequence at which a reader of these partitions goes on whose next offsets are `next`: no entry before it is new to the reader. undefined: the
   * ring does not reach back so far, or a partition is not followed.
   */
  find(partitions: readonly number[], next: readonly bigint[]): number | undefined {
    for (const p of partitions) {
      const from = this.#floor[p];
      if (from === undefined || from > next[p]!) return undefined;
    }
    const passed = (sequence: number): boolean => partitions.every((p) => this.at(sequence).next[p]! <= next[p]!);
    let low = this.first;
    let high = this.end;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (passed(middle)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
