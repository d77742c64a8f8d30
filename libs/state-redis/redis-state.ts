import { Fault } from '#faults';
import {
  checkChange,
  DELETE_RETENTION_MS,
  appendTimeOf,
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
import type { RedisReport } from './trust.js';
import { FirstIndex } from './first-index.js';
import { keyBaseOf, packEntry, packStart, progressOf, unpackAllProgress, unpackEntry, unpackProgress } from './rows.js';
import { CHANGES, COMMIT, DROP, READ, RESET, SCAN } from './scripts.js';

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

/** The keys of a view partition, but for its change feeds. */
const fixedKeys = (base: string): string[] => ['o', 'e', 'el', 's', 'sl', 'd', 'dx'].map((name) => base + name);

type Texts = readonly (string | null)[];

class RedisState implements State {
  readonly #client: Client;
  readonly #index: FirstIndex;
  readonly #prefix: string;
  readonly #now: () => number;
  readonly #deleteRetentionMs: number;

  constructor(client: Client, options: RedisStateOptions) {
    this.#client = client;
    this.#prefix = options.prefix ?? '';
    this.#index = new FirstIndex(client, this.#prefix);
    this.#now = options.now ?? Date.now;
    this.#deleteRetentionMs = options.deleteRetentionMs ?? DELETE_RETENTION_MS;
  }

  async commit(view: string, part: StreamPartition, change: StateChange): Promise<Committed> {
    checkChange(change);
    const { stream, partition } = part;
    const base = keyBaseOf(this.#prefix, view, partition);
    const rows: string[] = [];
    const count = [0, 0, 0, 0];
    for (const { space, key, value, offset, appendTimeMs } of change.puts) {
      if (space !== 'entry') continue;
      rows.push(key, packEntry(stream, partition, offset, appendTimeMs, value), String(offset));
      count[0]!++;
    }
    for (const { space, key, offset, appendTimeMs } of change.deletes) {
      if (space !== 'entry') continue;
      rows.push(key, String(appendTimeMs), String(offset));
      count[1]!++;
    }
    for (const { space, key, value, offset, appendTimeMs } of change.puts) {
      if (space !== 'part') continue;
      rows.push(key, packEntry(stream, partition, offset, appendTimeMs, value));
      count[2]!++;
    }
    for (const { space, key } of change.deletes) {
      if (space !== 'part') continue;
      rows.push(key);
      count[3]!++;
    }
    const now = this.#now();
    const head = [stream, change.epoch, change.from, change.next, change.low, appendTimeOf(change) ?? '', now];
    const keys = ['o', 'e', 'el', 's', 'sl', `f:${stream}`, 'd', 'dx'].map((name) => base + name);
    const args = [
      ...head,
      now - this.#deleteRetentionMs,
      base,
      ...count,
      change.proof ?? '-',
      change.feedGap === true ? 1 : 0,
    ].map(String);
    const refused = (await this.#client.run(COMMIT, keys, [...args, ...rows])) as [string, string] | null;
    return refused === null ? { ok: true } : { ok: false, expected: BigInt(refused[0]), epoch: BigInt(refused[1]) };
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

  async read(view: string, partition: number, keys: readonly string[], space: Space = 'entry'): Promise<ReadResult> {
    const base = keyBaseOf(this.#prefix, view, partition);
    const hashes = [`${base}o`, base + (space === 'entry' ? 'e' : 's')];
    const [progress, values] = (await this.#client.run(READ, hashes, keys)) as [string[], Texts];
    return {
      entries: keys.map((key, i) => unpackEntry(key, values[i])),
      progress: unpackAllProgress(progress).map(progressOf),
    };
  }

  async scan(view: string, partition: number, range: ScanRange = {}): Promise<Page> {
    const { space = 'entry', after, prefix = '', limit = 500 } = range;
    const base = keyBaseOf(this.#prefix, view, partition);
    const [hash, sortedKeys] = space === 'entry' ? ['e', 'el'] : ['s', 'sl'];
    const start = Buffer.from(prefix);
    const beyond = after === undefined ? undefined : Buffer.from(after);
    const min =
      beyond !== undefined && Buffer.compare(beyond, start) >= 0
        ? Buffer.concat([Buffer.from('('), beyond])
        : Buffer.concat([Buffer.from('['), start]);
    // The byte 255 does not occur in UTF-8, so this is greater than every key with the prefix.
    const max = prefix === '' ? '+' : Buffer.concat([Buffer.from('('), start, Buffer.of(255)]);
    const [progress, keys, values] = (await this.#client.run(
      SCAN,
      [`${base}o`, base + hash, base + sortedKeys],
      [min, max, limit],
    )) as [string[], string[], Texts];
    return {
      entries: keys.slice(0, limit).flatMap((key, i) => unpackEntry(key, values[i]) ?? []),
      more: keys.length > limit,
      progress: unpackAllProgress(progress).map(progressOf),
    };
  }

  async changes(view: string, part: StreamPartition, after: bigint, limit: number): Promise<ChangePage> {
    const base = keyBaseOf(this.#prefix, view, part.partition);
    const keys = [`${base}o`, `${base}e`, `${base}f:${part.stream}`, `${base}d`];
    const [pairs, rows, values, deleted, more] = (await this.#client.run(CHANGES, keys, [String(after), limit])) as [
      string[],
      string[],
      Texts,
      Texts,
      number,
    ];
    const progress = unpackAllProgress(pairs);
    const expired = progress.find(({ stream }) => stream === part.stream)?.expired;
    const changes = values.map((text, i) => {
      const key = rows[i * 2]!;
      const entry = unpackEntry(key, text);
      const appendTimeMs = entry?.appendTimeMs ?? Number(deleted[i] ?? 0);
      return { key, value: entry?.value ?? null, offset: BigInt(rows[i * 2 + 1]!), appendTimeMs };
    });
    return {
      changes,
      more: more === 1,
      gap: expired !== undefined && after < expired,
      progress: progress.map(progressOf),
    };
  }

  async position(view: string, part: StreamPartition): Promise<Progress | undefined> {
    return (await this.positions(view, [part]))[0];
  }

  async positions(view: string, parts: readonly StreamPartition[]): Promise<readonly (Progress | undefined)[]> {
    const byPartition = Map.groupBy(parts.keys(), (i) => parts[i]!.partition);
    const all = Array.from<Progress | undefined>({ length: parts.length });
    const ask = async (partition: number, members: number[]): Promise<void> => {
      const streams = members.map((i) => parts[i]!.stream);
      const texts = await this.#client.hmget(`${keyBaseOf(this.#prefix, view, partition)}o`, streams);
      members.forEach((i, n) => {
        const text = texts[n];
        if (text) all[i] = progressOf(unpackProgress(streams[n]!, text));
      });
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
    const done = await this.#client.run(RESET, fixedKeys(base), [base, stream, String(next ?? '-'), proof, ...rows]);
    return done === 1;
  }

  async drop(view: string, partitions: number): Promise<void> {
    for (let partition = 0; partition < partitions; partition++) {
      const base = keyBaseOf(this.#prefix, view, partition);
      await this.#client.run(DROP, fixedKeys(base), [base]);
    }
  }

  ping(): Promise<void> {
    return this.#client.ping();
  }

  connection(): number {
    return this.#client.connections;
  }

  async close(): Promise<void> {
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
