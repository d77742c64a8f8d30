// The threads of this room load this file as well as the main thread, so it imports no other file of ours.
import { crc32c } from '@node-rs/crc32';

/** The key of a row of `batches`: the number of the partition in the upper bits, the offset of the first record in the lower 40. */
export const idOf = (part: number, offset: bigint | number): bigint => (BigInt(part) << 40n) + BigInt(offset);

/** One append as it lies in the file. */
export interface BatchRow {
  /** The row number of the partition. */
  readonly part: number;
  /** Offset of the first record. */
  readonly base: number;
  /** Offset of the last record. */
  readonly last: number;
  /** Append time, ms since 1970. */
  readonly time: number;
  readonly data: Uint8Array;
}

/** A row as SQLite gives it, with what is checked of it. */
export interface FoundRow extends BatchRow {
  /** The offset that its key names. */
  readonly place: number;
  /** null: written before there were checksums. */
  readonly crc: number | null;
}

/** The columns of a FoundRow. The key itself may be too large for a JavaScript number. */
export const ROW_COLUMNS = 'id >> 40 AS part, id & 1099511627775 AS place, base, last, time, data, crc';

export function checksumOf({ part, base, last, time, data }: BatchRow): number {
  const head = Buffer.allocUnsafe(32);
  head.writeDoubleLE(part, 0);
  head.writeDoubleLE(base, 8);
  head.writeDoubleLE(last, 16);
  head.writeDoubleLE(time, 24);
  return crc32c(data, crc32c(head));
}

/**
 * Whether a row is as it was written: it lies at its place, and its CRC32C over all columns fits. Of a row without a checksum only the lengths of its
 * records are checked; what its records say of themselves is checked by row-digests.ts.
 */
export function isWhole(row: FoundRow): boolean {
  if (row.place !== row.base) return false;
  return row.crc === null ? isWellFormed(row) : row.crc === checksumOf(row);
}

function isWellFormed({ base, last, data }: BatchRow): boolean {
  const all = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  let at = 0;
  let delta = -1;
  while (at + HEAD <= all.length) {
    const next = all.readInt32LE(at);
    const size = all.readInt32LE(at + 4);
    if (next <= delta || size < HEAD - 8) return false;
    delta = next;
    at += 8 + size;
  }
  return at === all.length && base + delta === last;
}

/** CRC32C over the columns of a row of `topics`, `partitions` or `counters`, as the SQL function `row_crc`. */
export function checksumOfColumns(...columns: readonly unknown[]): number {
  return crc32c(columns.map((c) => (c === null ? '' : `${typeof c === 'string' ? c : Number(c)}`)).join('\u0000'));
}

/** Bytes in front of the key of a record; see batch.ts. */
export const HEAD = 20;

export interface StoredRecord {
  /** Offset minus the base of the row. */
  readonly delta: number;
  readonly start: number;
  readonly end: number;
  /** Length of the key, -1 = null; the key begins at `start + HEAD`. */
  readonly keyLength: number;
  readonly tombstone: boolean;
}

/** Where the records of a row lie in its data. */
export function* recordsOf(data: Uint8Array): Generator<StoredRecord> {
  const all = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < all.length;) {
    const end = at + 8 + all.readInt32LE(at + 4);
    yield {
      delta: all.readInt32LE(at),
      start: at,
      end,
      keyLength: all.readInt32LE(at + 8),
      tombstone: all.readInt32LE(at + 12) < 0,
    };
    at = end;
  }
}
