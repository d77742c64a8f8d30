import { formatPosition } from '#event';
import { Fault } from '#faults';
import type { Delete, Entry, Put, Space, StateChange } from '#state';

// The binary forms that the scripts store and answer; lua.ts and README.md describe them. Numbers in records and names have 7 bits in a byte.

/** Bytes of a bucket field; of a record before its key; of a name before its key. */
const FIELD = 5;
const HEADER = 30;
const NAME = 8;
const MARK_AT = 21;
const MARK = 255;
const FLAGS_AT = 5;
const TOMBSTONE = 1;
const OTHER_STREAM = 10;
const WRITTEN_AT = 6;
const FEED_START = 8;
const FEED_RECORD = 9;
const MAX_KEY_BYTES = 128 ** 3 - 1;
const MAX_RECORD_BYTES = 128 ** 4 - 1;
const SPACE_BYTE: Readonly<Record<Space, number>> = { entry: 'e'.charCodeAt(0), part: 'p'.charCodeAt(0) };

function write7(out: Buffer, n: number, at: number, size: number): void {
  for (let i = at + size - 1; i >= at; i--) {
    out[i] = n % 128;
    n = Math.floor(n / 128);
  }
}

function read7(bytes: Buffer, at: number, size: number): number {
  let n = 0;
  for (let i = at; i < at + size; i++) n = n * 128 + bytes[i]!;
  return n;
}

/** 63 bits in 9 bytes. */
function writeOffset(out: Buffer, offset: bigint, at: number): void {
  if (offset <= BigInt(Number.MAX_SAFE_INTEGER)) return write7(out, Number(offset), at, 9);
  for (let i = at + 8, rest = offset; i >= at; i--, rest >>= 7n) out[i] = Number(rest & 127n);
}

function readOffset(bytes: Buffer, at: number): bigint {
  // Two leading bytes of zero: the rest has 49 bits.
  if (bytes[at] === 0 && bytes[at + 1] === 0) return BigInt(read7(bytes, at + 2, 7));
  let offset = 0n;
  for (let i = at; i < at + 9; i++) offset = (offset << 7n) | BigInt(bytes[i]!);
  return offset;
}

/** The key as it is stored: its space, then its UTF-8 bytes. */
export function storedKey(space: Space, key: string): Buffer {
  return Buffer.concat([Buffer.of(SPACE_BYTE[space]), Buffer.from(key)]);
}

/** 32 bits by which buckets, leaves and feeds name a key (MurmurHash3). Stored data depends on it; keys with one id are told apart by their bytes. */
export function idOf(bytes: Uint8Array, from: number, to: number): number {
  let h = 0;
  let i = from;
  for (; i + 4 <= to; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    k = Math.imul(k, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    h ^= k;
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  }
  let k = 0;
  for (let j = to - 1; j >= i; j--) k = (k << 8) | bytes[j]!;
  k = Math.imul(k, 0xcc9e2d51);
  h ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  h ^= to - from;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Linear hashing: the bucket of an id among so many buckets, as field_of() of lua.ts computes it. */
function writeField(out: Buffer, id: number, buckets: number, at: number): void {
  let half = 1;
  while (half * 2 <= buckets) half *= 2;
  const n = id % (half * 2);
  out[at] = 'b'.charCodeAt(0);
  out.writeUInt32BE(n >= buckets ? n - half : n, at + 1);
}

/** Writes id, length, space and key of a key. Answers the end, and the id. */
function writeName(out: Buffer, space: Space, key: string, at: number): { readonly end: number; readonly id: number } {
  const from = at + NAME;
  out[from] = SPACE_BYTE[space];
  const end = from + 1 + out.write(key, from + 1);
  const id = idOf(out, from, end);
  write7(out, id, at, 5);
  write7(out, end - from, at + 5, 3);
  return { end, id };
}

function keySize(key: string): number {
  const size = 1 + Buffer.byteLength(key);
  if (size > MAX_KEY_BYTES) throw new Fault('internal', { detail: 'a key of the state has 2 MiB or more' });
  return size;
}

/** The keys that READ looks up: bucket field and name of each. */
export function packWanted(space: Space, keys: readonly string[], buckets: number): Buffer {
  const size = keys.reduce((sum, key) => sum + FIELD + NAME + keySize(key), 0);
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  for (const key of keys) {
    const { end, id } = writeName(out, space, key, at + FIELD);
    writeField(out, id, buckets, at);
    at = end;
  }
  return out;
}

function packRemovals(keys: readonly string[]): Buffer {
  const out = Buffer.allocUnsafe(keys.reduce((sum, key) => sum + NAME + keySize(key), 0));
  let at = 0;
  for (const key of keys) at = writeName(out, 'part', key, at).end;
  return out;
}

interface Packed {
  /** Bucket field and record of each put, and of the tombstone of each deleted entry. */
  readonly puts: Buffer;
  /** Names of contributions to remove. */
  readonly removals: Buffer;
  /** The segment of the change feed; empty when no entry changes. */
  readonly segment: Buffer;
}

/** What COMMIT stores of a change. `now`: ms since 1970. `buckets`: the number of buckets that the partition is believed to have. */
export function packChange(change: StateChange, now: number, buckets: number): Packed {
  const rows: (Put | Delete)[] = [...change.puts];
  const removed: string[] = [];
  for (const row of change.deletes) {
    if (row.space === 'part') removed.push(row.key);
    else rows.push(row);
  }
  // In order, so that the script finds neighbours in one leaf. The order of UTF-16 is that of UTF-8 for nearly all keys; it is not relied on.
  rows.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const sizes = rows.map((row) => {
    const size = HEADER + keySize(row.key) + ('value' in row ? Buffer.byteLength(row.value) : WRITTEN_AT);
    if (size > MAX_RECORD_BYTES) throw new Fault('internal', { detail: 'an entry of the state has 256 MiB or more' });
    return size;
  });
  const puts = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + FIELD + size, 0));
  const feed: FeedRecord[] = [];
  let at = 0;
  for (const [i, row] of rows.entries()) {
    const from = at + FIELD;
    const { end, id } = writeName(puts, row.space, row.key, from + MARK_AT + 1);
    writeField(puts, id, buckets, at);
    write7(puts, sizes[i]!, from, 4);
    puts[from + 4] = 0;
    puts[from + FLAGS_AT] = 'value' in row ? 0 : TOMBSTONE;
    write7(puts, row.appendTimeMs, from + 6, 6);
    writeOffset(puts, row.offset, from + 12);
    puts[from + MARK_AT] = MARK;
    if ('value' in row) puts.write(row.value, end);
    else write7(puts, now, end, WRITTEN_AT);
    if (row.space === 'entry') feed.push({ offset: row.offset, id });
    at = from + sizes[i]!;
  }
  return { puts, removals: packRemovals(removed), segment: packSegment(feed) };
}

interface FeedRecord {
  readonly offset: bigint;
  readonly id: number;
}

function packSegment(feed: FeedRecord[]): Buffer {
  if (feed.length === 0) return Buffer.alloc(0);
  feed.sort((a, b) => (a.offset < b.offset ? -1 : a.offset > b.offset ? 1 : 0));
  const first = feed[0]!.offset;
  const out = Buffer.allocUnsafe(FEED_START + FEED_RECORD * feed.length);
  out.writeBigUInt64BE(first);
  let at = FEED_START;
  for (const { offset, id } of feed) {
    out.writeUInt32BE(Number(offset - first), at);
    write7(out, id, at + 4, 5);
    at += FEED_RECORD;
  }
  return out;
}

/** A stored record. */
export class StoredRecord {
  constructor(private readonly bytes: Buffer) {}

  get isTombstone(): boolean {
    return (this.bytes[FLAGS_AT]! & TOMBSTONE) !== 0;
  }

  get appendTimeMs(): number {
    return read7(this.bytes, 6, 6);
  }

  /** Its space and key, as storedKey() gives them. */
  get storedKey(): Buffer {
    return this.bytes.subarray(HEADER, this.#keyEnd);
  }

  get key(): string {
    return this.bytes.toString('utf8', HEADER + 1, this.#keyEnd);
  }

  get value(): string {
    return this.bytes.toString('utf8', this.#keyEnd, this.#othersFrom);
  }

  /** The newest offset at which a stream changed this key. */
  offsetIn(stream: number): bigint {
    if (this.bytes[4] === stream) return readOffset(this.bytes, 12);
    for (let at = this.#othersFrom; at < this.bytes.length; at += OTHER_STREAM)
      if (this.bytes[at] === stream) return readOffset(this.bytes, at + 1);
    return 0n;
  }

  /** `streams`: names by number. */
  entry(streams: ReadonlyMap<number, string>, partition: number): Entry {
    const stream = streams.get(this.bytes[4]!) ?? '';
    const position = formatPosition(stream, partition, readOffset(this.bytes, 12));
    return { key: this.key, value: this.value, position, appendTimeMs: this.appendTimeMs };
  }

  get #keyEnd(): number {
    return HEADER + read7(this.bytes, HEADER - 3, 3);
  }

  get #othersFrom(): number {
    return this.bytes.length - OTHER_STREAM * (this.bytes[FLAGS_AT]! >> 1);
  }
}
