import { hash } from 'node:crypto';
import type { First, FoldStart, Progress } from '#state';

/** Number of hash tags of the duplicate index, and so the greatest number of cluster nodes that can share it. Stored keys depend on it. */
export const INDEX_TAGS = 64;

/** The prefix of all keys of a view partition. Its hash tag puts them into one hash slot; the view name is percent-encoded, so that no brace in it can break the hash tag. */
export function keyBaseOf(prefix: string, view: string, partition: number): string {
  return `${prefix}{${encodeURIComponent(view)}:${partition}}:`;
}

/** The keys of a view partition: hash, sorted set of the bounds of its leaves; then those of the layout of release 0.1, which are removed. */
export const keysOf = (base: string): string[] =>
  ['2', '2l', 'o', 'e', 'el', 's', 'sl', 'd', 'dx'].map((name) => base + name);
/** The keys under which the first two of keysOf stay for a while when somebody else has written into them. */
export const asideKeysOf = (base: string): string[] => ['2-aside', '2l-aside'].map((name) => base + name);
export const partitionKeys = (base: string): string[] => keysOf(base).slice(0, 2);

export interface StoredProgress extends Progress {
  /** The number by which records of the partition name the stream. */
  readonly number: number;
  /** Greatest offset of an expired tombstone; undefined: none has expired. */
  readonly expired: bigint | undefined;
}

export function unpackProgress(stream: string, text: string): StoredProgress {
  const [number = '0', next = '0', epoch = '0', appendTimeMs = '0', expired = '-', proof = '-', reset = '-'] =
    text.split(' ');
  const [atMs = '0', until = '0'] = reset.split(':');
  return {
    number: Number(number),
    stream,
    next: BigInt(next),
    epoch: BigInt(epoch),
    appendTimeMs: Number(appendTimeMs),
    expired: expired === '-' ? undefined : BigInt(expired),
    ...(proof === '-' ? {} : { proof }),
    ...(reset === '-' ? {} : { reset: { atMs: Number(atMs), until: BigInt(until) } }),
  };
}

/** The stored text of a checkpoint that begins anew, without its number. */
export function packStart({ next, epoch, until, proof = '-' }: FoldStart, atMs: number): string {
  return `${next} ${epoch} 0 - ${proof} ${atMs}:${until}`;
}

/** Parses pairs of stream and stored text; sorted by stream. */
export function unpackAllProgress(pairs: readonly Buffer[]): StoredProgress[] {
  const all: StoredProgress[] = [];
  for (let i = 0; i < pairs.length; i += 2) all.push(unpackProgress(pairs[i]!.toString(), pairs[i + 1]!.toString()));
  return all.sort((a, b) => (a.stream < b.stream ? -1 : 1));
}

export function progressOf({ expired: _expired, number: _number, ...progress }: StoredProgress): Progress {
  return progress;
}

/** The key of (source, id) in the duplicate index: 128 bits of a SHA-256, so that a key is short for any id. */
export function indexKeyOf(source: string, id: string): { readonly tag: number; readonly key: string } {
  const sum = Buffer.from(hash('sha256', `${source.length}:${source}${id}`, 'hex'), 'hex');
  return { tag: sum[16]! % INDEX_TAGS, key: sum.toString('base64url', 0, 16) };
}

export function packFirst(first: First): string {
  const { stream, partition, offset, schemaId, recordedTimeMs, digest } = first;
  return `${stream} ${partition} ${offset} ${schemaId} ${recordedTimeMs} ${Buffer.from(digest, 'hex').toString('base64url')}`;
}

/** Whether a text is a row of the duplicate index; anything else was written by somebody else. */
export const isRow = (text: string | null | undefined): text is string =>
  typeof text === 'string' && /^\S+ \d+ \d+ \d+ \d+ \S*$/.test(text);

export function unpackFirst(source: string, id: string, text: string): First {
  const [stream = '', partition, offset = '0', schemaId, recordedTimeMs, digest = ''] = text.split(' ');
  return {
    source,
    id,
    stream,
    partition: Number(partition),
    offset: BigInt(offset),
    digest: Buffer.from(digest, 'base64url').toString('hex'),
    schemaId: Number(schemaId),
    recordedTimeMs: Number(recordedTimeMs),
  };
}
