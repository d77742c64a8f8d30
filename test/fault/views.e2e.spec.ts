import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startRedis, type RedisServer } from '../../deploy/local/redis.js';
import { burst, Crowd, keysOf, samplesOf, type Key } from '../kit/bursts/bursts.js';
import { expectReceipts, expectSound } from '../kit/bursts/verdict.js';
import type { HistoryLine } from '../kit/checking/history.js';
import { deploy, type Deployment } from '../kit/deployment.js';
import { noKafka, noOwnKafka, ownKafka, testKafka, type TestKafka } from '../kit/kafka.js';
import { random } from '../kit/projection/traffic.js';

/**
 * Each fault strikes in the middle of a burst of mixed events (about 250, six systems, lists, copies), and everything since the first burst is judged
 * after each of them: log, read door, every view against a plain fold, receipts.
 */
const campaign = process.env['SIMPUL_TEST_CAMPAIGN'] === '1';
const SEEDS = [3, 7, 11, 19, 23, 31, 42, 57, 64, 71, 83, 97, 101, 113, 127, 139, 151, 163, 179, 191];
/** With a second gateway that is sent the same ids. */
const TWINS = new Set([7, 57, 97, 139, 179]);
const seeds = { embedded: SEEDS.slice(0, campaign ? 20 : 3), kafka: SEEDS.slice(0, campaign ? 20 : 2) };
/** The moment of the fault: after so many steps (sent, answered) of a burst of about 700. */
const STEPS = [20, 500] as const;
const redisCache = join(import.meta.dirname, '../../.simpul/redis');

class Stage {
  readonly lines: HistoryLine[] = [];
  hub!: Deployment;
  keys!: Key[];
  steward!: string;
  crowd!: Crowd;
  redis: RedisServer | undefined;
  #dir: string | undefined;
  #settings: Record<string, string> = {};
  #kafka: TestKafka | undefined;
  #samples!: Awaited<ReturnType<typeof samplesOf>>;
  #told: () => void = () => {};

  async open(kafka?: TestKafka): Promise<void> {
    if (kafka !== undefined) {
      this.#kafka = kafka;
      this.#dir = mkdtempSync(join(tmpdir(), 'simpul-views-'));
      this.redis = await startRedis({ dir: join(this.#dir, 'redis'), cache: redisCache });
      this.#settings = {
        SIMPUL_ENGINE: 'kafka',
        SIMPUL_KAFKA: kafka.brokers.join(','),
        SIMPUL_KAFKA_PREFIX: kafka.prefix,
        SIMPUL_REDIS: this.redis.url,
      };
    }
    this.hub = await deploy(this.#settings);
    this.keys = await keysOf(this.hub);
    this.steward = await this.hub.key('SU00002', 'pemeriksa', ['steward']);
    this.#samples = await samplesOf(this.hub);
    this.crowd = new Crowd(this.hub.url, 'hub', this.keys, this.lines, () => this.#told());
  }

  /** A second gateway over the same log and store. */
  gateway(): Promise<Deployment> {
    const settings = { ...this.#settings, SIMPUL_PSEUDONYM_KEY_FILE: join(this.hub.dir, 'pseudonym.key') };
    return deploy(settings, 'apps/gateway/src/main.js');
  }

  /** Publishes a burst, has `fault` strike within it, waits until all of it is settled. Answers the lines of the burst. */
  async strike(seed: number, fault: () => Promise<void>, twins?: Crowd): Promise<readonly HistoryLine[]> {
    const from = this.lines.length;
    const [least, most] = STEPS;
    let left = least + Math.floor(random(seed)() * (most - least));
    const moment = new Promise<void>((reached) => {
      this.#told = () => {
        if (--left === 0) reached();
      };
    });
    const all = burst(this.crowd, this.keys, seed, this.#samples, twins);
    await Promise.race([moment, all]);
    const count = (...types: string[]): number => this.lines.slice(from).filter((l) => types.includes(l.type)).length;
    // In the middle: something is acknowledged, something else is still open.
    expect(count('ok')).toBeGreaterThan(0);
    expect(count('ok', 'fail')).toBeLessThan(count('invoke'));
    await fault();
    await all;
    return this.lines.slice(from);
  }

  async expectAllSound(burstLines: readonly HistoryLine[]): Promise<void> {
    const verdict = await expectSound(this.hub.url, this.steward, this.lines, this.redis ? 'kafka' : 'embedded');
    expect(verdict).toMatchObject({ lost: 0, doubled: 0, misordered: 0 });
    expect(await expectReceipts(this.hub.url, this.steward, burstLines)).toBeGreaterThan(200);
  }

  async close(): Promise<void> {
    await this.crowd?.close();
    await this.hub?.close();
    await this.redis?.stop();
    await this.#kafka?.stop();
    if (this.#dir !== undefined) rmSync(this.#dir, { recursive: true, force: true });
  }

  quiet(): void {
    this.#told = () => {};
  }
}

function staged(kafka?: () => Promise<TestKafka>): Stage {
  const stage = new Stage();
  beforeAll(async () => stage.open(await kafka?.()), 180_000);
  afterEach(() => stage.quiet());
  afterAll(() => stage.close(), 60_000);
  return stage;
}

const only = (reason: string | undefined): typeof describe | typeof describe.skip =>
  reason === undefined ? describe : describe.skip;

describe('kill -9 of the hub, embedded', () => {
  const stage = staged();
  it.each(seeds.embedded)(
    'seed %i: log, views and receipts are sound',
    async (seed) => {
      await stage.expectAllSound(await stage.strike(seed, () => stage.hub.crash()));
    },
    120_000,
  );
});

only(await noKafka())('kill -9 of the hub, Kafka and Redis', () => {
  const stage = staged(testKafka);
  it.each(seeds.kafka.map((seed) => [seed, TWINS.has(seed)] as const))(
    'seed %i (a second gateway is sent the same ids: %s): log, views and receipts are sound',
    async (seed, twin) => {
      const gateway = twin ? await stage.gateway() : undefined;
      const twins = gateway && new Crowd(gateway.url, 'gateway', stage.keys, stage.lines);
      try {
        const lines = await stage.strike(seed, () => stage.hub.crash(), twins);
        await stage.expectAllSound(lines);
        if (gateway) await expectReceipts(gateway.url, stage.steward, lines);
      } finally {
        await twins?.close();
        await gateway?.close();
      }
    },
    180_000,
  );
});

only(noOwnKafka())('broker and Redis under a hub that goes on', () => {
  let cluster: Awaited<ReturnType<typeof ownKafka>>['cluster'];
  const stage = staged(async () => {
    const kafka = await ownKafka();
    ({ cluster } = kafka);
    return kafka;
  });
  const health = async (): Promise<{ status: number; doors: Record<string, unknown>[] }> => {
    const got = await fetch(`${stage.hub.url}/health/ready`);
    return { status: got.status, doors: ((await got.json()) as { doors: Record<string, unknown>[] }).doors };
  };
  const headers = (): Record<string, string> => ({ authorization: `Bearer ${stage.steward}` });

  it('broker killed and started: the door that fails is named, and all is sound again by itself', async () => {
    const lines = await stage.strike(3, async () => {
      cluster.kill(1, 'SIGKILL');
      for (;;) {
        const { status, doors } = await health();
        // State is still read, so the process stays in service.
        expect(status).toBe(200);
        expect(doors).toContainEqual({ name: 'state', ok: true });
        if (doors.some((d) => d['name'] === 'publish' && d['ok'] === false)) {
          expect(doors).toContainEqual({ name: 'publish', ok: false, reason: 'log_unavailable' });
          break;
        }
        await new Promise((r) => setTimeout(r, 100));
      }
      await cluster.start(1);
    });
    await stage.expectAllSound(lines);
    expect((await health()).doors.every((d) => d['ok'])).toBe(true);
  }, 180_000);

  it('Redis emptied: every view comes back equal to a plain fold; no entry is denied meanwhile', async () => {
    const path = '/v1/state/pas.hunian-unit/SU00208';
    const lines = await stage.strike(7, async () => {
      const command = `exec 3<>/dev/tcp/127.0.0.1/${stage.redis!.port}; printf 'FLUSHALL\\r\\n' >&3; head -c3 <&3`;
      expect(spawnSync('bash', ['-c', command], { encoding: 'utf8' }).stdout).toBe('+OK');
      for (;;) {
        const got = await fetch(stage.hub.url + path, { headers: headers() });
        expect([200, 503]).toContain(got.status);
        await got.arrayBuffer();
        if (got.status === 200) break;
      }
    });
    await stage.expectAllSound(lines);
  }, 180_000);

  it('Redis killed and started: publishing goes on without it, copies of that time are left out, every view is right', async () => {
    const lines = await stage.strike(11, async () => {
      await stage.redis!.kill('SIGKILL');
      const done = (): number => stage.lines.filter((l) => l.type === 'ok').length;
      const before = done();
      while (done() < before + 50) await new Promise((r) => setTimeout(r, 20));
      await stage.redis!.start();
    });
    await stage.expectAllSound(lines);
  }, 180_000);
});
