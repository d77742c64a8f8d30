import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { Admin } from '@platformatic/kafka';
import { pause } from '#concurrency';
import { openKafkaLog } from '#log-kafka';
import { startRedis, type RedisServer } from '../../deploy/local/redis.js';
import { burst, keysOf, PublisherGroup, samplesOf, type Key } from '../kit/bursts/bursts.js';
import { expectReceipts, expectSound } from '../kit/bursts/verdict.js';
import type { HistoryLine } from '../kit/checking/history.js';
import { HubClient } from '../kit/checking/hub-client.js';
import { deploy, type Deployment } from '../kit/deployment.js';
import { noKafka, testKafka, type TestKafka } from '../kit/kafka.js';

/** What an operator may do to Redis and Kafka under a running hub: each fault happens in a burst, and afterwards everything since the first burst is judged. */
const ROUNDS = process.env['SIMPUL_TEST_CAMPAIGN'] === '1' ? 5 : 1;
const SEEDS = Array.from({ length: ROUNDS }, (_, n) => 211 + 2 * n);
/** Streams of the bursts; the first has an order over the whole stream, so one partition. */
const STREAMS = ['imigrasi.cegah', 'pas.hunian', 'layanan.kasus', 'imigrasi.paspor'];
/** Views of which no event takes an entry away. */
const VIEWS = ['pas.hunian-unit', 'layanan.kasus-papan', 'imigrasi.paspor-status'];

let kafka: TestKafka;
let dir: string;
let redis: RedisServer;
let admin: Redis;
let hub: Deployment;
let keys: Key[];
let steward: string;
let samples: Awaited<ReturnType<typeof samplesOf>>;
let publishers: PublisherGroup;
const lines: HistoryLine[] = [];
let watch: Watch | undefined;

/** Reads entries and lists that exist, again and again, and keeps every answer that says otherwise. */
class Watch {
  readonly seen = new Map<string, number>();
  readonly wrong: string[] = [];
  readonly #stopped = new AbortController();
  readonly #readers: Promise<void>[];

  /** `lists`: `whole` when they hold every known entry or are 503; `stale` when they may also lack some and say so. */
  constructor(
    known: ReadonlyMap<string, readonly string[]>,
    readonly lists: 'whole' | 'stale',
  ) {
    this.#readers = [...known].map(([view, entries]) => this.#read(view, entries));
  }

  async #ask(path: string): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
    const init = { headers: { authorization: `Bearer ${steward}` } };
    const answer = await fetch(hub.url + path, init).catch(() => undefined);
    const body = (await answer?.json().catch(() => undefined)) as Record<string, unknown> | undefined;
    // The hub was killed.
    if (answer === undefined || body === undefined) return { status: 0, body: {} };
    const name = answer.status === 200 ? '200' : `${answer.status} ${String(body['code'])}`;
    this.seen.set(name, (this.seen.get(name) ?? 0) + 1);
    if (answer.status !== 200 && answer.status !== 503) this.wrong.push(`${path}: ${name}`);
    return { status: answer.status, body };
  }

  async #read(view: string, entries: readonly string[]): Promise<void> {
    for (let n = 0; !this.#stopped.signal.aborted; n++) {
      await this.#ask(`/v1/state/${view}/${encodeURIComponent(entries[n % entries.length]!)}`);
      if (n % 10 === 0) await this.#list(view, entries);
      await pause(5);
    }
  }

  async #list(view: string, entries: readonly string[]): Promise<void> {
    const found = new Set<string>();
    let stale = false;
    for (let cursor = ''; ;) {
      const { status, body } = await this.#ask(`/v1/state/${view}?limit=500${cursor}`);
      if (status !== 200) return;
      stale ||= body['stale'] === true;
      const page = body['entries'] as { key: string }[];
      for (const { key } of page) found.add(key);
      if (page.length === 0 || typeof body['next'] !== 'string') break;
      cursor = `&cursor=${encodeURIComponent(body['next'])}`;
    }
    const missing = entries.filter((key) => !found.has(key));
    if (missing.length > 0 && !(stale && this.lists === 'stale'))
      this.wrong.push(`list of ${view}: ${missing.length} of ${entries.length} are missing`);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#readers);
  }

  async end(): Promise<ReadonlyMap<string, number>> {
    await this.stop();
    expect(this.wrong.slice(0, 10)).toEqual([]);
    return this.seen;
  }
}

async function knownEntries(): Promise<Map<string, string[]>> {
  const known = new Map<string, string[]>();
  const client = new HubClient(hub.url, steward);
  for (const view of VIEWS)
    for await (const { key } of client.state(view)) known.set(view, [...(known.get(view) ?? []), key]);
  return known;
}

type Health = {
  readonly status: string;
  readonly doors: readonly { readonly name: string; readonly ok: boolean; readonly reason?: string }[];
  readonly concerns?: readonly Record<string, string>[];
};
const health = async (): Promise<Health> => (await (await fetch(`${hub.url}/health/ready`)).json()) as Health;
const doorOf = async (name: string) => (await health()).doors.find((door) => door.name === name)!;

async function alarms(code: string): Promise<number> {
  const text = await (await fetch(`${hub.url}/metrics`)).text();
  return Number(new RegExp(`^simpul_alarms_total\\{code="${code}"[^}]*\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 90_000; Date.now() < end; await pause(50)) if (await condition()) return;
  throw new Error(`not within 90 s: ${what}`);
}

const acknowledged = (): number => lines.filter((line) => line.type === 'ok').length;

/** A burst with a fault in it, begun when the first events are acknowledged. */
async function burstWith(seed: number, fault: () => Promise<void> = () => Promise.resolve()): Promise<void> {
  const from = lines.length;
  const before = acknowledged();
  const all = burst(publishers, keys, seed, samples);
  await Promise.race([until('the first events of the burst', () => acknowledged() > before + 20), all]);
  await fault();
  await all;
  const verdict = await expectSound(hub.url, steward, lines, 'kafka');
  expect(verdict).toMatchObject({ lost: 0, doubled: 0, misordered: 0 });
  expect(await expectReceipts(hub.url, steward, lines.slice(from))).toBeGreaterThan(200);
  await until('every door to work', async () => (await health()).doors.every((door) => door.ok));
}

const numberOf = async (section: string, name: string): Promise<number> =>
  Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await admin.info(section))?.[1]);
const viewPartitions = async (): Promise<number> => (await admin.keys('*:2')).length;

const why = await noKafka();
(why === undefined ? describe : describe.skip)('what an operator does to Redis and Kafka under a running hub', () => {
  beforeAll(async () => {
    kafka = await testKafka();
    dir = mkdtempSync(join(tmpdir(), 'simpul-operators-'));
    // Data as of the last SAVE: what a restored RDB file is.
    const args = ['--appendonly', 'no'];
    redis = await startRedis({ dir, cache: join(import.meta.dirname, '../../.simpul/redis'), args });
    admin = new Redis(redis.url, { retryStrategy: () => 50 });
    admin.on('error', () => {});
    hub = await deploy({
      SIMPUL_ENGINE: 'kafka',
      SIMPUL_KAFKA: kafka.brokers.join(','),
      SIMPUL_KAFKA_PREFIX: kafka.prefix,
      SIMPUL_REDIS: redis.url,
    });
    keys = await keysOf(hub);
    steward = await hub.key('SU00002', 'pemeriksa', ['steward']);
    samples = await samplesOf(hub);
    publishers = new PublisherGroup(hub.url, 'hub', keys, lines);
    await burstWith(201);
  }, 180_000);
  afterEach(async () => {
    await watch?.stop();
    watch = undefined;
    // A case that failed half-way leaves Redis as the next case expects it.
    if (admin?.status !== 'ready') return;
    await admin.config('SET', 'maxmemory', '0');
    await admin.config('SET', 'maxmemory-policy', 'noeviction');
  });
  afterAll(async () => {
    await publishers?.close();
    await hub?.close();
    admin?.disconnect();
    await redis?.stop();
    await kafka?.stop();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  it.each(SEEDS)(
    'seed %i: a Redis policy that evicts is told, no entry is answered 404 and no list is short while keys vanish, and afterwards views and receipts agree with the log',
    async (seed) => {
      const watching = (watch = new Watch(await knownEntries(), 'whole'));
      const before = await alarms('state_evicted');
      await burstWith(seed, async () => {
        await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
        await until('health to tell', async () => (await doorOf('state')).reason === 'state_untrusted');
        // Least recently used first: rows of the duplicate index, then views that nobody reads; the entries that are read go last.
        const views = await viewPartitions();
        await until('views to be evicted and a read to say so', async () => {
          await admin.config('SET', 'maxmemory', String((await numberOf('memory', 'used_memory')) - 50_000));
          return (await viewPartitions()) < views - 3 && watching.seen.has('503 view_rebuilding');
        });
        // Publishing goes on, unchecked for duplicates: every event of a whole burst gets its receipt.
        await burst(publishers, keys, seed + 1_000, samples);
        await admin.config('SET', 'maxmemory', '0');
        await admin.config('SET', 'maxmemory-policy', 'noeviction');
        await until('trust', async () => (await doorOf('state')).ok);
      });
      const seen = await watching.end();
      expect(seen.get('200')).toBeGreaterThan(0);
      expect(await alarms('state_untrusted')).toBeGreaterThan(0);
      expect(await alarms('state_evicted')).toBeGreaterThan(before);
    },
    600_000,
  );

  it.each(SEEDS.map((seed, n) => [seed, n % 2 === 1 ? 'killed with it' : 'running'] as const))(
    'seed %i: Redis comes back with an older RDB file under a newer log, the hub %s: no entry of before is answered 404, and views and receipts agree with the log',
    async (seed, hubIs) => {
      await admin.save();
      const from = lines.length;
      await burst(publishers, keys, seed + 2_000, samples);
      await expectSound(hub.url, steward, lines, 'kafka');
      // Entries that the RDB file does not have are among them.
      const watching = (watch = new Watch(await knownEntries(), 'stale'));
      // A hub that starts anew says of what is behind for 5 s that it is stale (R7.3).
      if (hubIs !== 'running') await pause(6_000);
      await burstWith(seed + 3_000, async () => {
        if (hubIs !== 'running') await hub.stop('SIGKILL');
        await redis.kill('SIGKILL');
        await redis.start();
        if (hubIs !== 'running') await hub.start();
      });
      const seen = await watching.end();
      expect(seen.get('200')).toBeGreaterThan(0);
      expect(await expectReceipts(hub.url, steward, lines.slice(from))).toBeGreaterThan(400);
    },
    600_000,
  );

  const recorded = new Map<string, number>();
  it.each(SEEDS)(
    'seed %i: partitions that are added to every stream are told while the hub runs and at its next start, which is not refused; no event goes to them, and log, views and receipts agree',
    async (seed) => {
      const operator = new Admin({ clientId: 'operator', bootstrapBrokers: [...kafka.brokers] });
      const log = await openKafkaLog({ brokers: kafka.brokers, prefix: kafka.prefix, clientId: 'uji' });
      const toldAll = async (now: ReadonlyMap<string, number>): Promise<void> =>
        until('health to tell all of them', async () => {
          const concerns = (await health()).concerns ?? [];
          return STREAMS.every((stream) =>
            concerns.some(
              (c) =>
                c['subject'] === kafka.prefix + stream &&
                c['setting'] === 'partitions' &&
                c['actual'] === String(now.get(stream)) &&
                c['needed'] === String(recorded.get(stream)),
            ),
          );
        });
      try {
        const now = new Map<string, number>();
        for (const stream of STREAMS) {
          const { length } = await log.describe(stream);
          if (!recorded.has(stream)) recorded.set(stream, length);
          now.set(stream, length + 2);
        }
        const before = await alarms('topic_unsafe');
        await burstWith(seed + 4_000, async () => {
          const topics = [...now].map(([stream, count]) => ({ name: kafka.prefix + stream, count, assignments: null }));
          await operator.createPartitions({ topics, validateOnly: false });
          await toldAll(now);
        });
        expect((await alarms('topic_unsafe')) - before).toBeGreaterThanOrEqual(STREAMS.length);
        expect(await hub.stop()).toBe(0);
        await hub.start();
        await burstWith(seed + 5_000);
        await toldAll(now);
        for (const [stream, count] of now) {
          await until(
            'the test to see the added partitions',
            async () => (await log.describe(stream)).length === count,
          );
          const added = (await log.describe(stream)).slice(recorded.get(stream));
          expect([stream, added.map((p) => p.high)]).toEqual([stream, added.map(() => 0n)]);
        }
      } finally {
        await operator.close();
        await log.close();
      }
    },
    600_000,
  );
});
