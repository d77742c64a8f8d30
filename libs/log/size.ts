import { headerNameBytes } from './header-names.js';
import { MAX_APPEND_BYTES, MAX_APPEND_RECORDS, MAX_RECORD_BYTES, type AppendOutcome, type NewRecord } from './port.js';

/** The size of a record as every limit of the log counts it, in bytes: key, value, header names and header values. */
export function bytesOf(record: NewRecord): number {
  let bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const [name, value] of record.headers) bytes += headerNameBytes(name).length + (value?.length ?? 0);
  return bytes;
}

/** True when these records may go into one append (R3.4): 1 to 500 records and at most 900 KB together, or one single record of at most MAX_RECORD_BYTES. */
export function fitsOneAppend(records: readonly NewRecord[], bytes = bytesOfAll(records)): boolean {
  if (records.length === 0 || records.length > MAX_APPEND_RECORDS) return false;
  return bytes <= (records.length === 1 ? MAX_RECORD_BYTES : MAX_APPEND_BYTES);
}

/** The outcome of records that do not fit one append. Of one record it names the limit; a longer list may be cut. */
export function tooLarge(records: readonly NewRecord[]): AppendOutcome & { readonly kind: 'refused' } {
  return { kind: 'refused', code: 'record_too_large', ...(records.length === 1 ? { limit: MAX_RECORD_BYTES } : {}) };
}

export function bytesOfAll(records: readonly NewRecord[]): number {
  let bytes = 0;
  for (const record of records) bytes += bytesOf(record);
  return bytes;
}

/** What EventLog.appendLimit counts for each record beside bytesOf(): its lengths and the number of its headers. */
export const RECORD_HEAD_BYTES = 64;
