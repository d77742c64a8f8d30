import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { deferred } from '#concurrency';
import { createConsumer, onEvent, sqliteInbox, type Consumer } from '#consuming';
import { defineEvent } from '#sdk';
import { noOwnKafka, ownKafka } from '../../test/kit/kafka.js';
import { kafkaHub, noKafkaHub, type KafkaHub } from '../../test/kit/kafka-hub.js';
import { until } from '../log/conformance/kit.js';
import { kafka } from './index.js';
import { sampleOf, STREAM, TYPE, UNIT } from './stage.fixture.js';

const reason = noOwnKafka() ?? noKafkaHub();
const suite = reason === undefined ? describe : describe.skip;
const KILLS = process.env['SIMPUL_TEST_CAMPAIGN'] === undefined ? 1 : 12;
const FREE = 40;

interface Sent {
  readonly id: string;
  readonly subject: string;
  readonly partition: number;
}

suite(`the Kafka source on three brokers${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let own: Awaited<ReturnType<typeof ownKafka>>;
  let hub: KafkaHub;
  let key: string;
  let sample: { data: object };
  let admin: ReturnType<Kafka['admin']>;
  let consumer: Consumer | undefined;
  let seed = 0;

  const topicNow = async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [hub.prefix + STREAM] });
    return topics[0]!.partitions;
  };
  const leaderOf = (partition: number): Promise<number> =>
    topicNow().then(
      (all) => all.find((p) => p.partitionId === partition)!.leader,
      () => -1,
    );
  /** The hub may say that it does not know: then the same events are sent again, and the log may have copies. */
  const publish = async (count: number): Promise<Sent[]> => {
    const events = Array.from({ length: count }, () => {
      const id = `L-${++seed}`;
      const nomorPermohonan = `X${seed % 24}`;
      return { ...sample, id, subject: undefined, data: { ...sample.data, nomorPermohonan } };
    });
    const positions = await until('the hub', () => hub.publish(key, events).catch(() => undefined), 60_000);
    return events.map(({ id, data }, n) => ({
      id,
      subject: data.nomorPermohonan,
      partition: Number(positions[n]!.split('/')[1]),
    }));
  };
  /** Fills the buffer of a reader: what lies behind these records is fetched only when it has passed them. */
  const fill = async (partition: number): Promise<void> => {
    for (let n = 0; n < 4; n++) {
      const record = { key: null, value: randomBytes(900_000), headers: [] };
      await until(
        'the record',
        async () => (await hub.core.log.append(STREAM, partition, [record])).kind === 'accepted',
      );
    }
  };

  beforeAll(async () => {
    own = await ownKafka(3);
    hub = await kafkaHub([...own.brokers], own.prefix);
    key = await hub.key(UNIT, 'publisher', 'reader');
    sample = await sampleOf(hub, key);
    admin = new Kafka({ brokers: [...own.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
  }, 180_000);
  afterAll(async () => {
    await consumer?.stop();
    await admin?.disconnect();
    await hub?.close();
    await own?.stop();
  }, 60_000);

  it(
    `gives every event once in effect and in the order of its subject, over ${KILLS} kill -9 of the leader of a partition that it reads`,
    async () => {
      const db = new DatabaseSync(':memory:');
      db.exec('CREATE TABLE effects (id TEXT)');
      const { schemaText: schema } = hub.core.registry.catalogue.newest(TYPE)!.contract;
      const told: string[] = [];
      let open = deferred<void>();
      let free = FREE;
      const made = createConsumer({
        source: kafka({
          brokers: hub.brokers,
          prefix: hub.prefix,
          group: `${hub.prefix}g`,
          sessionMs: 6_000,
          batchEvents: 10,
          bufferBytes: 1,
          report: { unreachable: ({ code }) => told.push(code), reachable: () => told.push('reachable') },
        }),
        inbox: sqliteInbox(db),
        placeMs: 20,
        stopMs: 5_000,
        limits: { feedEvents: 10 },
        handlers: [
          onEvent(
            defineEvent({ type: TYPE, stream: STREAM, version: 1, schema }),
            async ({ id }, context) => {
              if (free-- <= 0) await open.promise;
              await context.idempotent((tx: DatabaseSync) => tx.prepare('INSERT INTO effects VALUES (?)').run(id));
            },
            { concurrency: 24 },
          ),
        ],
      });
      consumer = made;
      let fault: unknown;
      void made.run().catch((error: unknown) => (fault = error));
      const effects = (): string[] =>
        db
          .prepare('SELECT id FROM effects ORDER BY rowid')
          .all()
          .map(({ id }) => id as string);
      const all: Sent[] = [];
      for (let kill = 0; kill < KILLS; kill++) {
        const before = await publish(400);
        const victims = Map.groupBy(before, (e) => e.partition);
        const [partition] = [...victims].sort(([, a], [, b]) => b.length - a.length)[kill % 3]!;
        await fill(partition);
        const behind = await publish(200);
        const leader = await until('a leader', () => leaderOf(partition).then((l) => l > 0 && l));
        await until('events in work', () => free < 0);
        own.cluster.kill(leader, 'SIGKILL');
        await until('another leader', () => leaderOf(partition).then((l) => l > 0 && l !== leader));
        const done = new Set(effects());
        expect(behind.filter((e) => e.partition === partition && done.has(e.id))).toEqual([]);
        open.resolve();
        const after = await publish(100);
        all.push(...before, ...behind, ...after);
        await until('all events', () => {
          if (fault !== undefined) throw fault;
          return effects().length >= all.length;
        });
        if (kill === KILLS - 1) break;
        open = deferred();
        free = FREE;
        await own.cluster.start(leader);
        await until('all replicas', () =>
          topicNow().then(
            (now) => now.every((p) => p.isr.length === 3),
            () => false,
          ),
        );
      }
      const subjects = new Map(all.map((e) => [e.id, e.subject]));
      const bySubject = (ids: readonly string[]): unknown => Map.groupBy(ids, (id) => subjects.get(id));
      expect(effects()).toHaveLength(all.length);
      expect(bySubject(effects())).toEqual(bySubject(all.map(({ id }) => id)));
      expect(told).toEqual(told.map((_, n) => (n % 2 === 0 ? 'kafka_unreachable' : 'reachable')));
      await made.stop();
    },
    60_000 + KILLS * 60_000,
  );
});
