import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { openKafkaLog } from '#log-kafka';
import { startRedis, type RedisServer } from '../../deploy/local/redis.js';
import { CASE_STREAM, CASE_VIEW, caseEvent, caseNumber, SYSTEM, UNIT } from '../bench/case-event.js';
import { deploy, type Deployment } from '../kit/deployment.js';
import { noKafka, testKafka, type TestKafka } from '../kit/kafka.js';
import { until } from '../kit/projection/stage.js';

/** The log is not the one that state and index were folded from, seen through the doors of whole processes. */

type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };

class Unit {
  key!: string;
  constructor(readonly url: () => string) {}

  async ask(path: string, init: RequestInit = {}): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.key}`, 'content-type': 'application/cloudevents+json' };
    const r = await fetch(this.url() + path, { headers, ...init });
    return { status: r.status, body: (await r.json()) as Answer['body'] };
  }

  async send(run: string, n: number): Promise<Answer> {
    for (;;) {
      const r = await this.ask('/v1/events', { method: 'POST', body: caseEvent(run, n) });
      if (r.status !== 503) return r;
    }
  }

  async sendAll(run: string, count: number): Promise<Answer[]> {
    const all: Answer[] = [];
    for (let n = 0; n < count; n++) all.push(await this.send(run, n));
    return all;
  }

  entry(run: string, n: number, position?: unknown): Promise<Answer> {
    const after = position === undefined ? '' : `?after=${encodeURIComponent(String(position))}`;
    const headers = { authorization: `Bearer ${this.key}`, prefer: 'wait=30' };
    return this.ask(`/v1/state/${CASE_VIEW}/${caseNumber(run, n)}${after}`, position === undefined ? {} : { headers });
  }

  /** Every answer is a receipt of this event, the log holds it there, and the view has folded it. */
  async expectRecorded(run: string, answers: readonly Answer[], status: number): Promise<void> {
    expect(answers.map((a) => a.status)).toEqual(answers.map(() => status));
    for (const [n, { body }] of answers.entries()) {
      const { position } = body;
      const entry = await this.entry(run, n, position);
      expect([run, n, entry.status, entry.body['position']]).toEqual([run, n, 200, position]);
      expect((await this.ask(`/v1/events/${String(position)}`)).body['id']).toBe(`${run}-${n}`);
      const source = new URLSearchParams({ source: String(body['source']), id: `${run}-${n}` });
      expect((await this.ask(`/v1/receipts?${source}`)).body['position']).toBe(position);
    }
  }

  /** Events that are in no log have no entry: 404 in the end, and never 200 on the way. */
  async expectGone(run: string, count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      const seen = new Set<number>();
      await until(async () => {
        const { status } = await this.entry(run, n);
        seen.add(status);
        return status === 404;
      });
      expect([...seen].filter((status) => status !== 404 && status !== 503)).toEqual([]);
    }
  }
}

let hubs: Deployment[] = [];
let redis: RedisServer | undefined;
let kafka: TestKafka | undefined;
let dir: string | undefined;
afterEach(async () => {
  for (const hub of hubs) await hub.close();
  hubs = [];
  await redis?.stop();
  await kafka?.stop();
  redis = undefined;
  kafka = undefined;
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
});

async function start(env: Readonly<Record<string, string>> = {}, app?: string): Promise<Deployment> {
  const hub = await deploy(env, app);
  hubs.push(hub);
  return hub;
}

const logFiles = (of: string): string[] => readdirSync(of).filter((file) => file.startsWith('log.'));

describe('an embedded log that was put back to an older copy while the state was kept', () => {
  it.each([
    ['shorter than before', 3],
    ['longer than before', 40],
  ])(
    'and %s when it is asked: lost events that are sent again get 201 and are there, others leave no entry',
    async (_name, more) => {
      const hub = await start();
      const unit = new Unit(() => hub.url);
      unit.key = await hub.key(UNIT, SYSTEM, ['publisher', 'reader']);
      const kept = await unit.sendAll('tetap', 10);
      await unit.entry('tetap', 9, kept[9]!.body['position']);
      await hub.stop();
      const copy = mkdtempSync(join(tmpdir(), 'simpul-copy-'));
      dir = copy;
      for (const file of logFiles(hub.dir)) cpSync(join(hub.dir, file), join(copy, file));
      await hub.start();
      const lost = await unit.sendAll('hilang', 20);
      const gone = await unit.sendAll('lenyap', 5);
      await unit.entry('lenyap', 4, gone[4]!.body['position']);
      await unit.expectRecorded('hilang', lost, 201);
      await hub.stop();
      for (const file of logFiles(hub.dir)) rmSync(join(hub.dir, file));
      for (const file of logFiles(copy)) cpSync(join(copy, file), join(hub.dir, file));
      await hub.start();
      const fresh = await unit.sendAll('baru', more);
      await unit.expectGone('lenyap', 5);
      await unit.expectRecorded('hilang', await unit.sendAll('hilang', 20), 201);
      await unit.expectRecorded('baru', fresh, 201);
      await unit.expectRecorded('tetap', await unit.sendAll('tetap', 10), 200);
      await until(async () =>
        JSON.stringify((await unit.ask('/health/ready')).body).includes('"name":"state","ok":true'),
      );
    },
    120_000,
  );
});

const why = await noKafka();

(why === undefined ? describe : describe.skip)(
  'a Kafka topic that was deleted and made again while Redis was kept',
  () => {
    async function settings(): Promise<Record<string, string>> {
      kafka = await testKafka();
      dir = mkdtempSync(join(tmpdir(), 'simpul-redis-'));
      redis = await startRedis({ dir, cache: join(import.meta.dirname, '../../.simpul/redis') });
      return {
        SIMPUL_ENGINE: 'kafka',
        SIMPUL_KAFKA: kafka.brokers.join(','),
        SIMPUL_KAFKA_PREFIX: kafka.prefix,
        SIMPUL_REDIS: redis.url,
      };
    }

    it('while the hub was stopped: no receipt names a lost event, and its events are folded', async () => {
      const hub = await start(await settings());
      const unit = new Unit(() => hub.url);
      unit.key = await hub.key(UNIT, SYSTEM, ['publisher', 'reader']);
      await unit.expectRecorded('hilang', await unit.sendAll('hilang', 20), 201);
      const gone = await unit.sendAll('lenyap', 5);
      await unit.entry('lenyap', 4, gone[4]!.body['position']);
      await hub.stop();
      const log = await openKafkaLog({ brokers: kafka!.brokers, prefix: kafka!.prefix, clientId: 'uji' });
      await log.deleteTopic(CASE_STREAM);
      await log.close();
      await hub.start();
      await unit.expectGone('lenyap', 5);
      await unit.expectRecorded('hilang', await unit.sendAll('hilang', 20), 201);
      await unit.expectRecorded('baru', await unit.sendAll('baru', 20), 201);
    }, 180_000);

    it('while gateway and projector ran as processes of their own: nothing that the gateway remembers survives', async () => {
      const env = await settings();
      const projector = await start(env, 'apps/projector/src/main.js');
      const gateway = await start(
        { ...env, SIMPUL_PSEUDONYM_KEY_FILE: join(projector.dir, 'pseudonym.key') },
        'apps/gateway/src/main.js',
      );
      const unit = new Unit(() => gateway.url);
      const made = await fetch(`${gateway.url}/v1/keys`, {
        method: 'POST',
        headers: { authorization: `Bearer ${projector.adminKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ unit: UNIT, system: SYSTEM, roles: ['publisher', 'reader'] }),
      });
      unit.key = ((await made.json()) as { key: string }).key;
      await unit.expectRecorded('hilang', await unit.sendAll('hilang', 10), 201);
      const gone = await unit.sendAll('lenyap', 5);
      await unit.entry('lenyap', 4, gone[4]!.body['position']);
      const log = await openKafkaLog({ brokers: kafka!.brokers, prefix: kafka!.prefix, clientId: 'uji' });
      const partitions = (await log.describe(CASE_STREAM)).length;
      await log.deleteTopic(CASE_STREAM);
      await until(() =>
        log.ensureTopic({ name: CASE_STREAM, partitions, cleanup: 'keep' }).then(
          () => true,
          () => false,
        ),
      );
      await log.close();
      const again = await unit.sendAll('hilang', 10);
      await unit.expectRecorded('hilang', again, 201);
      await unit.expectRecorded('baru', await unit.sendAll('baru', 10), 201);
      await unit.expectGone('lenyap', 5);
    }, 180_000);
  },
);
