import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AssignedPartition, EventLog, LogRecord } from '#log';
import { readAll, rec, text, until } from '../log/conformance/kit.js';
import { selfSigned } from '../../test/kit/certificate.js';
import { noOwnKafka, ownKafka } from '../../test/kit/kafka.js';
import { openKafkaLog, type KafkaLogOptions } from './index.js';

const reason = noOwnKafka();
const suite = reason === undefined ? describe : describe.skip;
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
    kafka = await ownKafka(1, { ...door, ca: door.cert, users });
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
