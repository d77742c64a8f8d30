import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { deferred } from '#concurrency';
import { digestOf, fromHeaders, toHeaders } from '#event';
import { SCHEMAS_TOPIC, schemaValue } from '#registry';
import { kafkaHub, noKafkaHub, type KafkaHub } from '../../test/kit/kafka-hub.js';
import { until } from '../log/conformance/kit.js';
import type { KafkaOptions, OutOfRange } from './index.js';
import { TestSink } from './sink.fixture.js';
import { RunningSources, sampleOf, STREAM, TYPE, UNIT } from './stage.fixture.js';

const reason = noKafkaHub();
const suite = reason === undefined ? describe : describe.skip;

suite(
  `what the Kafka source does with records and topics that are not whole${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    let hub: KafkaHub;
    let key: string;
    let sample: { data: object };
    let admin: ReturnType<Kafka['admin']>;
    let group = 0;
    let seed = 0;
    const sources = new RunningSources();

    /** Runs a source of the group of this test; `told` is what a person would read. */
    const start = (more: Partial<KafkaOptions> = {}, sink = new TestSink()) => {
      const told: string[] = [];
      const report = {
        damaged: (position: string) => void told.push(`damaged ${position}`),
        schemaMissing: (position: string, id: number) => void told.push(`schema ${id} ${position}`),
        schemaFound: () => void told.push('schema found'),
        outOfRange: ({ feed, why }: OutOfRange) => void told.push(`${why} ${feed}`),
        unreachable: ({ message }: Error) => void told.push(message),
        reachable: () => void told.push('reachable'),
        // After a topic was made again the hub takes a moment.
        hubSilent: () => undefined,
        hubBack: () => undefined,
      };
      const { brokers, prefix } = hub;
      const { source, ran, until } = sources.start(
        { brokers, prefix, group: `${prefix}g${group}`, sessionMs: 6_000, patienceMs: 2_000, report, ...more },
        sink,
      );
      const ids = (): string[] => sink.events.map(({ event }) => event.id);
      /** Resolves when all of these have come; rejects when the source has ended before. */
      const got = (wanted: readonly string[]): Promise<void> => until(() => wanted.every((id) => ids().includes(id)));
      return { source, ran, told, sink, ids, got };
    };
    const publish = async (count = 1) => {
      const events = Array.from({ length: count }, () => {
        const id = `R-${++seed}`;
        return { ...sample, id, subject: undefined, data: { ...sample.data, nomorPermohonan: `X${id}` } };
      });
      const positions = await hub.publish(key, events);
      return events.map(({ id }, n) => ({ id, position: positions[n]! }));
    };
    /** Appends a record as a gateway would have written it for another event beside the one at the position; answers its position. */
    const forge = async (position: string, change: (value: Buffer) => { value?: Buffer | null; digested?: Buffer }) => {
      const [stream, partition, offset] = position.split('/') as [string, string, string];
      const read = await hub.core.log.read(stream, Number(partition), BigInt(offset), { maxRecords: 1 });
      if (read.kind !== 'records') throw new Error(read.kind);
      const record = read.records[0]!;
      const envelope = fromHeaders(record.headers)!;
      const { value = null, digested = value ?? record.value! } = change(record.value!);
      const id = `F-${++seed}`;
      const headers = toHeaders({ ...envelope, id }, { ...envelope, digest: digestOf(record.key!, digested) });
      const outcome = await hub.core.log.append(stream, Number(partition), [{ key: record.key, value, headers }]);
      if (outcome.kind !== 'accepted') throw new Error(outcome.kind);
      return { id, position: `${stream}/${partition}/${outcome.base}` };
    };

    beforeAll(async () => {
      hub = await kafkaHub();
      key = await hub.key(UNIT, 'publisher', 'reader');
      sample = await sampleOf(hub, key);
      admin = new Kafka({ brokers: [...hub.brokers], logLevel: logLevel.NOTHING }).admin();
      await admin.connect();
    }, 120_000);
    afterEach(async () => {
      group++;
      await sources.stop();
    });
    afterAll(async () => {
      await admin?.disconnect();
      await hub?.close();
    }, 60_000);

    it('waits for a schema that is not registered and says so once, while other partitions go on; goes on when it appears', async () => {
      const type = hub.core.registry.catalogue.newest(TYPE)!;
      const good = await publish(12);
      const schemaId = 4_711;
      const unknown = await forge(good[0]!.position, (value) => {
        const frame = Buffer.from(value);
        frame.writeUInt32BE(schemaId, 1);
        return { value: frame };
      });
      const partition = unknown.position.split('/')[1];
      const behind = await publish(24);
      const { told, got, ids } = start();
      const elsewhere = behind.filter(({ position }) => position.split('/')[1] !== partition);
      await got([...good, ...elsewhere].map(({ id }) => id));
      await until('the line', () => told.length > 0);
      const held = behind.filter(({ position }) => position.split('/')[1] === partition).map(({ id }) => id);
      expect(held.length).toBeGreaterThan(0);
      expect(ids().filter((id) => held.includes(id) || id === unknown.id)).toEqual([]);
      const { namespace, name } = JSON.parse(type.contract.schemaText) as { namespace: string; name: string };
      const subject = `${STREAM}-${namespace}.${name}`;
      const version = type.version + 1;
      const row = { subject, version, id: schemaId, schema: type.contract.schemaText, deleted: false };
      await hub.core.log.append(SCHEMAS_TOPIC, 0, [
        {
          key: Buffer.from(JSON.stringify({ keytype: 'SCHEMA', subject, version, magic: 1 })),
          value: Buffer.from(schemaValue(row)),
          headers: [],
        },
      ]);
      await got([unknown.id, ...held]);
      expect(told).toEqual([`schema ${schemaId} ${unknown.position}`, 'schema found']);
    });

    describe('when the topic of its stream was deleted and made again', () => {
      /** As an operator does it: the same name and number of partitions. Resolves when the hub records events in it. */
      const recreate = async (): Promise<void> => {
        const topic = hub.prefix + STREAM;
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
        await admin.deleteTopics({ topics: [topic] });
        await until('the new topic', () =>
          admin.createTopics({ topics: [{ topic, numPartitions: topics[0]!.partitions.length }] }).catch(() => false),
        );
      };
      const publishAgain = (count: number) => until('the hub', () => publish(count).catch(() => undefined));

      it('ends with one line, unless outOfRange is earliest: then it says so once and reads the new topic from its beginning', async () => {
        const before = await publish(12);
        const stopped = start({ from: 'latest' });
        const reading = start({ group: `${hub.prefix}other`, outOfRange: 'earliest' });
        await reading.got(before.map(({ id }) => id));
        await recreate();
        const after = await publishAgain(12);
        await reading.got(after.map(({ id }) => id));
        expect(reading.told).toEqual([`recreated ${STREAM}`]);
        expect(((await stopped.ran) as Error).message).toMatch(
          /^offset_out_of_range: the topic of the stream imigrasi\.paspor was made again.*start once with outOfRange: 'earliest'$/,
        );
        expect(stopped.told).toEqual([`recreated ${STREAM}`]);
        expect(reading.ids().filter((id) => id === after[0]!.id)).toHaveLength(1);
      });

      it('also when it did not run meanwhile, though Kafka has deleted its places with the topic', async () => {
        const first = start();
        const before = await publish(12);
        await first.got(before.map(({ id }) => id));
        await first.source.stop();
        await recreate();
        const after = await publishAgain(12);
        const stopped = start();
        expect(((await stopped.ran) as Error).message).toMatch(/^offset_out_of_range: the topic of the stream/);
        const reading = start({ outOfRange: 'earliest', from: 'latest' });
        await reading.got(after.map(({ id }) => id));
        expect([stopped.told, reading.told]).toEqual([[`recreated ${STREAM}`], [`recreated ${STREAM}`]]);
        await reading.source.stop();
        const next = start();
        const later = await publish(1);
        await next.got(later.map(({ id }) => id));
        expect([next.told, next.ids()]).toEqual([[], later.map(({ id }) => id)]);
      });
    });

    it('tells each damaged record once, as the pages of the hub do, counts it and goes on behind it', async () => {
      const good = await publish(12);
      const { position } = good[0]!;
      const flipped = (value: Buffer): Buffer => {
        const other = Buffer.from(value);
        other[other.length - 1]! ^= 1;
        return other;
      };
      const damaged = [
        await forge(position, (value) => ({ value: flipped(value), digested: value })),
        await forge(position, (value) => ({ value: value.subarray(0, value.length - 3) })),
        await forge(position, () => ({ value: Buffer.from('bukan avro') })),
        await forge(position, () => ({ value: null })),
      ].map((f) => f.position);
      const behind = await publish(12);
      const { source, told, got, ids } = start();
      await got([...good, ...behind].map(({ id }) => id));
      await until('all damaged records', () => source.counts.damaged === damaged.length);
      expect(told).toEqual(damaged.map((at) => `damaged ${at}`));
      expect(ids().filter((id) => id.startsWith('F-'))).toEqual([]);
      const page = await fetch(`${hub.url}/v1/streams/${STREAM}/events?from=earliest&limit=500`, {
        headers: { authorization: `Bearer ${key}` },
      });
      expect(((await page.json()) as { damaged: string[] }).damaged.sort()).toEqual([...damaged].sort());
      await source.stop();
      const later = await publish();
      const second = start();
      await second.got(later.map(({ id }) => id));
      expect([second.told, second.ids()]).toEqual([[], later.map(({ id }) => id)]);
    });

    it.each(['earliest', 'stop'] as const)(
      'when retention passes a slow reader, says so in one line: with outOfRange earliest gives all that it had fetched and goes on, with stop ends (%s)',
      async (outOfRange) => {
        const first = await publish(16);
        const [stream, number] = first[0]!.position.split('/') as [string, string];
        const partition = Number(number);
        const here = <E extends { position: string }>(events: readonly E[]): E[] =>
          events.filter(({ position }) => position.startsWith(`${stream}/${partition}/`));
        /** Two of these fill the buffer of the reader. */
        const fill = async (): Promise<void> => {
          for (let n = 0; n < 2; n++)
            await hub.core.log.append(stream, partition, [{ key: null, value: randomBytes(1_000_000), headers: [] }]);
        };
        await fill();
        const second = here(await publish(32));
        await fill();
        const behind = here(await publish(32));
        const slow = new Map([here(first), second].map(([e]) => [e!.position, deferred<void>()]));
        const [one, two] = slow.values();
        const sink = new TestSink();
        const held: string[] = [];
        sink.handle = ({ event: { position } }) => {
          if (slow.has(position)) held.push(position);
          return slow.get(position)?.promise;
        };
        const { ran, told, got } = start({ outOfRange, batchEvents: 1, bufferBytes: 1 }, sink);
        await until('the first slow event', () => held.length > 0);
        const passed = behind.slice(0, Math.ceil(behind.length / 2));
        const offset = String(Number(passed.at(-1)!.position.split('/')[2]) + 1);
        const topic = hub.prefix + stream;
        // Without it kafkajs does not know the topic.
        await admin.fetchTopicOffsets(topic);
        await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset }] });
        one!.resolve();
        // The records of other cases are told too.
        const lines = (): string[] => told.filter((line) => !line.startsWith('damaged'));
        await until('the line', () => lines().length > 0);
        expect(lines()).toEqual([`retention ${stream}/${partition}`]);
        two!.resolve();
        const left = behind.slice(passed.length);
        if (outOfRange === 'stop') expect(((await ran) as Error).message).toMatch(/^offset_out_of_range: /);
        else {
          await got(left.map(({ id }) => id));
          const wanted = [...here(first), ...second, ...left].map(({ position }) => position);
          const positions = here(sink.events.map(({ event }) => event)).map(({ position }) => position);
          expect(positions.slice(-wanted.length)).toEqual(wanted);
        }
        expect(lines()).toHaveLength(1);
      },
    );
  },
);
