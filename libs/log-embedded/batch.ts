import { headerNameBytes, type LogRecord, type NewRecord } from '#log';
import { HEAD } from './row.js';
import type { ReadRow } from './rows.js';
import { NamesOfAppend, ReadRecord } from './read-record.js';

// One append is one row. In its data, per record, little-endian 32-bit numbers:
// offset minus base | size of what follows | key length (-1 = null) | value length (-1 = null) | number of headers
// | key | value | per header: name length, value length (-1 = null), name, value.
// row.ts `recordsOf` and read-record.ts read the numbers too; change all together.

/** The records of one append in one buffer with memory of its own, because it is transferred to the writer thread. */
export function encodeBatch(records: readonly NewRecord[]): Buffer {
  let size = 0;
  for (const { key, value, headers } of records) {
    size += HEAD + (key?.length ?? 0) + (value?.length ?? 0);
    for (const [name, content] of headers) size += 8 + headerNameBytes(name).length + (content?.length ?? 0);
  }
  const out = Buffer.allocUnsafeSlow(size);
  let at = 0;
  for (let i = 0; i < records.length; i++) {
    const { key, value, headers } = records[i]!;
    const head = at;
    out.writeInt32LE(i, head);
    out.writeInt32LE(key === null ? -1 : key.length, head + 8);
    out.writeInt32LE(value === null ? -1 : value.length, head + 12);
    out.writeInt32LE(headers.length, head + 16);
    at += HEAD;
    if (key !== null) at = put(out, key, at);
    if (value !== null) at = put(out, value, at);
    for (const [name, content] of headers) {
      const bytes = headerNameBytes(name);
      out.writeInt32LE(bytes.length, at);
      out.writeInt32LE(content === null ? -1 : content.length, at + 4);
      at = put(out, bytes, at + 8);
      if (content !== null) at = put(out, content, at);
    }
    out.writeInt32LE(at - head - 8, head + 4);
  }
  return out;
}

/** Answers the position behind the bytes. */
function put(out: Buffer, bytes: Buffer, at: number): number {
  out.set(bytes, at);
  return at + bytes.length;
}

const NOTHING = Buffer.alloc(0);

/**
 * Adds the records from offset `from` on to `out`, until it holds `maxRecords` or `bytes` is used up. Each damaged offset gives a record that is
 * marked as damaged. Answers the bytes that are left; zero or less: a limit was reached.
 */
export function decodeRow(row: ReadRow, from: number, out: LogRecord[], maxRecords: number, bytes: number): number {
  const { base, time } = row;
  if (row.data === undefined) {
    for (let offset = Math.max(from, base); offset <= row.last; offset++) {
      const none = { key: null, value: NOTHING, headers: [] };
      out.push({ ...none, offset: BigInt(offset), appendTimeMs: time, leaderEpoch: 0, damaged: true });
      if (out.length >= maxRecords) return 0;
    }
    return bytes;
  }
  const data = Buffer.from(row.data.buffer, row.data.byteOffset, row.data.byteLength);
  const append = { data, names: new NamesOfAppend() };
  let left = bytes;
  for (let at = 0; at < data.length;) {
    const offset = base + data.readInt32LE(at);
    const end = at + 8 + data.readInt32LE(at + 4);
    if (offset >= from) {
      // the first record is always given, a later one only if it fits
      if (out.length > 0 && end - at > left) return 0;
      out.push(new ReadRecord(append, at, BigInt(offset), time));
      left -= end - at;
      if (out.length >= maxRecords || left <= 0) return 0;
    }
    at = end;
  }
  return left;
}
