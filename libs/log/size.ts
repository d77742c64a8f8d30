import { MAX_APPEND_BYTES, MAX_APPEND_RECORDS, type NewRecord } from './port.js';

// Header names are few and come with every record, and a record is measured at every step of its way.
const lengths = new Map<string, number>();
const MOST_NAMES = 1_000;

function lengthOf(name: string): number {
  let length = lengths.get(name);
  if (length === undefined) {
    length = Buffer.byteLength(name);
    if (lengths.size < MOST_NAMES) lengths.set(name, length);
  }
  return length;
}

/** Bytes of one record as every limit of the log counts them: key, value, header names and values. */
export function bytesOf(record: NewRecord): number {
  let bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const [name, value] of record.headers) bytes += lengthOf(name) + (value?.length ?? 0);
  return bytes;
}

/** The largest single record of any log: 1 MiB of event and 64 KiB of key and headers. */
export const MAX_RECORD_BYTES = 1_048_576 + 65_536;

/** True when these records may go into one append (R3.4): at most 500 records and 900 KB, or one single record up to MAX_RECORD_BYTES. */
export function fitsOneAppend(records: readonly NewRecord[], bytes = bytesOfAll(records)): boolean {
  if (records.length > MAX_APPEND_RECORDS) return false;
  return bytes <= (records.length === 1 ? MAX_RECORD_BYTES : MAX_APPEND_BYTES);
}

export function bytesOfAll(records: readonly NewRecord[]): number {
  let bytes = 0;
  for (const record of records) bytes += bytesOf(record);
  return bytes;
}
