import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Fleet, PRISONS, subjectOf } from '../kit/deliveries/fleet.js';

/**
 * A courier stores in steps: appends to `_simpul.lanes` (parked, held, retried rows and their deletion), `_simpul.attempts`, `_simpul.cursors`. In each round a
 * subject is refused, one fails until it is a dead letter, and one is healthy; the process is killed right before or right after one step.
 */
const campaign = process.env['SIMPUL_TEST_CAMPAIGN'] === '1';
const redis = process.env['SIMPUL_TEST_REDIS'];
const kafka = process.env['SIMPUL_TEST_KAFKA'];
const [REFUSED, FAILING, , MENDED] = PRISONS as [string, string, string, string];
const ROUNDS = { embedded: campaign ? 200 : 5, kafka: 20 };
/** On Kafka each kill costs a session of the group: only the campaign does it. deliveries.e2e.spec.ts kills at random on Kafka in every run. */
const ENGINES = campaign ? (['embedded', 'kafka'] as const) : (['embedded'] as const);
/** In this order as far as there are rounds; then the later steps of each topic, which differ from run to run. */
const FIRST = [
  '_simpul.lanes 1 after',
  '_simpul.lanes 2 before',
  '_simpul.attempts 1 after',
  '_simpul.cursors 1 after',
  '_simpul.lanes 4 after',
  '_simpul.lanes 1 before',
  '_simpul.cursors 1 before',
];
const SOUND = { missing: [], early: [], again: [], otherIds: [], unknown: [] };

describe.each(ENGINES)('a courier that is killed between two steps, %s', (engine) => {
  let stack = new AsyncDisposableStack();
  afterEach(async () => {
    await stack.disposeAsync();
    stack = new AsyncDisposableStack();
  });
  const skip = engine === 'kafka' && (!kafka || !redis);

  (skip ? it.skip : it)(
    `of failure, parked row, held rows, dead letter, cursor: every event is in the dead letters, held or delivered, and recorded (rounds: ${ROUNDS[engine]})`,
    async () => {
      const settings = {
        SIMPUL_ENGINE: 'kafka',
        SIMPUL_KAFKA: kafka ?? '',
        SIMPUL_REDIS: redis ?? '',
        SIMPUL_KAFKA_PREFIX: `ds${randomBytes(4).toString('hex')}.`,
      };
      const fleet = stack.adopt(
        await Fleet.open({
          ...(engine === 'kafka' ? { kafka: settings, couriers: 1 } : {}),
          settings: { SIMPUL_DELIVERY_RETRIES: '0.02,0.04', SIMPUL_DELIVERY_SCHEDULE: '0.05,0.1' },
        }),
        (f) => f.close(),
      );
      const courier = engine === 'kafka' ? 'courier-1' : 'hub';
      const { process: receiver, subscription } = await fleet.subscribe({ name: 'racun', rules: [] });
      let day = 0;
      const dead = new Set<string>();
      /** One round on a day of its own; until nothing happens any more. */
      const round = async (): Promise<void> => {
        day++;
        await receiver.rules([
          { subject: subjectOf(REFUSED, day), answer: { status: 422 } },
          { subject: subjectOf(FAILING, day), answer: { status: 503 } },
          { subject: subjectOf(MENDED, day), times: 3, answer: { status: 500 } },
        ]);
        const published = (async () => {
          for (let n = 0; n < 3; n++)
            for (const unit of PRISONS) {
              const { id } = await fleet.publish(unit, day);
              if (n === 0 && (unit === REFUSED || unit === FAILING)) dead.add(id);
            }
        })();
        await fleet.survive(courier, async () => {
          await published;
          await fleet.settled();
        });
        const letters = await fleet.ask('GET', `/v1/subscriptions/${subscription}/dead-letters?limit=1000`);
        expect(await fleet.judge()).toMatchObject(SOUND);
        const places = fleet.due.filter(({ id }) => dead.has(id)).map(({ position }) => position);
        expect(
          (letters.body['deadLetters'] as { position: string }[]).map(({ position }) => position).toSorted(),
        ).toEqual(places.toSorted());
      };

      fleet.steps.arm('none');
      await round();
      const steps = fleet.steps.counted.length;
      const later = fleet.steps.counted.flatMap((line) =>
        ['before', 'after'].map((when) => `${line.split(':')[0]} ${when}`),
      );
      const points = [...FIRST, ...later.filter((point) => !FIRST.includes(point))].slice(0, ROUNDS[engine]);
      const killed: string[] = [];
      for (const point of points) {
        fleet.steps.arm(point);
        await round();
        killed.push(...fleet.steps.counted.filter((line) => line.includes('killed')));
      }
      expect(killed.length).toBeGreaterThan(points.length / 2);
      await fleet.mend();
      const verdict = await fleet.judge();
      expect(verdict).toMatchObject({ ...SOUND, delivered: verdict.due });
      const recorded = await fleet.recorded('racun');
      const unrecorded = fleet.due.filter(({ position }) => !recorded.has(position));
      expect(unrecorded).toEqual([]);
      console.log(`${engine}: ${steps} steps in a round, killed ${killed.length} times:\n${killed.join('\n')}`);
    },
    120_000 + ROUNDS[engine] * 30_000,
  );
});
