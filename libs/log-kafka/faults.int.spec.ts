import { spawn, type ChildProcess } from 'node:child_process';
import { Admin, Producer } from '@platformatic/kafka';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Fault } from '#faults';
import type { AppendOutcome, EventLog, NewRecord } from '#log';
import { many, put, readAll, Reader, rec, text, until } from '../log/conformance/kit.js';
import { noOwnKafka, ownKafka } from '../../test/kit/kafka.js';
import { standsStill } from '../../test/kit/stands-still.js';
import { openKafkaLog, type KafkaLogOptions, type KafkaReport } from './index.js';
import { ClusterClient } from './platformatic/index.js';

const reason = noOwnKafka();
const suite = reason === undefined ? describe : describe.skip;

/** A group member in a process of its own. */
class MemberProcess {
  readonly process: ChildProcess;
  readonly lines: { kind: string; partition: number; epoch: string; values?: string[] }[] = [];
  #errors = '';
  constructor(options: KafkaLogOptions, group: string, topic: string) {
    const here = new URL('.', import.meta.url);
    this.process = spawn(
      process.execPath,
      [
        '--conditions=simpul-source',
        '--disable-warning=ExperimentalWarning',
        '--import',
        new URL('../log/conformance/sources.mjs', here).href,
        new URL('./member.child.ts', here).pathname,
        JSON.stringify({ options, group, topic }),
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let rest = '';
    this.process.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) this.lines.push(JSON.parse(line));
    });
    this.process.stderr?.setEncoding('utf8').on('data', (chunk: string) => (this.#errors += chunk));
  }
  epochs(): bigint[] {
    if (this.process.exitCode !== null) throw new Error(`the member ended: ${this.#errors}`);
    return this.lines.filter((l) => l.kind === 'start').map((l) => BigInt(l.epoch));
  }
}

suite(`log-kafka under faults of its broker${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let kafka: Awaited<ReturnType<typeof ownKafka>>;
  let control: ClusterClient;
  let made = 0;
  let topic: string;
  let reported: (keyof KafkaReport)[];
  let open: EventLog[];
  let children: MemberProcess[];

  const options = (more: Partial<KafkaLogOptions> = {}): KafkaLogOptions => ({
    brokers: kafka.brokers,
    prefix: kafka.prefix,
    clientId: 'faults',
    sessionMs: 6_000,
    ...more,
  });
  const openLog = async (more: Partial<KafkaLogOptions> = {}): Promise<EventLog> => {
    const report: KafkaReport = {
      producerRenewed: () => reported.push('producerRenewed'),
      appendUncertain: () => reported.push('appendUncertain'),
    };
    const log = await openKafkaLog(options({ report, ...more }));
    open.push(log);
    return log;
  };

  beforeAll(async () => {
    kafka = await ownKafka();
    control = new ClusterClient(options());
  }, 120_000);
  afterAll(async () => {
    await control?.close();
    await kafka?.stop();
  }, 60_000);
  beforeEach(() => {
    topic = `fault-${++made}`;
    reported = [];
    open = [];
    children = [];
  });
  afterEach(async () => {
    for (const child of children) child.process.kill('SIGKILL');
    for (const log of open) await log.close();
  }, 90_000);

  /** Appends batches one after another, sending an uncertain batch again first, until stop() is called. */
  function appendOn(
    log: EventLog,
    partition: number,
    size = 10,
  ): { stop(): Promise<{ acked: string[]; unknown: number }> } {
    let going = true;
    const acked: string[] = [];
    let unknown = 0;
    const run = (async () => {
      for (let n = 0; going; n++) {
        const values = Array.from({ length: size }, (_, i) => `${partition}.${n}.${i}`);
        const records: NewRecord[] = values.map((v) => rec(`k${partition}`, v));
        let done: AppendOutcome = await log.append(topic, partition, records);
        while (done.kind !== 'accepted') {
          unknown++;
          done = await log.append(topic, partition, records);
        }
        acked.push(...values);
      }
    })();
    return {
      stop: async () => {
        going = false;
        await run;
        return { acked, unknown };
      },
    };
  }

  /** First copies in the order in which they were acknowledged, nothing missing. */
  async function expectAll(log: EventLog, partition: number, acked: readonly string[]): Promise<{ copies: number }> {
    const all = (await readAll(log, topic, partition)).map((r) => text(r)!);
    const firsts = [...new Set(all)];
    expect(firsts.slice(0, acked.length)).toEqual(acked);
    return { copies: all.length - firsts.length };
  }

  it('the segments of a compacted topic are closed at 8 MiB, so that who takes over reads little that is old', async () => {
    const log = await openLog();
    await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'compact' });
    const name = kafka.prefix + topic;
    expect((await control.configs([name], 'segment.bytes')).get(name)).toBe('8388608');
    expect((await control.configs([name], 'segment.ms')).get(name)).toBe('86400000');
  });

  it('a topic that breaks a promise is refused with the command that mends it, unless the operator accepts the check', async () => {
    const log = await openLog();
    await log.ensureTopic({ name: topic, partitions: 2, cleanup: 'keep' });
    await control.alter(kafka.prefix + topic, { 'retention.bytes': '1048576', 'message.timestamp.type': 'CreateTime' });
    const refused = log.ensureTopic({ name: topic, partitions: 2, cleanup: 'keep' });
    await expect(refused).rejects.toMatchObject({ code: 'topic_unsafe' });
    const detail = await refused.catch((e: { detail?: string }) => e.detail);
    expect(detail).toContain('--add-config retention.bytes=-1');
    expect(detail).toContain('--add-config message.timestamp.type=LogAppendTime');
    // the shape of one topic does not hide what is wrong with another
    const second = `${topic}-2`;
    const third = `${topic}-3`;
    await log.ensureTopics([second, third].map((name) => ({ name, partitions: 1, cleanup: 'keep' as const })));
    await control.alter(kafka.prefix + second, { 'cleanup.policy': 'compact', 'retention.ms': '86400000' });
    await control.alter(kafka.prefix + third, { 'unclean.leader.election.enable': 'true' });
    const specs = [second, third].map((name) => ({ name, partitions: 1, cleanup: 'keep' as const }));
    const told = await log.ensureTopics(specs).catch((e: Fault) => e);
    expect(told).toMatchObject({ code: 'topic_unsafe' });
    expect(((told as Fault).problems ?? []).map((p) => (p.expected as { in(l: string): string }).in('en'))).toEqual([
      expect.stringMatching(new RegExp(`${second} --add-config cleanup.policy=delete$`)),
      expect.stringMatching(new RegExp(`${second} --add-config retention.ms=-1$`)),
      expect.stringMatching(new RegExp(`${third} --add-config unclean.leader.election.enable=false$`)),
    ]);
    await control.alter(kafka.prefix + second, { 'retention.ms': '-1' });
    const both = await openLog({ accept: ['cleanup', 'unclean'] });
    await both.ensureTopics(specs);
    const concerns: string[] = [];
    const accepting = await openLog({
      accept: ['retention-bytes', 'timestamp'],
      report: { topicConcern: (c) => concerns.push(`${c.check} ${c.breaks}`) },
    });
    await accepting.ensureTopic({ name: topic, partitions: 2, cleanup: 'keep' });
    expect(concerns).toEqual(['brokers false', 'retention-bytes true', 'timestamp true']);
  });

  it('partitions that an admin adds are a concern: the start goes on, and readers, groups and appends keep to the recorded number', async () => {
    const told: string[] = [];
    const report = { topicConcern: (c: { check: string; actual: string }) => told.push(`${c.check} ${c.actual}`) };
    const first = await openLog({ report });
    await first.ensureTopic({ name: topic, partitions: 2, cleanup: 'keep' });
    await put(first, topic, 1, [rec('k', 'a')]);
    const admin = new Admin({ clientId: 'admin', bootstrapBrokers: [...kafka.brokers] });
    await admin.createPartitions({
      topics: [{ name: kafka.prefix + topic, count: 4, assignments: null }],
      validateOnly: false,
    });
    await admin.close();
    await until('the log that is open to tell it', async () => {
      await first.describe(topic);
      return told.includes('partitions 4');
    });
    const concerns: string[] = [];
    const log = await openLog({ report: { topicConcern: (c) => concerns.push(c.check) } });
    await until('the added partitions are seen', async () => {
      await log.ensureTopic({ name: topic, partitions: 2, cleanup: 'keep' });
      return concerns.includes('partitions');
    });
    expect((await log.describe(topic)).map((r) => r.partition)).toEqual([0, 1]);
    expect(await log.append(topic, 3, [rec('k', 'v')])).toMatchObject({ kind: 'refused', code: 'wrong_partition' });
    const reader = new Reader();
    const member = await log.join(`group-${topic}`, [topic], reader);
    await put(log, topic, 0, [rec('k', 'b')]);
    await until('both records', () => reader.seen.length === 2);
    expect([...new Set(reader.starts.map((at) => at.partition))].sort()).toEqual([0, 1]);
    await member.leave();
  });

  it('a refusal by the broker renews the producer epoch of that partition alone: its appends go on, those of other partitions are not disturbed', async () => {
    const log = await openLog();
    await log.ensureTopic({ name: topic, partitions: 2, cleanup: 'keep' });
    const neighbour = appendOn(log, 1);
    await put(log, topic, 0, many(3));
    await control.alter(kafka.prefix + topic, { 'max.message.bytes': '20000' });
    const refused = await until('the broker to refuse', async () => {
      const done = await log.append(topic, 0, [rec('big', Buffer.alloc(50_000))]);
      return done.kind === 'refused' && done;
    });
    expect(refused).toMatchObject({ code: 'record_too_large', limit: 20_000 });
    expect(log.appendLimit(topic)).toBeLessThanOrEqual(20_000);
    expect(reported).toContain('producerRenewed');
    const high = (await log.describe(topic))[0]!.high;
    expect(await put(log, topic, 0, many(2, 'after'))).toBe(high);
    const { acked, unknown } = await neighbour.stop();
    expect(unknown).toBe(0);
    expect(await expectAll(log, 1, acked)).toEqual({ copies: 0 });
  });

  it('a broker with a small socket.request.max.bytes: requests are cut by it, and a record that fits into none is refused with the limit', async () => {
    const small = await ownKafka(1, undefined, { 'socket.request.max.bytes': 200_000 });
    try {
      const log = await openLog({ brokers: small.brokers });
      await log.ensureTopic({ name: topic, partitions: 8, cleanup: 'keep' });
      const value = Buffer.alloc(60_000, 7);
      for (let round = 0; round < 3; round++) {
        const outcomes = await Promise.all(
          Array.from({ length: 8 }, (_, p) => log.append(topic, p, [rec('a', value), rec('b', value)])),
        );
        expect(outcomes.map((o) => o.kind)).toEqual(outcomes.map(() => 'accepted'));
      }
      expect(await log.append(topic, 0, [rec('big', Buffer.alloc(250_000))])).toMatchObject({
        kind: 'refused',
        code: 'record_too_large',
        limit: 200_000 - 1_024,
      });
      expect(reported).not.toContain('appendUncertain');
    } finally {
      for (const log of open.splice(0)) await log.close();
      await small.stop();
    }
  }, 90_000);

  it('appends wait while the broker is frozen: nothing is lost or written twice, and no producer epoch is renewed', async () => {
    const log = await openLog();
    await log.ensureTopic({ name: topic, partitions: 2, cleanup: 'keep' });
    const writers = [appendOn(log, 0), appendOn(log, 1)];
    await until('appends', async () => (await log.describe(topic))[1]!.high > 100n);
    kafka.cluster.kill(1, 'SIGSTOP');
    await standsStill(kafka.cluster.node(1).pid);
    await expect(log.ping()).rejects.toMatchObject({ code: 'log_unavailable' });
    kafka.cluster.kill(1, 'SIGCONT');
    const before = (await until('the broker', () => log.describe(topic).catch(() => undefined)))[1]!.high;
    await until('appends again', async () => (await log.describe(topic))[1]!.high > before + 100n);
    for (const [p, writer] of writers.entries()) {
      const { acked, unknown } = await writer.stop();
      expect(unknown).toBe(0);
      expect(await expectAll(log, p, acked)).toEqual({ copies: 0 });
    }
    expect(reported).not.toContain('producerRenewed');
  }, 120_000);

  it('an append is uncertain after its deadline and is sent again with a new producer epoch: nothing is lost, first copies are in order', async () => {
    const log = await openLog({ appendDeadlineMs: 1_000 });
    await log.ensureTopic({ name: topic, partitions: 2, cleanup: 'keep' });
    const writers = [appendOn(log, 0), appendOn(log, 1)];
    await until('appends', async () => (await log.describe(topic))[1]!.high > 100n);
    for (let round = 0; round < 2; round++) {
      kafka.cluster.kill(1, 'SIGSTOP');
      const seen = reported.length;
      await until('a deadline', () => reported.slice(seen).includes('appendUncertain'));
      kafka.cluster.kill(1, 'SIGCONT');
      const before = (await until('the broker', () => log.describe(topic).catch(() => undefined)))[1]!.high;
      await until('appends again', async () => (await log.describe(topic))[1]!.high > before + 100n);
    }
    let unknowns = 0;
    for (const [p, writer] of writers.entries()) {
      const { acked, unknown } = await writer.stop();
      unknowns += unknown;
      await expectAll(log, p, acked);
    }
    expect(unknowns).toBeGreaterThan(0);
    expect(reported).toContain('producerRenewed');
  }, 120_000);

  it('recovers by itself after the broker was killed and started: no acknowledged record is missing, the order is kept', async () => {
    const log = await openLog();
    await log.ensureTopic({ name: topic, partitions: 2, cleanup: 'keep' });
    const reader = new Reader();
    await log.join(`g-${topic}`, [topic], reader);
    const writers = [appendOn(log, 0), appendOn(log, 1)];
    await until('appends', async () => (await log.describe(topic))[1]!.high > 100n);
    kafka.cluster.kill(1, 'SIGKILL');
    await expect(log.ping()).rejects.toMatchObject({ code: 'log_unavailable' });
    expect(await log.append('never-made', 0, many(1))).toMatchObject({ kind: 'refused', code: 'log_unavailable' });
    await kafka.cluster.start(1);
    const before = (await until('the broker', () => log.describe(topic).catch(() => undefined)))[1]!.high;
    await until('appends again', async () => (await log.describe(topic))[1]!.high > before + 100n);
    const all: string[] = [];
    for (const [p, writer] of writers.entries()) {
      const { acked } = await writer.stop();
      await expectAll(log, p, acked);
      all.push(...acked);
    }
    // the group has come back too and has read everything
    await until('the group to read on', () => new Set(reader.values()).size >= all.length, 60_000);
    expect(new Set(reader.values())).toEqual(new Set(all));
  }, 180_000);

  type Transaction = Awaited<ReturnType<Producer['beginTransaction']>>;

  /** Transactions of somebody else in a topic. */
  const foreign = (
    name: string,
  ): { producer: Producer; send: (tx: Transaction, value: string) => Promise<unknown> } => {
    const producer = new Producer({
      clientId: 'left-open',
      bootstrapBrokers: [...kafka.brokers],
      transactionalId: kafka.prefix + name,
      idempotent: true,
      producerId: -1n,
      producerEpoch: -1,
    });
    const send = (tx: Transaction, value: string): Promise<unknown> =>
      tx.send({
        messages: [{ topic: kafka.prefix + name, partition: 0, key: Buffer.from('k'), value: Buffer.from(value) }],
      } as never);
    return { producer, send };
  };

  it('never shows the records of an aborted transaction in a control topic, and reads on behind its marker', async () => {
    const log = await openLog();
    const control = `_${topic}`;
    await log.ensureTopic({ name: control, partitions: 1, cleanup: 'compact' });
    const { producer, send } = foreign(control);
    const first = await producer.beginTransaction();
    await send(first, 'aborted on purpose');
    await first.abort();
    const second = await producer.beginTransaction();
    await send(second, 'left open');
    // an open transaction holds the end back
    expect((await log.describe(control))[0]!.high).toBe(2n);
    const writer = await log.claim(control);
    expect(await writer.write([rec('k', 'kept'), rec('k', 'kept too')])).toMatchObject({ kind: 'accepted', base: 4n });
    await expect(second.commit()).rejects.toThrow();
    await producer.close(true);
    expect((await readAll(log, control)).map(text)).toEqual(['kept', 'kept too']);
    const batch = await log.read(control, 0, 0n);
    expect(batch).toMatchObject({ kind: 'records', next: 7n, high: 7n });
    expect(await log.read(control, 0, 6n)).toMatchObject({ kind: 'records', records: [], next: 7n });
  });

  it('does not hide acknowledged records of a stream behind an open foreign transaction; its records are foreign', async () => {
    const log = await openLog();
    await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
    const { producer, send } = foreign(topic);
    const first = await producer.beginTransaction();
    await send(first, 'aborted on purpose');
    await first.abort();
    const open = await producer.beginTransaction();
    await send(open, 'left open');
    const waiting = log.read(topic, 0, 3n, { waitMs: 30_000 });
    expect(await put(log, topic, 0, [rec('k', 'acknowledged')])).toBe(3n);
    const parked = await waiting;
    expect(parked.kind === 'records' && parked.records.map(text)).toEqual(['acknowledged']);
    expect((await log.describe(topic))[0]!.high).toBe(4n);
    const all = await readAll(log, topic);
    expect(all.map((r) => [r.offset, text(r), r.foreign])).toEqual([
      [0n, 'aborted on purpose', true],
      [2n, 'left open', true],
      [3n, 'acknowledged', undefined],
    ]);
    await open.commit();
    await producer.close(true);
    // a group goes on behind the marker, so that it reaches the end of the partition
    const reader = new Reader(new Map([[`${topic}/0`, 4n]]));
    await log.join(`g-${topic}`, [topic], reader);
    await until('the position behind the marker', () => reader.positions.get(`${topic}/0`) === 5n);
    expect(reader.values()).toEqual([]);
  });

  it('takes over the partitions of a killed member with higher epochs', async () => {
    const log = await openLog();
    await log.ensureTopic({ name: topic, partitions: 4, cleanup: 'keep' });
    const child = new MemberProcess(options(), `g-${topic}`, topic);
    children.push(child);
    await until('the member to start', () => child.epochs().length >= 4);
    const theirs = child.epochs();
    for (let p = 0; p < 4; p++) await put(log, topic, p, many(2, `${p}-`));
    await until('the member to read', () => child.lines.filter((l) => l.kind === 'batch').length >= 4);
    child.process.kill('SIGKILL');
    const reader = new Reader();
    await log.join(`g-${topic}`, [topic], reader);
    await until('all four here', () => new Set(reader.starts.map((s) => s.partition)).size === 4, 30_000);
    const highest = theirs.reduce((a, b) => (a > b ? a : b));
    for (const start of reader.starts) expect(start.epoch).toBeGreaterThan(highest);
    await until('everything read', () => reader.seen.length >= 8);
  }, 90_000);

  it('a member that was paused (SIGSTOP) hands out nothing until it has claimed the partition again, with an epoch above that of the member which took over', async () => {
    const log = await openLog();
    await log.ensureTopic({ name: topic, partitions: 2, cleanup: 'keep' });
    const child = new MemberProcess(options(), `g-${topic}`, topic);
    children.push(child);
    await until('the member to start', () => child.epochs().length >= 2);
    child.process.kill('SIGSTOP');
    const reader = new Reader();
    await log.join(`g-${topic}`, [topic], reader);
    await until('both here', () => new Set(reader.starts.map((s) => s.partition)).size === 2, 30_000);
    const mine = reader
      .held(topic)
      .map((a) => a.epoch)
      .reduce((a, b) => (a > b ? a : b));
    const slept = child.lines.length;
    await put(log, topic, 0, many(3, 'meanwhile'));
    await put(log, topic, 1, many(3, 'meanwhile'));
    child.process.kill('SIGCONT');
    await until('the sleeper to be given a partition again', () =>
      child.lines.slice(slept).some((l) => l.kind === 'start'),
    );
    const woken = child.lines.slice(slept);
    const zombie = woken
      .slice(
        0,
        woken.findIndex((l) => l.kind === 'start'),
      )
      .filter((l) => l.kind === 'batch');
    expect(zombie).toEqual([]);
    for (const line of woken) expect(BigInt(line.epoch)).toBeGreaterThan(mine);
  }, 90_000);

  it('reports out of range when retention has passed the position of a held partition, and never jumps', async () => {
    const log = await openLog();
    await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep', retentionMs: 1_000 });
    const reader = new Reader();
    let release: (() => void) | undefined;
    reader.onBatch = () => new Promise<void>((resolve) => (release = resolve));
    const membership = await log.join(`g-${topic}`, [topic], reader);
    await put(log, topic, 0, many(5));
    await until('the first five to be handed out', () => release);
    await put(log, topic, 0, many(5, 'gone'));
    await until('retention', async () => (await log.describe(topic))[0]!.low === 10n);
    reader.onBatch = undefined;
    release!();
    await until('the alarm', () => reader.interruptions.length === 1);
    await put(log, topic, 0, many(2, 'later'));
    expect(reader.values()).toHaveLength(5);
    membership.seek(topic, 0, 10n);
    await until('the rest', () => reader.values().length === 7);
    expect(reader.values().slice(5)).toEqual(['later0', 'later1']);
  }, 90_000);
});
