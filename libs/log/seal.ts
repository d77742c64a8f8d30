import { createHash } from 'node:crypto';
import type { LogRecord, NewRecord } from './port.js';

/** Header of a control record: 16 hex digits of SHA-256 over its key, its value and its other headers. Records of earlier versions have none. */
export const SEAL_HEADER = 'simpul-seal';

type Sealable = Pick<NewRecord, 'key' | 'value' | 'headers'>;

/** The record with its seal: who reads it finds out that a bit of it has changed, on any engine. */
export function sealed(record: NewRecord): NewRecord {
  return { ...record, headers: [...record.headers, [SEAL_HEADER, Buffer.from(sealOf(record), 'latin1')]] };
}

/** Whether a record has a seal that does not fit it. */
export function isSealBroken(record: Pick<LogRecord, 'key' | 'value' | 'headers'>): boolean {
  const seal = record.headers.find(([name]) => name === SEAL_HEADER);
  return seal !== undefined && seal[1]?.toString('latin1') !== sealOf(record);
}

function sealOf({ key, value, headers }: Sealable): string {
  const hash = createHash('sha256');
  const put = (bytes: Uint8Array | null): void => {
    const length = Buffer.allocUnsafe(4);
    length.writeInt32BE(bytes === null ? -1 : bytes.length);
    hash.update(length);
    if (bytes !== null) hash.update(bytes);
  };
  put(key);
  put(value);
  for (const [name, bytes] of headers) {
    if (name === SEAL_HEADER) continue;
    put(Buffer.from(name));
    put(bytes);
  }
  return hash.digest('hex').slice(0, 16);
}
