import { afterEach, describe, expect, it } from '@jest/globals';
import { pause } from '#concurrency';
import { Fleet, PRISONS, subjectOf, type ReceiverPlan } from '../kit/deliveries/fleet.js';
import { noOwnKafka, ownKafka } from '../kit/kafka.js';
import { random } from '../kit/random.js';

const campaign = process.env['SIMPUL_TEST_CAMPAIGN'] === '1';
const SEED = Number(process.env['SIMPUL_TEST_SEED'] ?? 2021);
const redis = process.env['SIMPUL_TEST_REDIS'];

/** A parked event is taken at its next try: else every subject would end behind a dead letter in a long run. */
const UNPARKED = [1, 2, 3];
const PLANS: readonly ReceiverPlan[] = [
  { name: 'racun', rules: [{ subject: subjectOf(PRISONS[0]!, 1), answer: { status: 422, body: 'tidak dikenal' } }] },
  {
    name: 'putus',
    rules: [
      { tries: UNPARKED, chance: 0.1, answer: { reset: 'request' } },
      { tries: UNPARKED, chance: 0.1, answer: { status: 200, reset: 'body' } },
      { tries: UNPARKED, chance: 0.15, answer: { status: 503 } },
    ],
  },
  { name: 'sehat', rules: [] },
  { name: 'lambat', rules: [{ answer: { delayMs: 100 } }], delayMs: 100 },
];

/** A machine with other work needs 20 s for a kill on Kafka: there a run may have fewer. */
const MOST = Number(process.env['SIMPUL_TEST_KILLS'] ?? 200);
const KILLS = campaign ? { embedded: MOST, kafka: MOST } : { embedded: 4, kafka: 3 };
const SETTLED_MS = campaign ? 300_000 : 60_000;
const HUBS = { embedded: ['hub'], kafka: ['courier-1', 'courier-2', 'gateway', 'projector', 'broker'] };

describe.each(['embedded', 'kafka'] as const)('kill -9 while events are delivered, %s', (engine) => {
  const kills = KILLS[engine];
  let stack = new AsyncDisposableStack();
  afterEach(async () => {
    await stack.disposeAsync();
    stack = new AsyncDisposableStack();
  });
  const skip = engine === 'kafka' && (noOwnKafka() !== undefined || !redis) && process.env['CI'] !== 'true';

  (skip ? it.skip : it)(
    `every acknowledged event is delivered or stands in a row, in order per subject, and comes again only as R8.7 allows: ${kills} kills, seed ${SEED} (SIMPUL_TEST_SEED)`,
    async () => {
      const rnd = random(SEED);
      const own = engine === 'kafka' ? await ownKafka() : undefined;
      stack.defer(() => own?.stop());
      const kafka = own && {
        SIMPUL_ENGINE: 'kafka',
        SIMPUL_KAFKA: own.brokers.join(','),
        SIMPUL_REDIS: redis ?? '',
        SIMPUL_KAFKA_PREFIX: own.prefix,
      };
      const fleet = stack.adopt(await Fleet.open({ ...(kafka === undefined ? {} : { kafka }) }), (f) => f.close());
      for (const plan of PLANS) await fleet.subscribe(plan);
      const one = (names: readonly string[]): string => names[Math.floor(rnd() * names.length)]!;
      fleet.begin(campaign ? 100 : 30);
      for (let k = 0; k < kills; k++) {
        // On a machine with other work a hub needs seconds to deliver again; a kill before that proves little.
        await fleet.flows();
        await pause(rnd() * 1_500);
        // Two of three kills are of the hub.
        const victim = k % 3 < 2 ? one(HUBS[engine]) : one(PLANS.map(({ name }) => name));
        if (victim === 'broker')
          await fleet.withoutLog(victim, async () => {
            own!.cluster.kill(1, 'SIGKILL');
            await own!.cluster.start(1);
          });
        else await fleet.kill(victim);
      }
      await fleet.quiet();
      await fleet.settled(SETTLED_MS);
      const sound = { missing: [], early: [], again: [], otherIds: [], unknown: [] };
      const before = await fleet.judge();
      expect(before).toMatchObject(sound);
      // The poisoned subject stands with everything behind it, and nothing else of that receiver does.
      const stood = await fleet.standing('racun');
      expect([stood['dead'], stood['status']]).toEqual([1, 'active']);
      expect(before.delivered).toBeLessThan(before.due * PLANS.length);
      await fleet.mend(SETTLED_MS);
      const after = await fleet.judge();
      expect(after).toMatchObject({ ...sound, delivered: after.due * PLANS.length });
      const killed = Object.entries(Object.groupBy(fleet.faults, ({ what }) => what)).map(
        ([what, all]) => `${what} ${all!.length}`,
      );
      console.log(
        `${engine}, seed ${SEED}: ${after.due} events to ${PLANS.length} receivers, killed ${killed.join(', ')}; ` +
          `${after.repeated} came again, which had ended ${after.oldestRepeatMs} ms before a kill or later`,
      );
    },
    120_000 + kills * 30_000,
  );
});
