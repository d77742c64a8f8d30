import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EventLog } from '#log';
import { readAll, rec, text, until } from '../log/conformance/kit.js';
import { noOwnKafka, ownKafka } from '../../test/kit/kafka.js';
import { openKafkaLog, type KafkaEvent } from './index.js';
import { Control } from './platformatic.js';

const reason = noOwnKafka();
const suite = reason === undefined ? describe : describe.skip;
const FAULTS = process.env['SIMPUL_TEST_CAMPAIGN'] === undefined ? 2 : 30;
const PARTITIONS = 6;
const TOPIC = 'failover';

suite(`log-kafka on three brokers that fail in turn${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let kafka: Awaited<ReturnType<typeof ownKafka>>;
  let control: Control;
  let log: EventLog;
  const events: KafkaEvent[] = [];

  beforeAll(async () => {
    kafka = await ownKafka(3);
    const options = { brokers: kafka.brokers, prefix: kafka.prefix, clientId: 'failover' };
    control = new Control(options);
    log = await openKafkaLog({ ...options, onEvent: (e) => events.push(e) });
  }, 180_000);
  afterAll(async () => {
    await log?.close();
    await control?.close();
    await kafka?.stop();
  }, 120_000);

  it(
    `${FAULTS} faults of leaders: nothing acknowledged is missing, nothing lies there twice, order kept`,
    async () => {
      await log.ensureTopic({ name: TOPIC, partitions: PARTITIONS, cleanup: 'keep' });
      const name = kafka.prefix + TOPIC;
      expect((await control.configs([name], 'min.insync.replicas')).get(name)).toBe('2');
      const acked: string[][] = Array.from({ length: PARTITIONS }, () => []);
      const unknown: string[] = [];
      let going = true;
      const writers = acked.map(async (mine, p) => {
        for (let n = 0; going; n++) {
          const values = Array.from({ length: 20 }, (_, i) => `${p}.${n}.${i}`);
          const records = values.map((v) => rec(`k${p}`, v));
          while ((await log.append(TOPIC, p, records)).kind !== 'durable') unknown.push(values[0]!);
          mine.push(...values);
        }
      });
      const flows = async (): Promise<void> => {
        const before = acked.map((a) => a.length);
        await until('every partition to flow', () => acked.every((a, p) => a.length > before[p]!), 60_000);
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
      await flows();
      for (let fault = 0; fault < FAULTS; fault++) {
        const partition = fault % PARTITIONS;
        const leader = await until('a leader', () => leaderOf(partition).then((l) => l > 0 && l));
        if (fault % 2 === 0) {
          kafka.cluster.kill(leader, 'SIGKILL');
          await flows();
          await kafka.cluster.start(leader);
        } else {
          kafka.cluster.kill(leader, 'SIGSTOP');
          // until others lead: when it wakes, it must not answer for what is no longer its own
          await until('another leader', () => leaderOf(partition).then((l) => l >= 0 && l !== leader), 90_000);
          kafka.cluster.kill(leader, 'SIGCONT');
        }
        await flows();
        await until('all copies in sync', settled, 60_000);
      }
      going = false;
      await Promise.all(writers);
      expect(unknown).toEqual([]);
      for (const [p, mine] of acked.entries()) {
        const all = (await readAll(log, TOPIC, p)).map(text);
        expect(all).toEqual(mine);
        expect(mine.length).toBeGreaterThan(0);
      }
      expect(events.filter((e) => e.kind === 'wrote_elsewhere')).toEqual([]);
    },
    90_000 + FAULTS * 60_000,
  );
});
