import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { pause } from '#concurrency';
import { firstAnswer } from '../../deploy/local/first-answer.js';
import { startRedis } from '../../deploy/local/redis.js';
import { Couriers, type Blow } from '../kit/deliveries/couriers.js';
import { Fleet, PRISONS, subjectOf } from '../kit/deliveries/fleet.js';
import { noOwnKafka, ownKafka } from '../kit/kafka.js';
import { random } from '../kit/random.js';

const campaign = process.env['SIMPUL_TEST_CAMPAIGN'] === '1';
const SEED = Number(process.env['SIMPUL_TEST_SEED'] ?? 2021);
const ROUNDS = campaign ? 40 : 2;
const SUBSCRIPTIONS = 12;
const JUDGED = { missing: [], early: [], otherIds: [], unknown: [], again: [] };
/** For all subscriptions, on a machine without other work. */
const BAR_MS: Readonly<Record<Blow, number>> = { SIGKILL: 45_000, SIGSTOP: 45_000, SIGTERM: 3_000 };
const STRUCK = ['courier-1', 'courier-2'];
const BLOWS = ['SIGKILL', 'SIGSTOP', 'SIGTERM'] as const;

/** Which couriers are struck in a round. The third one, which is the hub too, never is. */
function blowsOf(round: number, rnd: () => number): ReadonlyMap<string, Blow> {
  const one = <T>(of: readonly T[]): T => of[Math.floor(rnd() * of.length)]!;
  if (round === 0) return new Map(STRUCK.map((name, n) => [name, BLOWS[n]!]));
  if (round === 1) return new Map([[one(STRUCK), 'SIGTERM']]);
  const struck = rnd() < 0.5 ? STRUCK : [one(STRUCK)];
  return new Map(struck.map((name) => [name, one(BLOWS)]));
}

describe('three couriers on Kafka', () => {
  const stack = new AsyncDisposableStack();
  afterEach(() => stack.disposeAsync());

  (noOwnKafka() === undefined ? it : it.skip)(
    `are killed, stopped for longer than their session, ended in order and joined again, and Redis is emptied: the others take over in time, and everything comes in order: ${ROUNDS} rounds, seed ${SEED} (SIMPUL_TEST_SEED)`,
    async () => {
      const rnd = random(SEED);
      const dir = mkdtempSync(join(tmpdir(), 'simpul-redis-'));
      stack.defer(() => rmSync(dir, { recursive: true, force: true }));
      const redis = stack.adopt(await startRedis({ dir }), (r) => r.stop());
      const { brokers, prefix } = stack.adopt(await ownKafka(), (own) => own.stop());
      const kafka = {
        SIMPUL_ENGINE: 'kafka',
        SIMPUL_KAFKA: brokers.join(','),
        SIMPUL_REDIS: redis.url,
        SIMPUL_KAFKA_PREFIX: prefix,
      };
      const fleet = stack.adopt(await Fleet.open({ kafka, together: true, couriers: STRUCK.length }), (f) => f.close());
      // A subject is parked with everything behind it, so that rows move from courier to courier too.
      await fleet.subscribe({ name: 's0', rules: [{ subject: subjectOf(PRISONS[0]!, 1), answer: { status: 422 } }] });
      for (let n = 1; n < SUBSCRIPTIONS; n++) await fleet.subscribe({ name: `s${n}`, rules: [] }, {}, 's0');
      const couriers = stack.adopt(new Couriers(fleet), (c) => c.wake());
      fleet.begin(150);
      await couriers.allDeliver();
      const told: string[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        await pause(rnd() * 1_000);
        const blows = blowsOf(round, rnd);
        const { ms, slow, back } = await couriers.strike(blows);
        told.push(
          `${[...blows].map((blow) => blow.join(' ')).join(', ')}: ${ms} ms, machine slower ${slow.toFixed(1)} times`,
        );
        const bar = Math.max(...[...blows.values()].map((blow) => BAR_MS[blow])) * slow;
        if (ms > bar) throw new Error(`${told.join('\n')}: not within ${bar} ms`);
        await back();
        if (round % 4 > 0) continue;
        const from = Date.now();
        expect(await firstAnswer({ port: redis.port, host: '127.0.0.1' }, 'FLUSHALL\r\n', 5_000)).toContain('+OK');
        told.push(`Redis emptied: ${await couriers.takenOver(from)} ms`);
      }
      await fleet.quiet();
      await fleet.settled();
      await couriers.tellMoves(brokers, prefix);
      const stood = await fleet.judge();
      if (stood.again.length > 0) throw new Error(couriers.historyOf(stood.again));
      expect(stood).toMatchObject(JUDGED);
      expect(await couriers.stale(brokers, prefix)).toEqual([]);
      await fleet.mend();
      const verdict = await fleet.judge();
      expect(verdict).toMatchObject({ ...JUDGED, delivered: verdict.due * SUBSCRIPTIONS });
      console.log(
        `seed ${SEED}: ${verdict.due} events to ${SUBSCRIPTIONS} subscriptions, ${verdict.repeated} came again\n${told.join('\n')}`,
      );
    },
    400_000 + ROUNDS * 100_000,
  );
});
