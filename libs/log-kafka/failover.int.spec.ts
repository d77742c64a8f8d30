import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AppendOutcome, EventLog } from '#log';
import { readAll, rec, text, until } from '../log/conformance/kit.js';
import { noOwnKafka, ownKafka } from '../../test/kit/kafka.js';
import { openKafkaLog } from './index.js';
import { ClusterClient } from './platformatic/index.js';

const reason = noOwnKafka();
const suite = reason === undefined ? describe : describe.skip;
const FAULTS = process.env['SIMPUL_TEST_CAMPAIGN'] === undefined ? 2 : 30;
const PARTITIONS = 6;
const TOPIC = 'failover';

suite(
  `log-kafka on three brokers of which one fails at a time${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    let kafka: Awaited<ReturnType<typeof ownKafka>>;
    let control: ClusterClient;
    let log: EventLog;
    const elsewhere: string[] = [];

    beforeAll(async () => {
      kafka = await ownKafka(3);
      const options = { brokers: kafka.brokers, prefix: kafka.prefix, clientId: 'failover' };
      control = new ClusterClient(options);
      log = await openKafkaLog({
        ...options,
        report: { wroteElsewhere: (topic, p, at) => elsewhere.push(`${topic}/${p}: ${at?.partition}/${at?.base}`) },
      });
    }, 180_000);
    afterAll(async () => {
      await log?.close();
      await control?.close();
      await kafka?.stop();
    }, 120_000);

    it(
      `${FAULTS} faults of leaders: no acknowledged record is missing or written twice, and the order is kept`,
      async () => {
        await log.ensureTopic({ name: TOPIC, partitions: PARTITIONS, cleanup: 'keep' });
        const name = kafka.prefix + TOPIC;
        expect((await control.configs([name], 'min.insync.replicas')).get(name)).toBe('2');
        const acked: string[][] = Array.from({ length: PARTITIONS }, () => []);
        const failed: { at: string; done: AppendOutcome }[] = [];
        let going = true;
        const writers = acked.map(async (mine, p) => {
          for (let n = 0; going; n++) {
            const values = Array.from({ length: 20 }, (_, i) => `${p}.${n}.${i}`);
            const records = values.map((v) => rec(`k${p}`, v));
            const done = await log.append(TOPIC, p, records);
            if (done.kind === 'accepted') mine.push(...values);
            else {
              // within the deadline of 60 s none of these faults may become anything but durable
              failed.push({ at: values[0]!, done });
              return;
            }
          }
        });
        const flows = async (): Promise<void> => {
          const before = acked.map((a) => a.length);
          await until(
            'every partition to flow',
            () => {
              expect(failed).toEqual([]);
              return acked.every((a, p) => a.length > before[p]!);
            },
            60_000,
          );
        };
        const settled = (): Promise<boolean> =>
          control.shapes([name]).then(
            (now) => now.get(name)?.behind === 0,
            () => false,
          );
        const leaderOf = (p: number): Promise<number> =>
          control.shapes([name]).then(
            (now) => now.get(name)!.leaders[p]!,
            () => -1,
          );
        try {
          await flows();
          for (let fault = 0; fault < FAULTS; fault++) {
            const partition = fault % PARTITIONS;
            const leader = await until('a leader', () => leaderOf(partition).then((l) => l > 0 && l));
            if (fault % 2 === 0) {
              kafka.cluster.kill(leader, 'SIGKILL');
              await flows();
              await kafka.cluster.start(leader);
            } else {
              // the first of the list is the one that clients ask; frozen, it takes every question and answers none
              const frozen = fault === 1 ? 1 : leader;
              kafka.cluster.kill(frozen, 'SIGSTOP');
              const led = (): Promise<boolean> =>
                control.shapes([name]).then(
                  (now) => now.get(name)!.leaders.every((l) => l > 0 && l !== frozen),
                  () => false,
                );
              await until('others to lead', led, 60_000);
              await flows();
              kafka.cluster.kill(frozen, 'SIGCONT');
            }
            await flows();
            await until('all copies in sync', settled, 60_000);
          }
        } finally {
          going = false;
          await Promise.all(writers);
        }
        expect(failed).toEqual([]);
        for (const [p, mine] of acked.entries()) {
          const all = (await readAll(log, TOPIC, p)).map(text);
          expect(all).toEqual(mine);
          expect(mine.length).toBeGreaterThan(0);
        }
        expect(elsewhere).toEqual([]);
      },
      90_000 + FAULTS * 60_000,
    );
  },
);
