import type { Client } from './client.js';
import { keysOf, partitionKeys } from './rows.js';
import { BUILD, COMPACT, DIVIDE, GROW, LEAF, LISTED, MERGE } from './upkeep-scripts.js';

/** What a commit says about the layout of its partition. */
export interface LayoutNotes {
  readonly buckets: number;
  readonly grow: boolean;
  readonly compact: boolean;
  /** Bytes of the list of keys that are not in their leaves yet; 0 when the commit added none. */
  readonly waiting: number;
}

/** Buckets that one call of GROW splits, and keys that one call of MERGE takes, so that it does not hold the server for long. */
const STEP = 250;
/** Ids of a leaf after it was divided. */
const LEAF_PART = 16;
const ID_BYTES = 5;
/** Keys are brought into their leaves when their list has this size, else after a moment: many at a time cost less. A scan reads the whole list. */
const MAX_WAITING_BYTES = 40_000;
const MERGE_AFTER_MS = 300;
const NAME_BYTES = 9;
const PLUS = '+'.charCodeAt(0);
const MAX_PARTITIONS = 50_000;

/**
 * Keeps the layout of view partitions in shape after commits, in scripts of its own, so that no commit holds the server for long. The next commit of this
 * process to the partition waits for it. A failure changes no content, and the next commit asks again.
 */
export class Upkeep {
  readonly #client: Client;
  readonly #buckets = new Map<string, number>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #compacting = new Set<string>();
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(client: Client) {
    this.#client = client;
  }

  /** The number of buckets that the partition had when last heard of. The scripts see when it is another one. */
  buckets(base: string): number {
    return this.#buckets.get(base) ?? 1;
  }

  note(base: string, buckets: number): void {
    if (this.#buckets.size >= MAX_PARTITIONS) this.#buckets.clear();
    this.#buckets.set(base, buckets);
  }

  async done(base: string): Promise<void> {
    await this.#running.get(base);
  }

  start(base: string, stream: string, { buckets, grow, compact, waiting }: LayoutNotes): void {
    this.note(base, buckets);
    if (compact) void this.#compact(base, stream);
    if (grow || waiting > MAX_WAITING_BYTES) this.#begin(base, grow, waiting > MAX_WAITING_BYTES);
    else if (waiting > 0 && !this.#timers.has(base)) {
      const timer = setTimeout(() => {
        this.#timers.delete(base);
        const before = this.#running.get(base) ?? Promise.resolve();
        void before.then(() => this.#begin(base, false, true));
      }, MERGE_AFTER_MS);
      this.#timers.set(base, timer.unref());
    }
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #begin(base: string, grow: boolean, merge: boolean): void {
    const work = this.#run(base, grow, merge)
      .catch(() => undefined)
      .finally(() => {
        if (this.#running.get(base) === work) this.#running.delete(base);
      });
    this.#running.set(base, work);
  }

  async #run(base: string, grow: boolean, merge: boolean): Promise<void> {
    const keys = partitionKeys(base);
    for (let more = grow; more;) {
      const [buckets, rest] = (await this.#client.run(GROW, keys, [STEP])) as [number, number];
      if (buckets > 0) this.note(base, buckets);
      more = rest === 1;
    }
    if (merge) await this.#build(keys);
    for (let more = merge; more;) {
      const [rest, large] = (await this.#client.runForBytes(MERGE, keys, [STEP])) as [number, Buffer[]];
      for (const bound of large) await this.#divide(keys, bound);
      more = rest === 1;
    }
  }

  /** Writes the first leaves of a partition at once. */
  async #build(keys: readonly string[]): Promise<void> {
    const list = (await this.#client.runForBytes(LISTED, keys, [])) as Buffer;
    if (list.length === 0) return;
    const members = new Map<string, Member>();
    for (let at = 0; at < list.length;) {
      const from = at + NAME_BYTES;
      const end = from + (list[at + 6]! << 14) + (list[at + 7]! << 7) + list[at + 8]!;
      const key = list.subarray(from, end);
      // The last change of a key counts. Bytes as text: only to compare them.
      const text = key.toString('latin1');
      if (list[at] === PLUS) members.set(text, { id: list.subarray(at + 1, at + 1 + ID_BYTES), key });
      else members.delete(text);
      at = end;
    }
    await this.#client.run(BUILD, keys, [list, ...partsOf(Buffer.alloc(0), [...members.values()])]);
  }

  async #divide(keys: readonly string[], bound: Buffer): Promise<void> {
    const [ids, ...named] = (await this.#client.runForBytes(LEAF, keys, [bound])) as Buffer[];
    if (ids === undefined) return;
    const members: Member[] = [];
    for (let i = 0; i < named.length; i += 2) members.push({ id: named[i]!, key: named[i + 1]! });
    if (members.length * ID_BYTES !== ids.length) return;
    await this.#client.run(DIVIDE, keys, [bound, ids, ...partsOf(bound, members)]);
  }

  /** Removes records that are no longer valid from a change feed, a thousand at a time. */
  async #compact(base: string, stream: string): Promise<void> {
    const feed = `${base}${stream}`;
    if (this.#compacting.has(feed)) return;
    this.#compacting.add(feed);
    try {
      for (let from = '0'; from !== '';) from = String(await this.#client.run(COMPACT, keysOf(base), [stream, from]));
    } catch {
      // The records stay until a later commit asks again.
    } finally {
      this.#compacting.delete(feed);
    }
  }
}

interface Member {
  readonly id: Buffer;
  readonly key: Buffer;
}

/** Bound and ids of each of the leaves into which keys are divided; the first has the given bound. */
function partsOf(bound: Buffer, members: Member[]): Buffer[] {
  members.sort((a, b) => Buffer.compare(a.key, b.key));
  const parts: Buffer[] = [];
  for (let from = 0; from < members.length; from += LEAF_PART) {
    const some = members.slice(from, from + LEAF_PART);
    parts.push(from === 0 ? bound : some[0]!.key, Buffer.concat(some.map(({ id }) => id)));
  }
  return parts;
}
