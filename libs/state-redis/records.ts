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

const GROUP = 2 ** 21;

/** 21 bits in 3 bytes. */
function write3(out: Buffer, n: number, at: number): void {
  out[at] = (n >>> 14) & 127;
  out[at + 1] = (n >>> 7) & 127;
  out[at + 2] = n & 127;
}

const read3 = (bytes: Buffer, at: number): number => (bytes[at]! << 14) | (bytes[at + 1]! << 7) | bytes[at + 2]!;

/** 28 bits in 4 bytes. */
function write4(out: Buffer, n: number, at: number): void {
  out[at] = n >>> 21;
  write3(out, n, at + 1);
}

/** 32 bits in 5 bytes. */
function writeId(out: Buffer, id: number, at: number): void {
  out[at] = id >>> 28;
  out[at + 1] = (id >>> 21) & 127;
  write3(out, id, at + 2);
}

/** Milliseconds since 1970: 42 bits in 6 bytes. */
function writeTime(out: Buffer, ms: number, at: number): void {
  write3(out, Math.floor(ms / GROUP), at);
  write3(out, ms % GROUP, at + 3);
}

const readTime = (bytes: Buffer, at: number): number => read3(bytes, at) * GROUP + read3(bytes, at + 3);

/** 63 bits in 9 bytes. */
function writeOffset(out: Buffer, offset: bigint, at: number): void {
  const n = Number(offset);
  if (Number.isSafeInteger(n)) {
    const high = Math.floor(n / GROUP);
    write3(out, Math.floor(high / GROUP), at);
    write3(out, high % GROUP, at + 3);
    write3(out, n % GROUP, at + 6);
  } else for (let i = at + 8, rest = offset; i >= at; i--, rest >>= 7n) out[i] = Number(rest & 127n);
}

function readOffset(bytes: Buffer, at: number): bigint {
  const high = read3(bytes, at);
  const low = read3(bytes, at + 3) * GROUP + read3(bytes, at + 6);
  return high === 0 ? BigInt(low) : (BigInt(high) << 42n) + BigInt(low);
}

/** Writes short text, and answers its end. Most keys are ASCII, which is written faster byte by byte. */
function writeText(out: Buffer, text: string, at: number): number {
  const { length } = text;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return at + i + out.write(text.slice(i), at + i);
    out[at + i] = code;
  }
  return at + length;
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

/** Linear hashing: writes the field of the bucket of an id among so many buckets, as field_of() of lua.ts computes it. */
class BucketFields {
  readonly #half: number;

  constructor(private readonly buckets: number) {
    let half = 1;
    while (half * 2 <= buckets) half *= 2;
    this.#half = half;
  }

  write(out: Buffer, id: number, at: number): void {
    const n = id % (this.#half * 2);
    const bucket = n >= this.buckets ? n - this.#half : n;
    out[at] = 98;
    out[at + 1] = bucket >>> 24;
    out[at + 2] = bucket >>> 16;
    out[at + 3] = bucket >>> 8;
    out[at + 4] = bucket;
  }
}

/** Writes id, length, space and key of a key at `at`, up to `end`. Answers the id. */
function writeName(out: Buffer, space: Space, key: string, at: number, end: number): number {
  const from = at + NAME;
  out[from] = SPACE_BYTE[space];
  writeText(out, key, from + 1);
  const id = idOf(out, from, end);
  writeId(out, id, at);
  write3(out, end - from, at + 5);
  return id;
}

function keySize(key: string): number {
  const size = 1 + Buffer.byteLength(key);
  if (size > MAX_KEY_BYTES) throw new Fault('internal', { detail: 'a key of the state has 2 MiB or more' });
  return size;
}

/** The keys that READ looks up: bucket field and name of each. */
export function packWanted(space: Space, keys: readonly string[], buckets: number): Buffer {
  const fields = new BucketFields(buckets);
  const sizes = keys.map(keySize);
  const out = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + FIELD + NAME + size, 0));
  let at = 0;
  for (const [i, key] of keys.entries()) {
    const end = at + FIELD + NAME + sizes[i]!;
    fields.write(out, writeName(out, space, key, at + FIELD, end), at);
    at = end;
  }
  return out;
}

function packRemovals(keys: readonly string[]): Buffer {
  const sizes = keys.map(keySize);
  const out = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + NAME + size, 0));
  let at = 0;
  for (const [i, key] of keys.entries()) {
    writeName(out, 'part', key, at, at + NAME + sizes[i]!);
    at += NAME + sizes[i]!;
  }
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
  const keySizes = rows.map((row) => keySize(row.key));
  const sizes = rows.map((row, i) => {
    const size = HEADER + keySizes[i]! + ('value' in row ? Buffer.byteLength(row.value) : WRITTEN_AT);
    if (size > MAX_RECORD_BYTES) throw new Fault('internal', { detail: 'an entry of the state has 256 MiB or more' });
    return size;
  });
  const puts = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + FIELD + size, 0));
  const fields = new BucketFields(buckets);
  const feed: FeedRecord[] = [];
  let at = 0;
  for (const [i, row] of rows.entries()) {
    const from = at + FIELD;
    const end = from + HEADER + keySizes[i]!;
    const id = writeName(puts, row.space, row.key, from + MARK_AT + 1, end);
    fields.write(puts, id, at);
    write4(puts, sizes[i]!, from);
    puts[from + 4] = 0;
    puts[from + FLAGS_AT] = 'value' in row ? 0 : TOMBSTONE;
    writeTime(puts, row.appendTimeMs, from + 6);
    writeOffset(puts, row.offset, from + 12);
    puts[from + MARK_AT] = MARK;
    if ('value' in row) puts.write(row.value, end);
    else writeTime(puts, now, end);
    if (row.space === 'entry') feed.push({ offset: row.offset, order: Number(row.offset), id });
    at = from + sizes[i]!;
  }
  return { puts, removals: packRemovals(removed), segment: packSegment(feed) };
}

interface FeedRecord {
  readonly offset: bigint;
  readonly order: number;
  readonly id: number;
}

function packSegment(feed: FeedRecord[]): Buffer {
  if (feed.length === 0) return Buffer.alloc(0);
  feed.sort((a, b) => a.order - b.order);
  const first = feed[0]!.offset;
  const out = Buffer.allocUnsafe(FEED_START + FEED_RECORD * feed.length);
  out.writeBigUInt64BE(first);
  let at = FEED_START;
  const base = feed[0]!.order;
  for (const { order, id } of feed) {
    out.writeUInt32BE(order - base, at);
    writeId(out, id, at + 4);
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
    return readTime(this.bytes, 6);
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
    return HEADER + read3(this.bytes, HEADER - 3);
  }

  get #othersFrom(): number {
    return this.bytes.length - OTHER_STREAM * (this.bytes[FLAGS_AT]! >> 1);
  }
}
