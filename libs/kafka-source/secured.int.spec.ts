import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { selfSigned } from '../../test/kit/certificate.js';
import { noOwnKafka, ownKafka } from '../../test/kit/kafka.js';
import { kafkaHub, noKafkaHub, type KafkaHub } from '../../test/kit/kafka-hub.js';
import { deferred } from '#concurrency';
import { createConsumer, onEvent } from '#consuming';
import { fromHeaders, toHeaders } from '#event';
import { defineEvent } from '#sdk';
import { until } from '../log/conformance/kit.js';
import { kafka, KafkaSourceFault, type KafkaOptions } from './index.js';
import { RunningSources, sampleOf, STREAM, TYPE, UNIT } from './stage.fixture.js';

const reason = noOwnKafka() ?? noKafkaHub();
const suite = reason === undefined ? describe : describe.skip;
const sasl = { mechanism: 'SCRAM-SHA-512', username: 'unit-a', password: 'rahasia-contoh' } as const;
const BROKER = { username: 'broker', password: 'antar-broker' };
/** Of the how-to: docs/how-to/read-from-kafka.md. */
const TOPICS = [STREAM, '_schemas', '_simpul.settled'];

suite(`the Kafka source behind TLS, passwords and ACLs${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const door = selfSigned();
  const dir = mkdtempSync(join(tmpdir(), 'simpul-secured-'));
  let own: Awaited<ReturnType<typeof ownKafka>>;
  let hub: KafkaHub;
  let key: string;
  let other: Server;
  let openHub: () => Promise<KafkaHub>;
  let client: Kafka;
  let admin: ReturnType<Kafka['admin']>;
  let options: KafkaOptions;
  let group = 0;
  let seed = 0;
  const sources = new RunningSources();

  /** Runs a source until it ends; lines are what it has told of Kafka. */
  const start = (more: Partial<KafkaOptions> = {}) => {
    const told: string[] = [];
    const report = {
      unreachable: (f: KafkaSourceFault) => told.push(f.message),
      reachable: () => told.push('reachable'),
    };
    const { ran, sink, until: untilEvent } = sources.start({ ...options, report, ...more });
    return { ran, told, sink, untilEvent };
  };
  const grant = (topics: readonly string[], groups = true) => {
    const right = { principal: `User:${sasl.username}`, host: '*', permissionType: AclPermissionTypes.ALLOW };
    const exact = ResourcePatternTypes.LITERAL;
    return admin.createAcls({
      acl: [
        ...topics.flatMap((name) =>
          [AclOperationTypes.READ, AclOperationTypes.DESCRIBE].map((operation) => {
            const resource = { resourceType: AclResourceTypes.TOPIC, resourceName: hub.prefix + name };
            return { ...right, ...resource, resourcePatternType: exact, operation };
          }),
        ),
        ...(groups
          ? [
              {
                ...right,
                resourceType: AclResourceTypes.GROUP,
                resourceName: `${hub.prefix}su00123.`,
                resourcePatternType: ResourcePatternTypes.PREFIXED,
                operation: AclOperationTypes.READ,
              },
            ]
          : []),
      ],
    });
  };
  const revoke = (topic?: string) =>
    admin.deleteAcls({
      filters: [
        {
          resourceType: topic === undefined ? AclResourceTypes.ANY : AclResourceTypes.TOPIC,
          ...(topic === undefined ? {} : { resourceName: hub.prefix + topic }),
          resourcePatternType: ResourcePatternTypes.ANY,
          operation: AclOperationTypes.ANY,
          permissionType: AclPermissionTypes.ANY,
        } as never,
      ],
    });
  const publish = async (count = 1, subjects = 1) => {
    const sample = await sampleOf(hub, key);
    const subject = (n: number): string => `X${n % subjects}`;
    const events = Array.from({ length: count }, (_, n) => {
      const data = { ...sample.data, nomorPermohonan: subject(n) };
      return { ...sample, id: `S-${++seed}`, subject: undefined, data };
    });
    const positions = await hub.publish(key, events);
    return events.map(({ id }, n) => ({ id, subject: subject(n), position: positions[n]! }));
  };

  beforeAll(async () => {
    const users = { [BROKER.username]: BROKER.password, [sasl.username]: sasl.password };
    own = await ownKafka(
      1,
      { ...door, ca: door.cert, users },
      {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': `User:${BROKER.username};User:ANONYMOUS`,
      },
    );
    const ca = join(dir, 'ca.pem');
    writeFileSync(ca, door.cert);
    openHub = () =>
      kafkaHub([...own.brokers], own.prefix, {
        SIMPUL_KAFKA_SASL: `scram-sha-512:${BROKER.username}:${BROKER.password}`,
        SIMPUL_KAFKA_CA: ca,
        SIMPUL_DATA: dir,
      });
    hub = await openHub();
    key = await hub.key(UNIT, 'publisher', 'reader');
    other = createServer((_request, answer) => answer.end('bukan Kafka'));
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    const ssl = { ca: door.cert };
    client = new Kafka({
      brokers: [...own.brokers],
      ssl,
      sasl: { ...BROKER, mechanism: 'scram-sha-512' },
      logLevel: logLevel.NOTHING,
    });
    admin = client.admin();
    await admin.connect();
    const { brokers, prefix } = hub;
    options = { brokers, prefix, ssl, sasl, group: `${prefix}su00123.g`, sessionMs: 6_000 };
  }, 180_000);
  afterEach(async () => {
    options = { ...options, group: `${hub.prefix}su00123.g${++group}` };
    await sources.stop();
  });
  afterAll(async () => {
    await admin?.disconnect();
    other?.close();
    await hub?.close();
    await own?.stop();
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  const plainPort = (): string[] => (process.env['SIMPUL_TEST_KAFKA'] ?? '').split(',').slice(0, 1);
  const otherPort = (): string[] => [`127.0.0.1:${(other.address() as AddressInfo).port}`];

  it.each<[string, () => Partial<KafkaOptions>, RegExp]>([
    ['a wrong password', () => ({ sasl: { ...sasl, password: 'salah' } }), /^kafka_login_refused: .*sasl\.password/],
    ['a mechanism that the broker does not have', () => ({ sasl: { ...sasl, mechanism: 'PLAIN' } }), /^kafka_login_refused: .*sasl\.mechanism/], // prettier-ignore
    [
      'a login where none is asked',
      () => ({ brokers: plainPort(), ssl: false }),
      /^kafka_login_refused: .*remove sasl/,
    ],
    ['another authority', () => ({ ssl: { ca: selfSigned().cert } }), /^kafka_tls: .*not trusted.*set ssl\.ca/],
    ['TLS to a port without', () => ({ brokers: plainPort() }), /^kafka_tls: no TLS at .*remove ssl/],
    ['no TLS at a port with it', () => ({ ssl: false }), /^kafka_tls: .* needs TLS: .*set ssl/],
    [
      'a port of HTTP',
      () => ({ brokers: otherPort(), ssl: false }),
      /^kafka_not_kafka: .* is not Kafka.*check brokers/,
    ],
  ])(
    'ends at once with one line: %s',
    async (_what, more, line) => {
      const fault = (await start(more()).ran) as KafkaSourceFault;
      expect(fault).toBeInstanceOf(KafkaSourceFault);
      expect(fault.message).toMatch(line);
      expect([fault.message, fault.stack!, inspect(fault)].map((text) => text.split('\n').length)).toEqual([1, 1, 1]);
      expect(fault.text.in('id')).not.toBe(fault.text.in('en'));
    },
    20_000,
  );

  it.each<[string, () => Partial<KafkaOptions>, RegExp]>([
    ['nobody listens', () => ({ brokers: ['127.0.0.1:1'] }), /^kafka_unreachable: no broker answers .*ECONNREFUSED.*check brokers/], // prettier-ignore
    ['no such name', () => ({ brokers: ['tidak-ada.invalid:9092'] }), /^kafka_unreachable: DNS does not know the name tidak-ada\.invalid/], // prettier-ignore
  ])('says it once while it tries, and ends after startMs with one line: %s', async (_what, more, line) => {
    const { ran, told } = start({ ...more(), startMs: 2_000 });
    const fault = (await ran) as KafkaSourceFault;
    expect(fault.message).toMatch(line);
    expect(inspect(fault).split('\n')).toHaveLength(1);
    expect(told).toEqual([expect.stringMatching(line)]);
  });

  it('says which right is missing: nothing was granted, one topic, the group', async () => {
    await revoke();
    const messages = async (): Promise<string> => ((await start().ran) as Error).message;
    expect(await messages()).toMatch(
      new RegExp(
        `^kafka_forbidden: this Kafka user has no right ${TOPICS.map((t) => `READ on ${hub.prefix}${t}`).join(', ')}; ask`,
      ),
    );
    for (const topic of TOPICS) {
      await revoke();
      await grant(TOPICS.filter((t) => t !== topic));
      expect(await messages()).toMatch(new RegExp(`^kafka_forbidden: .* no right READ on ${hub.prefix}${topic}; ask`));
    }
    await revoke();
    await grant(TOPICS, false);
    expect(await messages()).toMatch(
      new RegExp(`^kafka_forbidden: .* no right READ on the group ${options.group}; ask`),
    );
  }, 60_000);

  it('reads with exactly the rights of the how-to, and ends with one line when one is taken away', async () => {
    await revoke();
    await grant(TOPICS);
    const published = await publish(3);
    const { ran, sink, told, untilEvent } = start();
    await untilEvent(() => sink.events.length >= 3);
    expect(sink.events.map(({ event }) => event.position).sort()).toEqual(published.map((e) => e.position).sort());
    await revoke(STREAM);
    expect(((await ran) as Error).message).toMatch(
      new RegExp(`^kafka_forbidden: .* no right READ on ${hub.prefix}${STREAM}; ask`),
    );
    await grant(TOPICS);
    const second = start();
    await publish();
    await second.untilEvent(() => second.sink.events.length > 0);
    await revoke('_simpul.settled');
    expect(((await second.ran) as Error).message).toMatch(
      /^kafka_forbidden: .* no right READ on .*_simpul\.settled; ask/,
    );
    expect([...told, ...second.told]).toEqual([]);
  }, 60_000);

  it('goes on when its broker is killed and comes back: nothing skipped, order per subject, only what was in work again, two lines', async () => {
    await revoke();
    await grant(TOPICS);
    const token = defineEvent({ type: TYPE, stream: STREAM, version: 1, schema: hub.core.registry.catalogue.newest(TYPE)!.contract.schemaText }); // prettier-ignore
    const wanted = await publish(40, 8);
    const handled: string[] = [];
    const begun = new Set<string>();
    let gate: Promise<void> = Promise.resolve();
    const told: string[] = [];
    const source = kafka({
      ...options,
      report: { unreachable: (f) => told.push(f.code), reachable: () => told.push('reachable') },
    });
    const consumer = createConsumer({
      source,
      placeMs: 20,
      stopMs: 2_000,
      handlers: [
        onEvent(
          token,
          async ({ id }) => {
            begun.add(id);
            await gate;
            handled.push(id);
          },
          { concurrency: 4 },
        ),
      ],
    });
    let fault: unknown;
    const ran = consumer.run().catch((error: unknown) => (fault = error));
    void sources.keep(source, ran);
    const all = (ids: readonly { id: string }[]): Promise<unknown> =>
      until('all events', () => {
        if (fault !== undefined) throw fault;
        return ids.every(({ id }) => handled.includes(id));
      });
    await all(wanted);
    const topic = hub.prefix + STREAM;
    await until('all places', async () => {
      const [stored] = await admin.fetchOffsets({ groupId: options.group, topics: [topic] });
      const places = new Map(stored!.partitions.map((p) => [p.partition, p.offset]));
      return (await admin.fetchTopicOffsets(topic)).every((p) => p.high === '0' || places.get(p.partition) === p.high);
    });
    const { promise, resolve } = deferred<void>();
    gate = promise;
    const inWork = await publish(20, 8);
    await until('events in work', () => inWork.filter(({ id }) => begun.has(id)).length >= 4);
    own.cluster.kill(1, 'SIGKILL');
    await until('the line', () => told.length > 0);
    resolve();
    await own.cluster.start(1);
    await until('the line', () => told.length > 1);
    const after = await until('the hub', () => publish(20, 8).catch(() => undefined));
    await all([...inWork, ...after]);
    expect(told).toEqual(['kafka_unreachable', 'reachable']);
    const times = Map.groupBy(handled, (id) => id);
    expect(wanted.filter(({ id }) => times.get(id)!.length > 1)).toEqual([]);
    const order = [...times.keys()];
    for (const events of Map.groupBy([...wanted, ...inWork, ...after], ({ subject }) => subject).values())
      expect(events.map(({ id }) => order.indexOf(id))).toEqual(events.map(({ id }) => order.indexOf(id)).sort((a, b) => a - b)); // prettier-ignore
    await consumer.stop();
  }, 120_000);

  it('says once that the hub is gone while Kafka works, and once that it is back', async () => {
    await grant(TOPICS);
    const { position } = (await publish())[0]!;
    const told: string[] = [];
    const report = { hubSilent: (at: string) => told.push(at), hubBack: () => told.push('back') };
    const { sink, untilEvent } = start({ patienceMs: 2_000, report });
    await untilEvent(() => sink.events.some(({ event }) => event.position === position));
    // On a busy machine the hub may take longer than that.
    told.length = 0;
    const [, partition, offset] = position.split('/') as [string, string, string];
    const read = await hub.core.log.read(STREAM, Number(partition), BigInt(offset), { maxRecords: 1 });
    if (read.kind !== 'records') throw new Error(read.kind);
    const { key: recordKey, value, headers } = read.records[0]!;
    await hub.close();
    // What a gateway has written right before its end.
    const envelope = fromHeaders(headers)!;
    const written = toHeaders({ ...envelope, id: 'S-akhir' }, envelope);
    const producer = client.producer();
    await producer.connect();
    const [sent] = await producer.send({
      topic: hub.prefix + STREAM,
      messages: [{ key: recordKey, value, partition: Number(partition), headers: Object.fromEntries(written) as Record<string, Buffer> }], // prettier-ignore
    });
    await producer.disconnect();
    await until('the line', () => told.length > 0);
    expect(sink.events.some(({ event }) => event.id === 'S-akhir')).toBe(false);
    hub = await openHub();
    await untilEvent(() => sink.events.some(({ event }) => event.id === 'S-akhir'));
    expect(told).toEqual([`${STREAM}/${partition}/${sent!.baseOffset}`, 'back']);
  }, 60_000);
});
