import { Fault, isFault } from '#faults';
import {
  checkChange,
  DELETE_RETENTION_MS,
  appendTimeOf,
  type Change,
  type ChangePage,
  type Committed,
  type First,
  type FirstReplacement,
  type FoldStart,
  type FoundCheckpoint,
  type Page,
  type Progress,
  type ReadResult,
  type ScanRange,
  type Space,
  type State,
  type StateChange,
  type StreamPartition,
} from '#state';
import { parseRedisAddress } from './address.js';
import { Client } from './client.js';
import type { DamagedPartition, RedisReport } from './trust.js';
import { FirstIndex } from './first-index.js';
import { packChange, packWanted, storedKey, StoredRecord } from './records.js';
import { isDamage } from './damage.js';
import {
  asideKeysOf,
  keyBaseOf,
  keysOf,
  packStart,
  partitionKeys,
  progressOf,
  unpackAllProgress,
  unpackProgress,
} from './rows.js';
import { COMMIT } from './commit-script.js';
import { CHANGES, DROP, POSITIONS, READ, RESET, SCAN, SET_ASIDE } from './scripts.js';
import { Upkeep } from './upkeep.js';

export interface RedisStateOptions {
  /** Address of a server, Sentinel or Cluster; the forms are those of parseRedisAddress. */
  readonly url: string;
  /** Prefix of every key, so that several hubs can share one Redis; letters, digits, `.`, `_`, `-`, `:`. @default '' */
  readonly prefix?: string;
  /** PEM of a private certificate authority. */
  readonly ca?: string;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
  /** Retention of tombstones in the change feed, ms. @default 7 days */
  readonly deleteRetentionMs?: number;
  /** Deadline of one command, ms. @default 1000 */
  readonly timeoutMs?: number;
  /** Deadline of the first connection in openRedisState, ms. @default 5000 */
  readonly openTimeoutMs?: number;
  readonly report?: RedisReport;
}

type CommitAnswer =
  | readonly [refused: 1, expected: Buffer, epoch: Buffer, leftOldLayout: number]
  | readonly [applied: 0, buckets: number, leftOldLayout: number, grow: number, compact: number, merge: number];

/** How long the keys of a damaged partition stay, ms. */
const ASIDE_MS = 24 * 3_600_000;
/** A partition that is damaged again within this time is left alone, ms: somebody goes on writing into it, and folding it again and again costs more. */
const ASIDE_EVERY_MS = 60_000;

/** Feed records that one call of CHANGES looks at, so that it does not hold the server for long. */
const FEED_LOOK = 1_000;

class RedisState implements State {
  readonly #client: Client;
  readonly #index: FirstIndex;
  readonly #prefix: string;
  readonly #now: () => number;
  readonly #deleteRetentionMs: number;
  readonly #report: RedisReport;
  readonly #upkeep: Upkeep;
  #hasLeftOldLayout = false;
  /** When partitions were set aside, by key base. */
  readonly #aside = new Map<string, number>();
  readonly #settingAside = new Map<string, Promise<void>>();

  constructor(client: Client, options: RedisStateOptions) {
    this.#client = client;
    this.#prefix = options.prefix ?? '';
    this.#index = new FirstIndex(client, this.#prefix);
    this.#now = options.now ?? Date.now;
    this.#deleteRetentionMs = options.deleteRetentionMs ?? DELETE_RETENTION_MS;
    this.#report = options.report ?? {};
    this.#upkeep = new Upkeep(client);
  }

  async commit(view: string, part: StreamPartition, change: StateChange): Promise<Committed> {
    checkChange(change);
    const { stream, partition } = part;
    const base = keyBaseOf(this.#prefix, view, partition);
    const now = this.#now();
    await this.#upkeep.done(base);
    const buckets = this.#upkeep.buckets(base);
    const { puts, removals, segment } = packChange(change, now, buckets);
    const head = [stream, change.epoch, change.from, change.next, change.low, appendTimeOf(change) ?? ''];
    const more = [now - this.#deleteRetentionMs, change.proof ?? '-', change.feedGap === true ? 1 : 0];
    const args = [...[...head, ...more].map(String), puts, removals, segment, base, buckets];
    const answer = await this.#committed(view, partition, () => this.#client.runForBytes(COMMIT, keysOf(base), args));
    if (answer[0] === 1) {
      if (answer[3] === 1) this.#leftOldLayout();
      return { ok: false, expected: BigInt(answer[1].toString()), epoch: BigInt(answer[2].toString()) };
    }
    const [, count, moved, grow, compact, waiting] = answer;
    if (moved === 1) this.#leftOldLayout();
    this.#upkeep.start(base, stream, { buckets: count, grow: grow === 1, compact: compact === 1, waiting });
    return { ok: true };
  }

  /** A script that met damage may have written a part: what is left must not be read. */
  async #committed(view: string, partition: number, commit: () => Promise<unknown>): Promise<CommitAnswer> {
    try {
      return (await commit()) as CommitAnswer;
    } catch (e) {
      if (!isDamage(e)) throw e;
      await this.#setAside(view, partition, e, 'always');
      throw e;
    }
  }

  /**
   * Asks about a view partition. Where its keys hold what nobody of this room has written, it is set aside, and the answer is that of a partition that was never
   * filled: readers say that it is being folded, and its owner begins anew (R7.6).
   */
  async #asked<T>(view: string, partition: number, ask: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++)
      try {
        return await ask();
      } catch (e) {
        if (!isDamage(e)) throw e;
        // The first time another process may have set it aside meanwhile.
        if (tries === 2) await this.#setAside(view, partition, e, 'once a minute');
        if (tries < 3) continue;
        this.#report.damaged?.(this.#placeOf(view, partition), 'kept', e);
        throw isFault(e) ? e : new Fault('state_unavailable', { cause: e });
      }
  }

  /** Callers at the same time share one. */
  #setAside(view: string, partition: number, cause: unknown, often: 'always' | 'once a minute'): Promise<void> {
    const base = keyBaseOf(this.#prefix, view, partition);
    const running = this.#settingAside.get(base);
    if (running !== undefined) return running;
    const last = this.#aside.get(base) ?? Number.NEGATIVE_INFINITY;
    const now = performance.now();
    if (often === 'once a minute' && now - last < ASIDE_EVERY_MS) return Promise.resolve();
    const setting = this.#client
      .run(SET_ASIDE, [...keysOf(base), ...asideKeysOf(base)], [base, ASIDE_MS])
      .then(() => {
        this.#aside.set(base, now);
        this.#report.damaged?.(this.#placeOf(view, partition), 'set', cause);
      })
      .finally(() => this.#settingAside.delete(base));
    this.#settingAside.set(base, setting);
    return setting;
  }

  #placeOf(view: string, partition: number): DamagedPartition {
    return { view, partition, key: asideKeysOf(keyBaseOf(this.#prefix, view, partition))[0]! };
  }

  /** Partitions leave the old layout one by one, with their first commit; one report says that it has begun. */
  #leftOldLayout(): void {
    if (this.#hasLeftOldLayout) return;
    this.#hasLeftOldLayout = true;
    this.#report.leftOldLayout?.();
  }

  putFirst(ids: readonly First[]): Promise<readonly First[]> {
    return this.#index.putFirst(ids);
  }

  replaceFirst(rows: readonly FirstReplacement[]): Promise<readonly First[]> {
    return this.#index.replaceFirst(rows);
  }

  findFirst(ids: readonly { readonly source: string; readonly id: string }[]): Promise<readonly (First | undefined)[]> {
    return this.#index.findFirst(ids);
  }

  read(view: string, partition: number, keys: readonly string[], space: Space = 'entry'): Promise<ReadResult> {
    return this.#asked(view, partition, () => this.#read(view, partition, keys, space));
  }

  async #read(view: string, partition: number, keys: readonly string[], space: Space): Promise<ReadResult> {
    const base = keyBaseOf(this.#prefix, view, partition);
    const buckets = this.#upkeep.buckets(base);
    const args = [packWanted(space, keys, buckets), buckets];
    const answer = await this.#client.runForBytes(READ, partitionKeys(base), args);
    const [pairs, found, count] = answer as [Buffer[], (Buffer | null)[], number];
    if (count > 0) this.#upkeep.note(base, count);
    const progress = unpackAllProgress(pairs);
    const streams = new Map(progress.map(({ number, stream }) => [number, stream]));
    return {
      entries: keys.map((_, i) => (found[i] ? new StoredRecord(found[i]).entry(streams, partition) : undefined)),
      progress: progress.map(progressOf),
    };
  }

  scan(view: string, partition: number, range: ScanRange = {}): Promise<Page> {
    return this.#asked(view, partition, () => this.#scan(view, partition, range));
  }

  async #scan(view: string, partition: number, range: ScanRange): Promise<Page> {
    const { space = 'entry', after, prefix = '', limit = 500 } = range;
    const base = keyBaseOf(this.#prefix, view, partition);
    const start = storedKey(space, prefix);
    const beyond = after === undefined ? Buffer.alloc(0) : storedKey(space, after);
    const first = Buffer.compare(beyond, start) > 0 ? beyond : start;
    // The byte 255 does not occur in UTF-8, so this is greater than every key with the prefix.
    const end = Buffer.concat([Buffer.from('('), start, Buffer.of(255)]);
    const answer = await this.#client.runForBytes(SCAN, partitionKeys(base), [beyond, first, end, start, limit + 1]);
    const [pairs, found] = answer as [Buffer[], Buffer[]];
    const records = found.map((bytes) => new StoredRecord(bytes));
    const sorted = records
      .map((record) => ({ record, key: record.storedKey }))
      .sort((a, b) => Buffer.compare(a.key, b.key));
    const progress = unpackAllProgress(pairs);
    const streams = new Map(progress.map(({ number, stream }) => [number, stream]));
    return {
      entries: sorted.slice(0, limit).map(({ record }) => record.entry(streams, partition)),
      more: sorted.length > limit,
      progress: progress.map(progressOf),
    };
  }

  changes(view: string, part: StreamPartition, after: bigint, limit: number): Promise<ChangePage> {
    return this.#asked(view, part.partition, () => this.#changes(view, part, after, limit));
  }

  async #changes(view: string, part: StreamPartition, after: bigint, limit: number): Promise<ChangePage> {
    const base = keyBaseOf(this.#prefix, view, part.partition);
    const byKey = new Map<string, Change>();
    for (let from = String(after), wanted = limit; ;) {
      const args = [part.stream, from, wanted, FEED_LOOK];
      const answer = await this.#client.runForBytes(CHANGES, partitionKeys(base), args);
      const [pairs, found, more, last] = answer as [Buffer[], Buffer[], number, Buffer];
      const progress = unpackAllProgress(pairs);
      const own = progress.find(({ stream }) => stream === part.stream);
      for (const bytes of found) {
        const record = new StoredRecord(bytes);
        const { key } = record;
        const value = record.isTombstone ? null : record.value;
        byKey.set(key, { key, value, offset: record.offsetIn(own?.number ?? 0), appendTimeMs: record.appendTimeMs });
      }
      // 2: the records to look at were used up. Keys that changed again meanwhile come again at their newer offset.
      if (more === 2) {
        from = last.toString();
        wanted = Math.max(0, limit - byKey.size);
        continue;
      }
      const changes = [...byKey.values()].map((change) => ({ change, bytes: Buffer.from(change.key) }));
      changes.sort(
        ({ change: a, bytes: x }, { change: b, bytes: y }) =>
          Number(a.offset > b.offset) - Number(a.offset < b.offset) || Buffer.compare(x, y),
      );
      return {
        changes: changes.map(({ change }) => change),
        more: more === 1,
        gap: own?.expired !== undefined && after < own.expired,
        progress: progress.map(progressOf),
      };
    }
  }

  async position(view: string, part: StreamPartition): Promise<Progress | undefined> {
    return (await this.positions(view, [part]))[0];
  }

  async positions(view: string, parts: readonly StreamPartition[]): Promise<readonly (Progress | undefined)[]> {
    const byPartition = Map.groupBy(parts.keys(), (i) => parts[i]!.partition);
    const all = Array.from<Progress | undefined>({ length: parts.length });
    const ask = async (partition: number, members: number[]): Promise<void> => {
      const streams = members.map((i) => parts[i]!.stream);
      const keys = keysOf(keyBaseOf(this.#prefix, view, partition));
      const found = await this.#asked(view, partition, async () => {
        const texts = (await this.#client.run(POSITIONS, keys, streams)) as (string | null)[];
        return texts.map((text, n) => (text ? progressOf(unpackProgress(streams[n]!, text)) : undefined));
      });
      members.forEach((i, n) => (all[i] = found[n]));
    };
    await Promise.all(Array.from(byPartition, ([partition, members]) => ask(partition, members)));
    return all;
  }

  async reset(
    view: string,
    partition: number,
    { stream, next, proof = '-' }: FoundCheckpoint,
    starts: readonly FoldStart[],
    atMs: number,
  ): Promise<boolean> {
    const base = keyBaseOf(this.#prefix, view, partition);
    const rows = starts.flatMap((start) => [start.stream, packStart(start, atMs)]);
    const args = [base, stream, String(next ?? '-'), proof, ...rows];
    const done = await this.#asked(view, partition, () => this.#client.run(RESET, keysOf(base), args));
    return done === 1;
  }

  async drop(view: string, partitions: number): Promise<void> {
    for (let partition = 0; partition < partitions; partition++) {
      const base = keyBaseOf(this.#prefix, view, partition);
      await this.#client.run(DROP, [...keysOf(base), ...asideKeysOf(base)], [base]);
    }
  }

  ping(): Promise<void> {
    return this.#client.ping();
  }

  connection(): number {
    return this.#client.connections;
  }

  evictions(): number {
    return this.#client.evictions;
  }

  async close(): Promise<void> {
    this.#upkeep.close();
    this.#client.close();
  }
}

/**
 * Opens the State in Redis: waits for the first connection, then checks the server. Afterwards it reconnects by itself, without a limit of attempts.
 * Throws Fault `state_unavailable` (no answer, login refused, read-only replica) or `invalid_settings` (address, prefix, eviction policy, version).
 */
export async function openRedisState(options: RedisStateOptions): Promise<State> {
  if (!/^[A-Za-z0-9._:-]{0,64}$/.test(options.prefix ?? '')) {
    throw new Fault('invalid_settings', { detail: 'Redis prefix: at most 64 letters, digits and . _ - :' });
  }
  const client = await Client.open({
    address: parseRedisAddress(options.url),
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    timeoutMs: options.timeoutMs ?? 1_000,
    openTimeoutMs: options.openTimeoutMs ?? 5_000,
    ...(options.report === undefined ? {} : { report: options.report }),
  });
  return new RedisState(client, options);
}
