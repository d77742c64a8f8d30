import type { LogRecord, NewRecord } from '#log';
import type { Space } from '#state';

/** Orders the records of a topic: the epoch of the writer (R1), then its own count of appends. Every append has a greater version than the one before it. */
export interface Version {
  readonly epoch: bigint;
  readonly sequence: number;
}

/** What stands under a key of a view partition; `value` null: the key was deleted. Position and append time are those of the event that wrote it. */
export interface SnapshotChange {
  readonly space: Space;
  readonly key: string;
  readonly stream: string;
  readonly offset: bigint;
  readonly appendTimeMs: number;
  /** JSON text. */
  readonly value: string | null;
}

export type SnapshotKey = Pick<SnapshotChange, 'space' | 'key'>;

/** How far a stream is folded into the snapshot. */
export interface StreamPlace {
  readonly stream: string;
  readonly next: bigint;
  /** Append time of the last folded event, ms. */
  readonly appendTimeMs: number;
  /** placeProof of `#log`: whether the log is still the one that was folded. */
  readonly proof?: string;
}

export interface SnapshotProgress {
  /** false: the snapshot is being written from the store, and must not be read yet. */
  readonly complete: boolean;
  /** Where the snapshot begins: records of an older version belong to an earlier one. `offset`: no record of it lies below. */
  readonly since: { readonly offset: bigint; readonly version: Version };
  /** One for each stream of the view. */
  readonly places: readonly StreamPlace[];
  /** Changes that are written once more under redo keys, because they did not fit in one append; `sequence`: of the first of them. */
  readonly redo?: { readonly count: number; readonly sequence: number };
  /**
   * Where the writer expected this record. If it lies there, nobody else has written between the appends of this writer, and nothing of a former owner waits to
   * be repaired.
   */
  readonly at?: bigint;
}

export type SnapshotRecord = { readonly version: Version } & (
  | { readonly kind: 'change'; readonly change: SnapshotChange }
  | { readonly kind: 'redo'; readonly index: number; readonly change: SnapshotChange }
  | { readonly kind: 'progress'; readonly progress: SnapshotProgress }
);

/** Header of a deleted key: what stands before the value of a key that is there. */
const HEADER = 'simpul-snapshot';
const PROGRESS_KEY = 'progress';
const PREFIX: Readonly<Record<Space, string>> = { entry: 'e/', part: 'p/' };
const HEAD = /^(\d+) (\d+) (\S+) (\d+) (\d+)(?: |$)/;
const PROGRESS = /^(\d+) (\d+) /;

export const isOlder = (a: Version, b: Version): boolean =>
  a.epoch === b.epoch ? a.sequence < b.sequence : a.epoch < b.epoch;

/** As isOlder(); no version is older than any. */
export const isOlderVersion = (a: Version | undefined, b: Version | undefined): boolean =>
  b !== undefined && (a === undefined || isOlder(a, b));

/** The key of a change in the topic, and in maps of changes. */
export const changeKey = ({ space, key }: SnapshotKey): string => PREFIX[space] + key;

const headOf = ({ epoch, sequence }: Version, { stream, offset, appendTimeMs }: SnapshotChange): string =>
  `${epoch} ${sequence} ${stream} ${offset} ${appendTimeMs}`;

export function changeRecord(version: Version, change: SnapshotChange): NewRecord {
  const key = Buffer.from(changeKey(change));
  const head = headOf(version, change);
  if (change.value === null) return { key, value: null, headers: [[HEADER, Buffer.from(head)]] };
  return { key, value: Buffer.from(`${head} ${change.value}`), headers: [] };
}

export function redoRecord(version: Version, index: number, change: SnapshotChange): NewRecord {
  const { space, key, value } = change;
  const text = `${headOf(version, change)} ${JSON.stringify([space, key, value])}`;
  return { key: Buffer.from(`redo/${index}`), value: Buffer.from(text), headers: [] };
}

export function progressRecord({ epoch, sequence }: Version, progress: SnapshotProgress): NewRecord {
  const text = JSON.stringify(progress, (_name, value: unknown) => (typeof value === 'bigint' ? `${value}` : value));
  return { key: Buffer.from(PROGRESS_KEY), value: Buffer.from(`${epoch} ${sequence} ${text}`), headers: [] };
}

/** undefined: a deleted key without its header, which compaction of some brokers may leave. Throws for a record that no writer of this form has written. */
export function parseRecord(record: Pick<LogRecord, 'key' | 'value' | 'headers'>): SnapshotRecord | undefined {
  const key = record.key?.toString() ?? '';
  if (key === PROGRESS_KEY && record.value !== null) return parseProgress(record.value.toString());
  const text = (record.value ?? record.headers.find(([name]) => name === HEADER)?.[1])?.toString();
  if (text === undefined) return undefined;
  const head = HEAD.exec(text);
  const space = key.startsWith(PREFIX.entry) ? 'entry' : key.startsWith(PREFIX.part) ? 'part' : undefined;
  const [, epoch, sequence, stream, offset, appendTimeMs] = head ?? [];
  if (head === null || (space === undefined && !key.startsWith('redo/')))
    throw new TypeError('no record of a snapshot');
  const version = { epoch: BigInt(epoch!), sequence: Number(sequence) };
  const at = { stream: stream!, offset: BigInt(offset!), appendTimeMs: Number(appendTimeMs) };
  const rest = record.value === null ? null : text.slice(head[0].length);
  if (space !== undefined) return { kind: 'change', version, change: { space, key: key.slice(2), ...at, value: rest } };
  const [ofSpace, ofKey, value] = JSON.parse(rest ?? '') as [Space, string, string | null];
  const change = { space: ofSpace, key: ofKey, ...at, value };
  return { kind: 'redo', version, index: Number(key.slice('redo/'.length)), change };
}

interface WrittenProgress extends Omit<SnapshotProgress, 'since' | 'places' | 'at'> {
  readonly at?: string;
  readonly since: { readonly offset: string; readonly version: { readonly epoch: string; readonly sequence: number } };
  readonly places: readonly (Omit<StreamPlace, 'next'> & { readonly next: string })[];
}

function parseProgress(text: string): SnapshotRecord {
  const head = PROGRESS.exec(text);
  if (head === null) throw new TypeError('no progress of a snapshot');
  const { complete, since, places, redo, at } = JSON.parse(text.slice(head[0].length)) as WrittenProgress;
  return {
    kind: 'progress',
    version: { epoch: BigInt(head[1]!), sequence: Number(head[2]) },
    progress: {
      complete,
      since: {
        offset: BigInt(since.offset),
        version: { epoch: BigInt(since.version.epoch), sequence: since.version.sequence },
      },
      places: places.map((place) => ({ ...place, next: BigInt(place.next) })),
      ...(redo === undefined ? {} : { redo }),
      ...(at === undefined ? {} : { at: BigInt(at) }),
    },
  };
}
