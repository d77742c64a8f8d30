import { CopySet } from './copy-set.js';
import type { ListedCopy } from './listed.js';
import { NEVER_RESET, type SettledRow } from './settled-rows.js';

/** What a row changed. */
export type Taken = 'nothing' | 'end' | 'reset';

/** What this process knows of the copies and the settled end of one partition. */
export class PartitionCopies {
  #topicId: string | undefined;
  #reset = NEVER_RESET;
  #copies: CopySet | undefined;
  #end = 0n;
  #othersEpoch = NEVER_RESET;
  /** Chunks of a reset whose reset row was not read yet. */
  #coming: { readonly reset: bigint; readonly copies: CopySet } | undefined;

  /** The topic that copies and end belong to; undefined while nothing, or only rows of an earlier version, are known. */
  get topicId(): string | undefined {
    return this.#topicId;
  }

  /** Epoch of the last reset. */
  get reset(): bigint {
    return this.#reset;
  }

  /** The greatest epoch under which another owner has written a row; NEVER_RESET: none. */
  get othersEpoch(): bigint {
    return this.#othersEpoch;
  }

  get end(): bigint {
    return this.#end;
  }

  originalOf(offset: bigint): bigint | undefined {
    const first = this.#copies?.get(Number(offset));
    return first === undefined ? undefined : BigInt(first);
  }

  add(copies: readonly ListedCopy[]): void {
    if (copies.length > 0) addAll((this.#copies ??= new CopySet()), copies);
  }

  /** False: the end is not higher than the known one. */
  raise(end: bigint): boolean {
    if (end <= this.#end) return false;
    this.#end = end;
    return true;
  }

  /** The owner names the topic that it reads. False: what is known belongs to another topic. */
  adopt(topicId: string): boolean {
    this.#topicId ??= topicId;
    return this.#topicId === topicId;
  }

  /** Notes the epochs of a row, of any topic that had the name of the stream, but for the own one. */
  seen(row: SettledRow, own: bigint | undefined): void {
    for (const epoch of row.kind === 'reset' ? [row.reset] : [row.reset, row.epoch])
      if (epoch !== own && epoch > this.#othersEpoch) this.#othersEpoch = epoch;
  }

  /** Takes a row of the table; rows come in the order of the log. */
  take(row: SettledRow): Taken {
    if (row.reset < this.#reset) return 'nothing';
    if (row.reset > this.#reset) return this.#ahead(row);
    if (row.kind === 'reset' || !this.adopt(row.topicId)) return 'nothing';
    if (row.kind === 'end') return this.raise(row.end) ? 'end' : 'nothing';
    this.add(row.copies);
    return 'nothing';
  }

  /** Forgets everything of earlier resets. */
  begin(topicId: string, reset: bigint, copies?: CopySet): void {
    this.#topicId = topicId;
    this.#reset = reset;
    this.#copies = copies;
    this.#end = 0n;
    this.#coming = undefined;
  }

  /** The copies below an offset, by ascending offset. */
  below(offset: bigint): ListedCopy[] {
    const kept: ListedCopy[] = [];
    for (const [at, first] of this.#copies?.entries() ?? []) {
      if (at >= offset) break;
      kept.push({ offset: BigInt(at), first: BigInt(first) });
    }
    return kept;
  }

  /** A row of a newer reset. Its chunks count only once its reset row, or a row behind that, is read: until then the older ones are whole and these are not. */
  #ahead(row: SettledRow): Taken {
    const coming = this.#coming?.reset === row.reset ? this.#coming.copies : new CopySet();
    if (row.kind === 'chunk') {
      addAll(coming, row.copies);
      this.#coming = { reset: row.reset, copies: coming };
      return 'nothing';
    }
    this.begin(row.topicId, row.reset, coming);
    if (row.kind === 'end') this.raise(row.end);
    return 'reset';
  }
}

function addAll(set: CopySet, copies: readonly ListedCopy[]): void {
  for (const { offset, first } of copies) set.add(Number(offset), Number(first));
}
