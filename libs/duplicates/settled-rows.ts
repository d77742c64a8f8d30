import type { ListedCopy } from './listed.js';

/** Below every epoch: the reset of a partition that never had one. */
export const NEVER_RESET = -1n;
/** Copies in one row. */
export const CHUNK = 500;

interface Place {
  readonly stream: string;
  readonly partition: number;
  /** Id of the topic of the stream. */
  readonly topicId: string;
  /** Epoch of the last reset of the partition. */
  readonly reset: bigint;
}

/**
 * Up to CHUNK copies that one owner has listed, all of them again each time the chunk grows. Epoch and number of the chunk are in the key: nobody else
 * writes it, so compaction loses no copy that another owner has listed.
 */
export interface ChunkRow extends Place {
  readonly kind: 'chunk';
  readonly epoch: bigint;
  readonly chunk: number;
  readonly copies: readonly ListedCopy[];
}

/** Rows of earlier resets count no more. The chunks of this reset that lie before it are the copies that stay. */
export interface ResetRow extends Place {
  readonly kind: 'reset';
}

/** The settled end. The copies below it lie before this row. */
export interface EndRow extends Place {
  readonly kind: 'end';
  readonly epoch: bigint;
  readonly end: bigint;
  /** First 8 digits of the id of the table's own topic, as the writer knew it. Absent: of an earlier version. */
  readonly table?: string;
}

/** A row of `_simpul.settled`. */
export type SettledRow = ChunkRow | ResetRow | EndRow;

export function keyOfRow(row: SettledRow): string {
  const place = `${row.stream}/${row.partition}`;
  return row.kind === 'chunk' ? `${place}/${row.epoch}/${row.chunk}` : `${place}/${row.kind}`;
}

/** Numbers of the log are decimal texts. Absent `reset`: never. */
interface Value {
  readonly topic: string;
  readonly reset?: string;
  readonly end?: string;
  readonly epoch?: string;
  readonly table?: string;
  /** Offset of the first copy of a chunk; the others are relative to it. */
  readonly at?: string;
  /** For each copy: its offset less `at`, and how far before it its original lies. */
  readonly copies?: readonly number[];
}

export function valueOfRow(row: SettledRow): Buffer {
  const value: Value = {
    topic: row.topicId,
    ...(row.reset === NEVER_RESET ? {} : { reset: `${row.reset}` }),
    ...(row.kind === 'end' ? { end: `${row.end}`, epoch: `${row.epoch}` } : {}),
    ...(row.kind === 'end' && row.table !== undefined ? { table: row.table } : {}),
    ...(row.kind === 'chunk' ? pairsOf(row.copies) : {}),
  };
  return Buffer.from(JSON.stringify(value));
}

function pairsOf(copies: readonly ListedCopy[]): Pick<Value, 'at' | 'copies'> {
  const at = copies[0]?.offset ?? 0n;
  return { at: `${at}`, copies: copies.flatMap((c) => [Number(c.offset - at), Number(c.offset - c.first)]) };
}

const KEY = /^([^/]+)\/(\d+)\/(?:(reset|end)|(\d+)\/(\d+))$/;

/** Throws for a record that is no row. */
export function parseRow(bytes: Buffer, key: string): SettledRow {
  const [, stream, partition, kind, epoch, chunk] = KEY.exec(key) ?? [];
  const value = JSON.parse(bytes.toString()) as Partial<Value>;
  if (stream === undefined || typeof value.topic !== 'string') throw new TypeError('no row of the settled table');
  const reset = value.reset === undefined ? NEVER_RESET : BigInt(value.reset);
  const place: Place = { stream, partition: Number(partition), topicId: value.topic, reset };
  if (kind === 'reset') return { kind, ...place };
  if (kind === 'end') {
    const { table } = value;
    const end = { kind, ...place, end: BigInt(value.end!), epoch: BigInt(value.epoch!) } as const;
    return typeof table === 'string' ? { ...end, table } : end;
  }
  return { kind: 'chunk', ...place, epoch: BigInt(epoch!), chunk: Number(chunk), copies: listedCopies(value) };
}

function listedCopies({ at, copies: pairs }: Partial<Value>): ListedCopy[] {
  if (!Array.isArray(pairs) || !pairs.every(Number.isSafeInteger)) throw new TypeError('no copies');
  const base = BigInt(at!);
  const copies: ListedCopy[] = [];
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const offset = base + BigInt(pairs[i] as number);
    copies.push({ offset, first: offset - BigInt(pairs[i + 1] as number) });
  }
  return copies;
}

const EARLIER_KEY = /^(?:(end)\/)?([^/]+)\/(\d+)(?:\/(\d+))?$/;

/** A record of `_simpul.copies`, where earlier versions kept each copy and each settled end under a key of its own, without the id of the topic. */
export interface EarlierRow {
  readonly stream: string;
  readonly partition: number;
  readonly fact: ListedCopy | { readonly end: bigint };
}

/** Throws for a record that is neither a copy nor a settled end. */
export function parseEarlierRow(bytes: Buffer, key: string): EarlierRow {
  const [, isEnd, stream, partition, offset] = EARLIER_KEY.exec(key) ?? [];
  if (stream === undefined) throw new TypeError('neither a copy nor a settled end');
  const value = JSON.parse(bytes.toString()) as Partial<Record<'first' | 'end', unknown>>;
  const place = { stream, partition: Number(partition) };
  if (isEnd !== undefined) return { ...place, fact: { end: BigInt(String(value.end)) } };
  if (offset === undefined) throw new TypeError('neither a copy nor a settled end');
  return { ...place, fact: { offset: BigInt(offset), first: BigInt(String(value.first)) } };
}
