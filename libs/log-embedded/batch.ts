import type { Header } from '#event';
import { headerNameBytes, type LogRecord, type NewRecord } from '#log';
import { HEAD } from './row.js';
import type { ReadRow } from './rows.js';

// One append is one row. In its data, per record, little-endian 32-bit numbers:
// offset minus base | size of what follows | key length (-1 = null) | value length (-1 = null) | number of headers
// | key | value | per header: name length, value length (-1 = null), name, value.
// row.ts `recordsOf` reads the first five numbers too; change both together.

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
  const names: Name[] = [];
  let left = bytes;
  for (let at = 0; at < data.length;) {
    const offset = base + data.readInt32LE(at);
    const end = at + 8 + data.readInt32LE(at + 4);
    if (offset >= from) {
      // the first record is always given, a later one only if it fits
      if (out.length > 0 && end - at > left) return 0;
      out.push(decodeRecord(data, at, offset, time, names));
      left -= end - at;
      if (out.length >= maxRecords || left <= 0) return 0;
    }
    at = end;
  }
  return left;
}

// Most records of a batch have the same header names in the same order. The string of the previous record's i-th name is used again when the bytes
// are equal: decoding a string per header takes a third of the reading time.
interface Name {
  at: number;
  length: number;
  text: string;
}

function nameAt(data: Buffer, at: number, length: number, i: number, names: Name[]): string {
  const last = names[i];
  if (last?.length === length) {
    let same = 0;
    while (same < length && data[last.at + same] === data[at + same]) same++;
    if (same === length) return last.text;
  }
  const text = data.toString('utf8', at, at + length);
  names[i] = { at, length, text };
  return text;
}

function decodeRecord(data: Buffer, start: number, offset: number, appendTimeMs: number, names: Name[]): LogRecord {
  const keyLength = data.readInt32LE(start + 8);
  const valueLength = data.readInt32LE(start + 12);
  const count = data.readInt32LE(start + 16);
  let at = start + HEAD;
  const key = keyLength < 0 ? null : data.subarray(at, (at += keyLength));
  const value = valueLength < 0 ? null : data.subarray(at, (at += valueLength));
  const headers: Header[] = [];
  for (let i = 0; i < count; i++) {
    const nameLength = data.readInt32LE(at);
    const contentLength = data.readInt32LE(at + 4);
    const name = nameAt(data, at + 8, nameLength, i, names);
    at += 8 + nameLength;
    headers.push([name, contentLength < 0 ? null : data.subarray(at, (at += contentLength))]);
  }
  return { offset: BigInt(offset), appendTimeMs, leaderEpoch: 0, key, value, headers };
}
