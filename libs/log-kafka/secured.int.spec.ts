import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AssignedPartition, EventLog, LogRecord } from '#log';
import { readAll, rec, text, until } from '../log/conformance/kit.js';
import { selfSigned } from '../../test/kit/certificate.js';
import { noOwnKafka, ownKafka } from '../../test/kit/kafka.js';
import { openKafkaLog, type KafkaLogOptions } from './index.js';

const reason = noOwnKafka();
const suite = reason === undefined ? describe : describe.skip;
/** connections.max.reauth.ms of the broker. */
const SESSION_MS = 4_000;
const sasl = { mechanism: 'SCRAM-SHA-512', username: 'simpul', password: 'rahasia-contoh' } as const;

suite(`log-kafka behind TLS and passwords${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const door = selfSigned();
  let kafka: Awaited<ReturnType<typeof ownKafka>>;
  let options: KafkaLogOptions;
  const opened: EventLog[] = [];
  const open = async (more: Partial<KafkaLogOptions>): Promise<EventLog> => {
    const log = await openKafkaLog({ ...options, ...more });
    opened.push(log);
    return log;
  };

  beforeAll(async () => {
    const users = { broker: 'antar-broker', [sasl.username]: sasl.password };
    kafka = await ownKafka(1, { ...door, ca: door.cert, users, reauthMs: SESSION_MS });
    options = { brokers: kafka.brokers, prefix: kafka.prefix, clientId: 'secured', sasl, tls: { ca: door.cert } };
  }, 120_000);
  afterAll(async () => {
    for (const log of opened) await log.close();
    await kafka?.stop();
  }, 60_000);

  it('both clients connect: append, read, claim of a writer, group', async () => {
    const log = await open({});
    await log.ensureTopics([
      { name: 'a', partitions: 2, cleanup: 'keep' },
      { name: '_kontrol', partitions: 1, cleanup: 'compact' },
    ]);
    expect(await log.append('a', 1, [rec('k', 'satu'), rec('k', 'dua')])).toMatchObject({ kind: 'accepted', base: 0n });
    expect((await readAll(log, 'a', 1)).map(text)).toEqual(['satu', 'dua']);
    const writer = await log.claim('_kontrol');
    await writer.release();
    const seen: LogRecord[] = [];
    const member = await log.join('pembaca', ['a'], {
      start: () => Promise.resolve({ offset: 0n }),
      batch: (_at: AssignedPartition, { records, next }) => {
        seen.push(...records);
        return Promise.resolve({ next });
      },
      lost: () => undefined,
    });
    await until('both records', () => seen.length === 2);
    await member.leave();
  });

  it('goes on over SASL sessions of 4 s: no append fails, no read fails, and the group keeps its partitions', async () => {
    const problems: string[] = [];
    const log = await open({
      report: {
        rejoining: (_group, why) => problems.push(`rejoining: ${why}`),
        readFailed: (_at, error) => problems.push(`read: ${String(error)}`),
      },
    });
    await log.ensureTopics([
      { name: 'sesi', partitions: 2, cleanup: 'keep' },
      { name: 'sesi-kontrol', partitions: 1, cleanup: 'compact' },
    ]);
    let read = 0;
    let lost = 0;
    const member = await log.join('sesi', ['sesi'], {
      start: () => Promise.resolve({ offset: 0n }),
      batch: (_at: AssignedPartition, { records, next }) => Promise.resolve({ next: ((read += records.length), next) }),
      lost: () => lost++,
    });
    const writer = await log.claim('sesi-kontrol');
    let appended = 0;
    const end = performance.now() + 3 * SESSION_MS;
    while (performance.now() < end) {
      const outcomes = await Promise.all([0, 1].map((p) => log.append('sesi', p, [rec('k', 'v')])));
      expect(outcomes.map((o) => o.kind)).toEqual(['accepted', 'accepted']);
      if (appended % 100 === 0) expect((await writer.write([rec('k', 'v')])).kind).toBe('accepted');
      appended += 2;
    }
    await until('the group to read all', () => read === appended);
    expect([lost, problems]).toEqual([0, []]);
    await member.leave();
    await writer.release();
  }, 60_000);

  it.each([
    ['a wrong password', { sasl: { ...sasl, password: 'salah' } }, /SASL|[Aa]uthentication/],
    [
      'a certificate authority that did not sign the broker',
      { tls: { ca: selfSigned().cert } },
      /certificate|self-signed/i,
    ],
    ['a connection without TLS to a broker that requires it', { tls: undefined }, /TLS|closed|ECONNRESET/],
  ] as const)('reports %s with its innermost cause within 10 seconds', async (_what, more, cause) => {
    const began = performance.now();
    await expect(open(more as Partial<KafkaLogOptions>)).rejects.toMatchObject({
      code: 'log_unavailable',
      detail: expect.stringMatching(cause),
    });
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
