import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { pause } from '#concurrency';
import { startRedis, type RedisServer } from '../../deploy/local/redis.js';
import { deploy, type Deployment } from '../kit/deployment.js';
import { noOwnKafka, ownKafka } from '../kit/kafka.js';
import { standsStill } from '../kit/stands-still.js';
import { occupancy } from '../kit/occupancy.js';

const UNIT = 'SU00518';
const TYPE = 'pas.hunian.dilaporkan';
const open: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function event(id: string, filler = ''): string {
  return JSON.stringify({
    specversion: '1.0',
    id,
    source: `urn:simpul:unit:${UNIT}:sdp`,
    type: TYPE,
    ...(filler ? { korelasi: filler } : {}),
    data: occupancy(UNIT, '2021-07-15', 33, '2021-07-15T03:00:00Z'),
  });
}

interface Answer {
  readonly status: number;
  readonly ms: number;
  readonly retryAfter: string | null;
  readonly body: Record<string, unknown>;
}

class Caller {
  constructor(
    readonly hub: Deployment,
    readonly key: string,
  ) {}

  async ask(path: string, body?: string, type = 'application/cloudevents+json'): Promise<Answer> {
    const began = performance.now();
    const answer = await fetch(this.hub.url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${this.key}`, ...(body === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body }),
    });
    const parsed = (await answer.json()) as Record<string, unknown>;
    return {
      status: answer.status,
      ms: performance.now() - began,
      retryAfter: answer.headers.get('retry-after'),
      body: parsed,
    };
  }

  publish(id: string): Promise<Answer> {
    return this.ask('/v1/events', event(id));
  }

  state(): Promise<Answer> {
    return this.ask(`/v1/state/pas.hunian-unit/${UNIT}`);
  }

  /** Repeats a request until its answer is as wanted; `check` sees every answer before that too. */
  async until(
    ask: () => Promise<Answer>,
    wanted: (a: Answer) => boolean,
    check: (a: Answer) => void = () => undefined,
  ): Promise<Answer> {
    for (;;) {
      const a = await ask();
      check(a);
      if (wanted(a)) return a;
      await pause(100);
    }
  }
}

async function caller(hub: Deployment): Promise<Caller> {
  return new Caller(hub, await hub.key(UNIT, 'sdp', ['publisher', 'reader']));
}

const created = (a: Answer): boolean => a.status === 201 || a.status === 200;
const withKafka = noOwnKafka() === undefined ? it : it.skip;

describe('an outage of Kafka or Redis', () => {
  async function stage(): Promise<{
    c: Caller;
    cluster: Awaited<ReturnType<typeof ownKafka>>['cluster'];
    redis: RedisServer;
  }> {
    const kafka = await ownKafka();
    open.push(() => kafka.stop());
    const dir = mkdtempSync(join(tmpdir(), 'simpul-redis-'));
    const redis = await startRedis({ dir });
    open.push(async () => {
      await redis.stop();
      rmSync(dir, { recursive: true, force: true });
    });
    const hub = await deploy({
      SIMPUL_ENGINE: 'kafka',
      SIMPUL_KAFKA: kafka.brokers.join(','),
      SIMPUL_REDIS: redis.url,
    });
    open.push(() => hub.close());
    return { c: await caller(hub), cluster: kafka.cluster, redis };
  }

  withKafka(
    'while a broker stands still, publishing gets 503 within 5 s, state is read as stale and health names the door; afterwards the hub recovers without a restart',
    async () => {
      const { c, cluster } = await stage();
      expect((await c.publish('before')).status).toBe(201);
      await c.until(
        () => c.state(),
        (a) => a.status === 200,
      );
      // A courier that has not joined its group yet is not ready for longer than the outage.
      await c.until(
        () => c.ask('/health/ready'),
        (a) => a.status === 200,
      );
      // Also when this test fails: a hub cannot close while its broker stands still.
      open.push(() => cluster.kill(1, 'SIGCONT'));
      cluster.kill(1, 'SIGSTOP');
      await standsStill(cluster.node(1).pid);
      const during = await c.publish('during');
      expect(during).toMatchObject({ status: 503 });
      expect(during.retryAfter).not.toBeNull();
      expect(during.ms).toBeLessThan(10_000);
      expect((await c.state()).status).toBe(200);
      await c.until(
        () => c.state(),
        (a) => a.body['stale'] === true,
        (a) => expect(a.status).toBe(200),
      );
      // What the door knew before counts until a question has waited 1.5 s.
      await c.until(
        () => c.ask('/health/ready?door=publish'),
        (a) => a.status === 503,
      );
      expect((await c.ask('/health/ready')).status).toBe(200);
      cluster.kill(1, 'SIGCONT');
      const again = await c.until(() => c.publish('during'), created);
      expect((await c.publish('before')).body).toMatchObject({ duplicate: true });
      const receipt = await c.until(
        () => c.ask(`/v1/receipts?source=urn:simpul:unit:${UNIT}:sdp&id=during`),
        (a) => a.status === 200,
      );
      expect(receipt.body['digest']).toBe(again.body['digest']);
      const read = await c.until(
        () => c.ask(`/v1/streams/pas.hunian/events?limit=100`),
        (a) => a.body['incomplete'] !== true && (a.body['events'] as unknown[]).length >= 2,
      );
      expect((read.body['events'] as { id: string }[]).map((e) => e.id).toSorted()).toEqual(['before', 'during']);
    },
    180_000,
  );

  withKafka(
    'while Redis is emptied or killed, publishing goes on and state answers 503 (rebuilding), never 404; the views are rebuilt without a restart',
    async () => {
      const { c, redis } = await stage();
      expect((await c.publish('one')).status).toBe(201);
      const before = await c.until(
        () => c.state(),
        (a) => a.status === 200,
      );
      const never404 = (a: Answer): void => expect([200, 503]).toContain(a.status);
      const port = new URL(redis.url).port;
      const flushed = spawnSync(
        'bash',
        ['-c', `exec 3<>/dev/tcp/127.0.0.1/${port}; printf 'FLUSHALL\\r\\n' >&3; head -c5 <&3`],
        { encoding: 'utf8' },
      );
      expect(flushed.stdout).toContain('+OK');
      const rebuilt = await c.until(
        () => c.state(),
        (a) => a.status === 200 && a.body['stale'] === false,
        never404,
      );
      expect(rebuilt.body['value']).toEqual(before.body['value']);
      await redis.kill('SIGKILL');
      await c.until(
        () => c.state(),
        (a) => a.status === 503,
        never404,
      );
      expect((await c.until(() => c.publish('two'), created)).status).toBe(201);
      await redis.start();
      const back = await c.until(
        () => c.state(),
        (a) => a.status === 200 && a.body['stale'] === false,
        never404,
      );
      expect(back.body['value']).toEqual(before.body['value']);
      expect((await c.publish('two')).body).toMatchObject({ duplicate: true });
    },
    180_000,
  );
});

const mounted = ((): boolean => {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-mount-'));
  const done = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir]).status === 0;
  if (done) spawnSync('umount', [dir]);
  rmSync(dir, { recursive: true, force: true });
  return done;
})();

describe('a hub with a full disk', () => {
  (mounted || process.env['CI'] === 'true' ? it : it.skip)(
    'answers 503, loses no acknowledged event, and publishes again when there is space',
    async () => {
      const dir = mkdtempSync(join(tmpdir(), 'simpul-full-'));
      expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', dir]).status).toBe(0);
      open.push(() => {
        spawnSync('umount', ['-l', dir]);
        rmSync(dir, { recursive: true, force: true });
      });
      const hub = await deploy({ SIMPUL_DATA: join(dir, 'data') });
      open.push(() => hub.close());
      const c = new Caller(hub, await hub.key(UNIT, 'sdp', ['publisher', 'reader']));
      expect((await c.publish('before')).status).toBe(201);
      spawnSync('bash', ['-c', `dd if=/dev/zero of=${dir}/filler bs=1M 2>/dev/null`]);
      const acknowledged = new Set(['before']);
      let n = 0;
      const refused = await c.until(
        () => {
          const lines = Array.from({ length: 200 }, () => event(`fill-${n++}`, 'x'.repeat(1000)));
          return c.ask('/v1/events', lines.join('\n'), 'application/x-ndjson');
        },
        (a) => a.status === 503,
        (a) => {
          if (a.status === 201) for (const r of a.body['receipts'] as { id: string }[]) acknowledged.add(r.id);
        },
      );
      expect(refused.retryAfter).not.toBeNull();
      rmSync(join(dir, 'filler'));
      writeFileSync(join(dir, 'room'), '');
      await c.until(() => c.publish('after'), created);
      acknowledged.add('after');
      const ids: string[] = [];
      let cursor = '';
      await c.until(
        () => c.ask(`/v1/streams/pas.hunian/events?limit=500${cursor ? `&cursor=${cursor}` : ''}`),
        (a) => (a.body['events'] as unknown[]).length === 0 && a.body['incomplete'] !== true,
        (a) => {
          expect(a.status).toBe(200);
          for (const e of a.body['events'] as { id: string }[]) ids.push(e.id);
          cursor = encodeURIComponent(String(a.body['next']));
        },
      );
      expect(new Set(ids).size).toBe(ids.length);
      for (const id of acknowledged) expect(ids).toContain(id);
    },
    120_000,
  );
});
