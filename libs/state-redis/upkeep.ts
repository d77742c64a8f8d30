import type { Client } from './client.js';
import { keysOf, partitionKeys } from './rows.js';
import { COMPACT, DIVIDE, GROW, LEAF, MERGE } from './upkeep-scripts.js';

/** What a commit says about the layout of its partition. */
export interface LayoutNotes {
  readonly buckets: number;
  readonly grow: boolean;
  readonly compact: boolean;
  readonly merge: boolean;
}

/** Buckets that one call of GROW splits, and keys that one call of MERGE takes, so that it does not hold the server for long. */
const STEP = 125;
/** Ids of a leaf after it was divided. */
const LEAF_PART = 32;
const ID_BYTES = 5;
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

  start(base: string, stream: string, { buckets, grow, compact, merge }: LayoutNotes): void {
    this.note(base, buckets);
    if (compact) void this.#compact(base, stream);
    if (!grow && !merge) return;
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
    for (let more = merge; more;) {
      const [rest, large] = (await this.#client.runForBytes(MERGE, keys, [STEP])) as [number, Buffer[]];
      for (const bound of large) await this.#divide(keys, bound);
      more = rest === 1;
    }
  }

  async #divide(keys: readonly string[], bound: Buffer): Promise<void> {
    const [ids, ...named] = (await this.#client.runForBytes(LEAF, keys, [bound])) as Buffer[];
    if (ids === undefined) return;
    const members: { readonly id: Buffer; readonly key: Buffer }[] = [];
    for (let i = 0; i < named.length; i += 2) members.push({ id: named[i]!, key: named[i + 1]! });
    if (members.length * ID_BYTES !== ids.length) return;
    members.sort((a, b) => Buffer.compare(a.key, b.key));
    const parts: Buffer[] = [];
    for (let from = 0; from < members.length; from += LEAF_PART) {
      const some = members.slice(from, from + LEAF_PART);
      parts.push(from === 0 ? bound : some[0]!.key, Buffer.concat(some.map(({ id }) => id)));
    }
    await this.#client.run(DIVIDE, keys, [bound, ids, ...parts]);
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
