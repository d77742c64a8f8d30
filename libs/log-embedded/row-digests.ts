// What is known of a row that was written before there were checksums. The threads of this room load this file as well as the main thread, so it imports
// only node: modules, types, files that do the same, and #event, which has no I/O: a thread takes it from the build.
import { digestOf, H_DIGEST } from '#event';
import { HEAD, recordsOf, type FoundRow, type StoredRecord } from './row.ts';

/** Neighbouring records of a row that are all good or all damaged. */
export interface RowPart {
  readonly base: number;
  readonly last: number;
  readonly time: number;
  /** undefined: damaged. */
  readonly data: Uint8Array | undefined;
  /** Without a checksum. */
  readonly crc: null;
  /** It is the whole row, and key and value of each record fit the digest that the record carries (R2.6). */
  readonly proven: boolean;
}

type Verdict = 'proven' | 'unproven' | 'damaged';

/** The parts of a row without a checksum whose records have the right lengths. Nearly always one, with the data of the row itself. */
export function partsOfRow(row: FoundRow): RowPart[] {
  const { base, last, time, data } = row;
  const records = [...recordsOf(data)];
  const verdicts = records.map((r) => verdictOn(data, r));
  if (!verdicts.includes('damaged'))
    return [{ base, last, time, data, crc: null, proven: verdicts.every((v) => v === 'proven') }];
  const parts: RowPart[] = [];
  for (let i = 0; i < records.length;) {
    const damaged = verdicts[i] === 'damaged';
    let end = i;
    while (end < records.length && (verdicts[end] === 'damaged') === damaged) end++;
    const run = records.slice(i, end);
    const [first, final] = [base + run[0]!.delta, base + run.at(-1)!.delta];
    parts.push({
      base: first,
      last: final,
      time,
      data: damaged ? undefined : recordsCut(data, run),
      crc: null,
      proven: false,
    });
    i = end;
  }
  return parts;
}

/** Some records of a row as the data of a row of their own. Its memory is its own, because it may be transferred to another thread. */
export function recordsCut(data: Uint8Array, records: readonly StoredRecord[]): Buffer {
  const cut = Buffer.allocUnsafeSlow(records.reduce((sum, r) => sum + r.end - r.start, 0));
  const [first] = records;
  let at = 0;
  for (const r of records) {
    cut.set(data.subarray(r.start, r.end), at);
    cut.writeInt32LE(r.delta - first!.delta, at);
    at += r.end - r.start;
  }
  return cut;
}

const NOTHING = new Uint8Array();
const DIGEST_NAME = Buffer.from(H_DIGEST);

function verdictOn(row: Uint8Array, { start, end }: StoredRecord): Verdict {
  const data = Buffer.from(row.buffer, row.byteOffset + start, end - start);
  const [keyLength, valueLength, count] = [data.readInt32LE(8), data.readInt32LE(12), data.readInt32LE(16)];
  let at = HEAD;
  /** undefined: the length is nonsense. */
  const take = (length: number): Buffer | null | undefined => {
    if (length === -1) return null;
    if (length < 0 || at + length > data.length) return undefined;
    return data.subarray(at, (at += length));
  };
  const key = take(keyLength);
  const value = take(valueLength);
  if (key === undefined || value === undefined || count < 0) return 'damaged';
  let digest: Buffer | undefined;
  for (let i = 0; i < count; i++) {
    if (at + 8 > data.length) return 'damaged';
    const [nameLength, contentLength] = [data.readInt32LE(at), data.readInt32LE(at + 4)];
    at += 8;
    const name = take(nameLength);
    const content = take(contentLength);
    if (name === undefined || name === null || content === undefined) return 'damaged';
    if (content !== null && name.equals(DIGEST_NAME)) digest = content;
  }
  if (at !== data.length) return 'damaged';
  if (digest === undefined) return 'unproven';
  return digest.equals(digestOf(key ?? NOTHING, value ?? NOTHING)) ? 'proven' : 'damaged';
}
