import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { many, put, records, text } from '../log/conformance/kit.js';
import { noKafka, testKafka } from '../../test/kit/kafka.js';
import { Fetcher } from './fetch.js';
import { openKafkaLog } from './index.js';
import { codecs } from './platformatic/index.js';

const reason = await noKafka();
const suite = reason === undefined ? describe : describe.skip;
const TOPIC = 'layanan.kasus';

suite(`reads of Kafka${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('fetch a batch once and check it once, however many small reads go through it one after the other', async () => {
    const kafka = await testKafka();
    const log = await openKafkaLog({ brokers: kafka.brokers, prefix: kafka.prefix, clientId: 'reads' });
    try {
      await log.ensureTopic({ name: TOPIC, partitions: 1, cleanup: 'keep' });
      for (let batch = 0; batch < 3; batch++) await put(log, TOPIC, 0, many(100, `b${batch}-`));
      const fetches = jest.spyOn(Fetcher.prototype, 'fetch');
      const checks = jest.spyOn(codecs, 'crc32c');
      const seen: (string | undefined)[] = [];
      for (let next = 0n; next < 300n;) {
        const read = await records(log.read(TOPIC, 0, next, { maxRecords: 10 }));
        expect(read.records.length).toBeLessThanOrEqual(10);
        seen.push(...read.records.map(text));
        next = read.next;
      }
      expect(seen).toEqual([0, 1, 2].flatMap((batch) => many(100, `b${batch}-`).map((r) => r.value?.toString())));
      expect([fetches.mock.calls.length, checks.mock.calls.length]).toEqual([1, 3]);
    } finally {
      await log.close();
      await kafka.stop();
    }
  });

  it('ask for more the longer a reader goes on, and for what it needs when it begins anew', async () => {
    const kafka = await testKafka();
    const log = await openKafkaLog({ brokers: kafka.brokers, prefix: kafka.prefix, clientId: 'reads' });
    try {
      await log.ensureTopic({ name: TOPIC, partitions: 1, cleanup: 'keep' });
      const large = Buffer.alloc(1_000);
      for (let batch = 0; batch < 60; batch++)
        await put(
          log,
          TOPIC,
          0,
          many(10, `b${batch}-`).map((r) => ({ ...r, key: large })),
        );
      const fetches = jest.spyOn(Fetcher.prototype, 'fetch');
      const asked = (): unknown[] => fetches.mock.calls.map(([, { wanted }]) => wanted[0]!.maxBytes);
      let seen = 0;
      for (let next = 0n; next < 600n;) {
        const read = await records(log.read(TOPIC, 0, next, { maxRecords: 10 }));
        seen += read.records.length;
        next = read.next;
      }
      expect(seen).toBe(600);
      // a fetch at another place, because what was kept is too old on a slow machine, begins anew
      expect(asked()[0]).toBe(65_536);
      expect(asked()).toEqual(expect.arrayContaining([131_072, 262_144]));
      await records(log.read(TOPIC, 0, 0n, { maxRecords: 10 }));
      expect(asked().at(-1)).toBe(65_536);
    } finally {
      await log.close();
      await kafka.stop();
    }
  });
});
