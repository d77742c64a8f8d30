import { endOf, epochBefore, type FetchedBatches, type FetchPlace } from '#kafka-records';

/** Fetched bytes are kept so long for the reads that go on in them. */
const KEPT_MS = 5_000;
const SWEEP_MS = 1_000;
/** All kept bytes together; the oldest are dropped. */
const MAX_BYTES = 32 * 1_048_576;
/** Readers at different places of one partition each have their bytes. */
const MAX_A_PARTITION = 4;

/** What one fetch brought of one partition. */
export interface Fetched {
  readonly batches: FetchedBatches;
  readonly place: FetchPlace;
  readonly low: bigint;
  readonly high: bigint;
}

interface Kept {
  /** undefined: dropped. V8 may keep the entries of a Map much longer than the Map does, so an entry that is dropped leads to no bytes. */
  fetched: Fetched | undefined;
  readonly key: string;
  readonly end: bigint;
  /** On the clock of performance.now(). */
  readonly until: number;
  /** As counted in the sum. */
  bytes: number;
}

/**
 * Fetched bytes beyond what a read took, for the read that goes on behind it or a little before its end: a page gives fewer events than its chunks have.
 * So they are neither fetched twice nor decoded before somebody reads them. Bounded by time and by bytes, and swept while nobody reads.
 */
export class FetchCache {
  /** By partition key, oldest first. */
  readonly #kept = new Map<string, Kept[]>();
  /** Oldest first. */
  readonly #order = new Set<Kept>();
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether less than half of the bound is used. */
  get hasRoom(): boolean {
    return this.#bytes * 2 < MAX_BYTES;
  }

  /** What was fetched at this place or before it and holds it. Not when the reader has seen another leader epoch there: it must ask the log. */
  find(key: string, place: FetchPlace): Fetched | undefined {
    const now = performance.now();
    return this.#kept.get(key)?.find((kept) => kept.until > now && holds(kept, place))?.fetched;
  }

  /** Keeps what a read has not taken. `next`: where it ended. */
  keep(key: string, fetched: Fetched, next: bigint): void {
    const known = this.#kept.get(key)?.find((k) => k.fetched?.batches === fetched.batches);
    const end = known?.end ?? endOf(fetched.batches.bytes);
    if (end === undefined || next >= end) {
      if (known !== undefined) this.#drop(known);
      return;
    }
    const kept = known ?? this.#add(key, fetched, end);
    const { bytes: own, stopped } = kept.fetched!.batches;
    const plain = stopped === undefined || stopped.plain.buffer === own.buffer ? 0 : stopped.plain.length;
    // the memory that the view keeps alive, not its length
    const bytes = own.buffer.byteLength + plain;
    this.#bytes += bytes - kept.bytes;
    kept.bytes = bytes;
    for (const oldest of this.#order) {
      if (this.#bytes <= MAX_BYTES) break;
      this.#drop(oldest);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#kept.clear();
    this.#order.clear();
    this.#bytes = 0;
  }

  #add(key: string, fetched: Fetched, end: bigint): Kept {
    const { batches } = fetched;
    // the bytes are a view of the whole answer of the broker: a small part must not keep all of it in memory
    const own = batches.bytes.length * 2 < batches.bytes.buffer.byteLength ? Buffer.from(batches.bytes) : batches.bytes;
    const until = performance.now() + KEPT_MS;
    const { committed, aborted, checked } = batches;
    const copied: FetchedBatches = own === batches.bytes ? batches : { bytes: own, committed, aborted, checked };
    const kept: Kept = { fetched: { ...fetched, batches: copied }, key, end, until, bytes: 0 };
    const list = this.#kept.get(key) ?? [];
    if (list.length >= MAX_A_PARTITION) this.#drop(list[0]!);
    list.push(kept);
    this.#kept.set(key, list);
    this.#order.add(kept);
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
    return kept;
  }

  #drop(kept: Kept): void {
    if (!this.#order.delete(kept)) return;
    this.#bytes -= kept.bytes;
    kept.fetched = undefined;
    const list = this.#kept.get(kept.key)!;
    list.splice(list.indexOf(kept), 1);
    if (list.length === 0) this.#kept.delete(kept.key);
  }

  #sweep(): void {
    const now = performance.now();
    for (const kept of this.#order) {
      if (kept.until > now) break;
      this.#drop(kept);
    }
    if (this.#order.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function holds({ fetched, end }: Kept, { from, lastEpoch }: FetchPlace): boolean {
  if (fetched === undefined) return false;
  const { place, batches } = fetched;
  if (from < place.from || from >= end) return false;
  const known = from === place.from ? place.lastEpoch : (epochBefore(batches.bytes, from) ?? place.lastEpoch);
  return lastEpoch === undefined || lastEpoch === known;
}
