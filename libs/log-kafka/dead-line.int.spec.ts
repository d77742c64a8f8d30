import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EventLog } from '#log';
import { put, readAll, rec, text, until } from '../log/conformance/kit.js';
import { startRedis } from '../../deploy/local/redis.js';
import { burst, keysOf, PublisherGroup, samplesOf } from '../../test/kit/bursts/bursts.js';
import { expectReceipts, expectSound } from '../../test/kit/bursts/verdict.js';
import type { HistoryLine } from '../../test/kit/checking/history.js';
import { deploy } from '../../test/kit/deployment.js';
import { noOwnKafka, proxiedKafka } from '../../test/kit/kafka.js';
import { openKafkaLog, type KafkaLogOptions } from './index.js';
import { ClusterClient } from './platformatic/index.js';

const reason = noOwnKafka();
const suite = reason === undefined ? describe : describe.skip;
const CAMPAIGN = process.env['SIMPUL_TEST_CAMPAIGN'] !== undefined;
/** Rounds of the dead line, and how long each lasts at least; the deadline of an append is passed in each. */
const [ROUNDS, LEAST_DEADLINE_MS] = CAMPAIGN ? [5, 20_000] : [1, 4_000];
const PARTITIONS = 9;

suite(
  `log-kafka on three brokers behind proxies, with a dead line to one of them${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    let kafka: Awaited<ReturnType<typeof proxiedKafka>>;
    let control: ClusterClient;
    const opened: EventLog[] = [];

    const open = async (more: Partial<KafkaLogOptions>): Promise<EventLog> => {
      const log = await openKafkaLog({ brokers: kafka.brokers, prefix: kafka.prefix, clientId: 'dead-line', ...more });
      opened.push(log);
      return log;
    };
    const leadersOf = async (topic: string): Promise<readonly number[]> => {
      const name = kafka.prefix + topic;
      return (await control.shapes([name])).get(name)!.leaders;
    };

    /** A deadline that no append of a healthy partition passes on this machine as busy as it is now. */
    let deadlineMs: number;

    beforeAll(async () => {
      kafka = await proxiedKafka();
      control = new ClusterClient({ brokers: kafka.direct, clientId: 'control' });
      const log = await open({});
      await log.ensureTopic({ name: 'pace', partitions: PARTITIONS, cleanup: 'keep' });
      let slowest = 0;
      for (let n = 0; n < 20; n++) {
        const began = performance.now();
        await Promise.all(Array.from({ length: PARTITIONS }, (_, p) => put(log, 'pace', p, [rec('k', 'v')])));
        slowest = Math.max(slowest, performance.now() - began);
      }
      deadlineMs = Math.min(20_000, Math.max(LEAST_DEADLINE_MS, 8 * slowest));
    }, 180_000);
    afterAll(async () => {
      for (const log of opened) await log.close();
      await control?.close();
      await kafka?.stop();
    }, 120_000);

    it('a batch that is held up on its way until after its deadline is refused by the broker: it is never written behind a newer acknowledged one', async () => {
      // Below the 10 s of one Produce request: after those the batch would be sent again on a new line, and accepted.
      const log = await open({ appendDeadlineMs: Math.min(deadlineMs, 9_000) });
      await log.ensureTopic({ name: 'late', partitions: 3, cleanup: 'keep' });
      const leaders = await leadersOf('late');
      await put(log, 'late', 0, [rec('k', 'first')]);
      const proxy = kafka.proxies[leaders[0]! - 1]!;
      proxy.freeze();
      const held = await log.append('late', 0, [rec('k', 'old')]);
      expect(held.kind).toBe('uncertain');
      await put(log, 'late', 0, [rec('k', 'new')]);
      const lines = proxy.thaw();
      expect(lines.length).toBeGreaterThan(0);
      await until('the broker to answer what was held', () => lines.every((line) => line.answered > 0));
      expect((await readAll(log, 'late')).map(text)).toEqual(['first', 'new']);
      await put(log, 'late', 0, [rec('k', 'newest')]);
      expect((await readAll(log, 'late')).map(text)).toEqual(['first', 'new', 'newest']);
    }, 180_000);

    it(
      'appends of partitions that other brokers lead are all accepted once; those of the dead line are refused or uncertain, and go on when it is back',
      async () => {
        const renewed = new Set<number>();
        const log = await open({
          appendDeadlineMs: deadlineMs,
          report: { producerRenewed: (_topic, partition) => renewed.add(partition) },
        });
        const topic = 'neighbours';
        await log.ensureTopic({ name: topic, partitions: PARTITIONS, cleanup: 'keep' });
        const leaders = await leadersOf(topic);
        const dead = leaders[0]!;
        const behind = (p: number): boolean => leaders[p] === dead;
        const acked: string[][] = leaders.map(() => []);
        const failed: string[][] = leaders.map(() => []);
        let going = true;
        const writers = acked.map(async (mine, p) => {
          for (let n = 0; going; n++) {
            const values = Array.from({ length: 5 }, (_, i) => `${p}.${n}.${i}`);
            const records = values.map((v) => rec(`k${p}`, v));
            for (;;) {
              const done = await log.append(topic, p, records);
              if (done.kind === 'accepted') break;
              failed[p]!.push(done.kind);
              if (!going) return;
            }
            mine.push(...values);
          }
        });
        const flows = (which: (p: number) => boolean): Promise<unknown> => {
          const before = acked.map((a) => a.length);
          return until(
            'partitions to flow',
            () => acked.every((a, p) => !which(p) || a.length > before[p]! + 50),
            60_000,
          );
        };
        try {
          await flows(() => true);
          for (let round = 0; round < ROUNDS; round++) {
            const before = failed.map((f) => f.length);
            kafka.proxies[dead - 1]!.hold();
            await until(
              'two deadlines of each partition behind the dead line',
              () => failed.every((f, p) => !behind(p) || f.length >= before[p]! + 2),
              deadlineMs * 6 + 30_000,
            );
            await flows((p) => !behind(p));
            kafka.proxies[dead - 1]!.open();
            await flows(() => true);
          }
        } finally {
          going = false;
          kafka.proxies[dead - 1]!.open();
          await Promise.all(writers);
        }
        const written = await Promise.all(
          acked.map(async (_, p) => (await readAll(log, topic, p)).map((r) => text(r)!)),
        );
        for (const [p, mine] of acked.entries())
          if (!behind(p)) expect([p, failed[p], renewed.has(p), written[p]]).toEqual([p, [], false, mine]);
        for (const [p, mine] of acked.entries()) {
          if (!behind(p)) continue;
          const all = written[p]!;
          // nothing acknowledged is missing, and no copy of an older batch lies behind a newer one
          const numbers = all.map((v) => Number(v.split('.')[1]));
          expect(numbers).toEqual(numbers.toSorted((x, y) => x - y));
          expect([...new Set(all)].slice(0, mine.length)).toEqual(mine);
          // the first try was on the line; later ones never left, because no new line answered
          expect(failed[p]).toContain('uncertain');
          expect(failed[p]).toContain('refused');
        }
      },
      60_000 + ROUNDS * 220_000,
    );

    // A hub, its Redis and four bursts: minutes on three brokers of one machine.
    if (CAMPAIGN)
      it('a hub goes on while the line to one broker is dead, and afterwards log, reads, views and receipts agree: nothing lost, doubled or out of order', async () => {
        const dir = mkdtempSync(join(tmpdir(), 'simpul-line-'));
        const redis = await startRedis({ dir });
        const hub = await deploy({
          SIMPUL_ENGINE: 'kafka',
          SIMPUL_KAFKA: kafka.brokers.join(','),
          SIMPUL_KAFKA_PREFIX: `${kafka.prefix}hub.`,
          SIMPUL_REDIS: redis.url,
        });
        const lines: HistoryLine[] = [];
        const keys = await keysOf(hub);
        const steward = await hub.key('SU00002', 'pemeriksa', ['steward']);
        const samples = await samplesOf(hub);
        const publishers = new PublisherGroup(hub.url, 'hub', keys, lines);
        const acked = (): number => lines.filter((line) => line.type === 'ok').length;
        try {
          for (const [round, proxy] of [undefined, ...kafka.proxies].entries()) {
            const before = acked();
            const all = burst(publishers, keys, 301 + round, samples);
            await Promise.race([until('the first events', () => acked() > before + 20), all]);
            proxy?.hold();
            try {
              await until('events of other partitions', () => acked() > before + 60, 60_000);
              if (proxy !== undefined) await new Promise((done) => setTimeout(done, 20_000));
            } finally {
              proxy?.open();
            }
            await all;
            expect(await expectSound(hub.url, steward, lines, 'kafka')).toMatchObject({
              lost: 0,
              doubled: 0,
              misordered: 0,
            });
            expect(await expectReceipts(hub.url, steward, lines)).toBeGreaterThan(200);
          }
        } finally {
          await publishers.close();
          await hub.close();
          await redis.stop();
          rmSync(dir, { recursive: true, force: true });
        }
      }, 900_000);
  },
);
