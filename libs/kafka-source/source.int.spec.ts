import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { deferred, pause, withDeadline } from '#concurrency';
import { createConsumer, onEvent } from '#consuming';
import { defineEvent } from '#sdk';
import { kafkaHub, noKafkaHub, type KafkaHub } from '../../test/kit/kafka-hub.js';
import { kafka, type KafkaOptions, type KafkaSource } from './index.js';
import { TestSink } from './sink.fixture.js';

const reason = noKafkaHub();
const suite = reason === undefined ? describe : describe.skip;
const UNIT = 'SU00123';
const TYPE = 'imigrasi.paspor.diterbitkan';
const STREAM = 'imigrasi.paspor';

suite(`the Kafka source${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let hub: KafkaHub;
  let key: string;
  let group = 0;
  const sources: KafkaSource[] = [];
  const running: Promise<unknown>[] = [];

  const open = (options: Partial<KafkaOptions> = {}): KafkaSource => {
    const source = kafka({
      brokers: hub.brokers,
      prefix: hub.prefix,
      group: `${hub.prefix}g${group}`,
      sessionMs: 6_000,
      ...options,
    });
    sources.push(source);
    return source;
  };
  const run = (source: KafkaSource, sink: TestSink, types = [TYPE]): Promise<void> => {
    const ran = source.run(sink, { types });
    running.push(ran.catch(() => undefined));
    return ran;
  };
  const sample = async (seed: number, more: object = {}): Promise<Record<string, unknown>> => {
    const answer = await fetch(`${hub.url}/v1/event-types/${TYPE}/sample?seed=${seed}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    return { ...((await answer.json()) as object), id: `S-${seed}`, ...more };
  };

  beforeAll(async () => {
    hub = await kafkaHub();
    key = await hub.key(UNIT, 'publisher', 'reader', 'steward');
  }, 120_000);
  afterEach(async () => {
    group++;
    await Promise.all(sources.splice(0).map((s) => s.stop()));
    await Promise.all(running.splice(0));
  });
  afterAll(async () => {
    await hub?.close();
  }, 60_000);

  it('stop() at any moment of the start ends run(), and leaves no connection', async () => {
    const sockets = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
    const before = sockets();
    for (let afterMs = 0; afterMs < 400; afterMs = afterMs * 2 + 3) {
      const source = open({ group: `${hub.prefix}stop${afterMs}` });
      const ran = run(source, new TestSink());
      await pause(afterMs);
      const stopped = Promise.all([source.stop(), ran]).then(() => 'over');
      expect(await withDeadline(stopped, 10_000, () => `not over when stopped after ${afterMs} ms`)).toBe('over');
    }
    const closed = async (): Promise<string> => {
      while (sockets() > before) await pause(20);
      return 'closed';
    };
    expect(await withDeadline(closed(), 10_000, () => `${sockets() - before} connections are open`)).toBe('closed');
  }, 120_000);

  it('delivers what the pages of the hub show to a reader at level full, field by field: no copies, no foreign records', async () => {
    const events = await Promise.all([1, 2, 3, 4].map((n) => sample(n)));
    const traced = { ...events[3]!, traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, korelasi: 'K-1' };
    const positions = await hub.publish(key, [...events.slice(0, 3), traced]);
    await hub.repeat(positions[0]!);
    const partition = Number(positions[0]!.split('/')[1]);
    await hub.core.log.append(STREAM, partition, [{ key: null, value: Buffer.from('bukan peristiwa'), headers: [] }]);
    await hub.core.log.append(STREAM, partition, [{ key: Buffer.from('x'), value: null, headers: [] }]);
    await hub.publish(key, [await sample(5)]);
    const sink = new TestSink();
    const source = open();
    void run(source, sink);
    await sink.until(() => sink.events.length >= 5);
    const byPosition = (a: object, b: object): number =>
      (a as { position: string }).position < (b as { position: string }).position ? -1 : 1;
    const page = [...(await hub.readAll(key, STREAM))].sort(byPosition);
    const got = sink.events.map(({ event }) => event).sort(byPosition);
    expect(got).toEqual(page);
    // the order of the members too
    expect(got.map((e) => JSON.stringify(e))).toEqual(page.map((e) => JSON.stringify(e)));
    expect(got.find((e) => e.id === 'S-4')).toMatchObject({ traceparent: traced.traceparent, korelasi: 'K-1' });
    expect(source.counts).toMatchObject({ delivered: 5 });
    await sink.until(() => source.counts.copies + source.counts.foreign >= 3 || sink.events.length > 5);
    expect(source.counts).toMatchObject({ copies: 1, foreign: 2, damaged: 0 });
    expect(new Set(sink.events.map(({ event }) => event.position)).size).toBe(5);
  });

  it('goes on behind finished work: a second process of the group gets nothing again, and what was published since', async () => {
    const first = new TestSink();
    const source = open();
    void run(source, first);
    await first.until(() => first.events.length >= 5);
    await source.stop();
    const [position] = await hub.publish(key, [await sample(10)]);
    const second = new TestSink();
    void run(open(), second);
    await second.until(() => second.events.length > 0);
    expect(second.events.map(({ event }) => event.position)).toEqual([position]);
  });

  it("with from: 'latest' gives everything that is published after the start of a consumer, though the group took a while to join", async () => {
    const schema = hub.core.registry.catalogue.newest(TYPE)!.contract.schemaText;
    const token = defineEvent({ type: TYPE, stream: STREAM, version: 1, schema });
    const seen: string[] = [];
    const first = deferred<void>();
    const handlers = [
      onEvent(token, ({ position }) => {
        seen.push(position);
        first.resolve();
      }),
    ];
    const consumer = createConsumer({ source: open({ from: 'latest' }), handlers });
    running.push(consumer.run());
    await consumer.ready();
    const positions = await hub.publish(key, [await sample(20)]);
    await first.promise;
    expect(seen).toEqual(positions);
    await consumer.stop();
  });

  it("with from: 'latest' begins once for a group: what is published while no process of it runs is not passed over", async () => {
    const source = open({ from: 'latest' });
    void run(source, new TestSink());
    await source.ready!();
    await source.stop();
    const positions = await hub.publish(key, [await sample(21)]);
    const sink = new TestSink();
    void run(open({ from: 'latest' }), sink);
    await sink.until(() => sink.events.length > 0);
    expect(sink.events.map(({ event }) => event.position)).toEqual(positions);
  });

  it('refuses at the start, in one line with the remedy: a type that the hub does not have, brokers that are none, a prefix of another deployment', async () => {
    await expect(run(open(), new TestSink(), ['imigrasi.paspor.tidak-ada'])).rejects.toThrow(
      /^unknown_type: the hub has no event type imigrasi\.paspor\.tidak-ada/,
    );
    await expect(run(open({ prefix: 'lain.' }), new TestSink())).rejects.toThrow(
      /^kafka_topic_missing: there is no topic lain\._schemas .*SIMPUL_KAFKA_PREFIX of the hub/,
    );
  });
});
