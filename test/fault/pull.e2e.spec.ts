import { afterEach, describe, expect, it } from '@jest/globals';
import { Fleet, PRISONS } from '../kit/deliveries/fleet.js';
import { noKafkaHub } from '../kit/kafka-hub.js';

const TYPE = 'pas.hunian.dilaporkan';
const ENGINES = noKafkaHub() === undefined ? (['embedded', 'kafka'] as const) : (['embedded'] as const);

interface Given {
  readonly events: readonly { readonly id: string; readonly position: string }[];
  readonly lease: { readonly token: string; readonly until: string } | null;
}

describe.each(ENGINES)('pull with processes that are killed (%s)', (engine) => {
  let fleet: Fleet;
  afterEach(() => fleet.close());

  it('what a commit has answered never comes again after kill -9; a lease outlives its owner, and is handed out to nobody else meanwhile', async () => {
    const began = performance.now();
    fleet = await Fleet.open(
      engine === 'embedded'
        ? {}
        : {
            kafka: {
              SIMPUL_ENGINE: 'kafka',
              SIMPUL_KAFKA: process.env['SIMPUL_TEST_KAFKA']!,
              SIMPUL_KAFKA_PREFIX: `p${Math.random().toString(36).slice(2, 10)}.`,
              SIMPUL_REDIS: process.env['SIMPUL_TEST_REDIS']!,
            },
            couriers: 1,
          },
    );
    const startS = (performance.now() - began) / 1_000;
    // It outlasts two restarts of the owner, on Kafka with the end of a session each.
    const lease = Math.min(60, Math.ceil(engine === 'embedded' ? 4 + 3 * startS : 30 + startS));
    const owner = engine === 'embedded' ? 'hub' : 'courier-1';
    const spec = { name: 'tarik', types: [TYPE], start: 'earliest', target: { kind: 'pull' } };
    const { body } = await fleet.ask('POST', '/v1/subscriptions', spec);
    const path = `/v1/subscriptions/${body['id'] as string}`;
    const pull = async (query: string): Promise<Given> =>
      (await fleet.ask('POST', `${path}/pull?${query}`)).body as Given;
    const end = async (what: string, more: object): Promise<number> =>
      (await fleet.ask('POST', `${path}/${what}`, more)).status;
    const lastOf = ({ events }: Given): string[] => [
      ...new Map(events.map(({ position }) => [position.replace(/\/\d+$/, ''), position])).values(),
    ];
    const due = await Promise.all(PRISONS.flatMap((unit) => [0, 1, 2].map((day) => fleet.publish(unit, day))));
    // All of them, when they have come.
    let given = await pull(`wait=20&limit=100&lease=${lease}`);
    while (given.events.length < due.length) {
      if (given.lease !== null) await end('release', { token: given.lease.token });
      given = await pull(`wait=20&limit=100&lease=${lease}`);
    }
    const half = { events: given.events.slice(0, due.length / 2), lease: given.lease };
    expect(await end('commit', { token: given.lease!.token, through: lastOf(half) })).toBe(204);
    await fleet.kill(owner);
    await fleet.ready();
    expect((await pull('wait=2')).events).toEqual([]);
    // An owner that has never seen the lease takes its commit.
    const more = { events: given.events.slice(0, due.length / 2 + 2), lease: given.lease };
    expect(await end('commit', { token: given.lease!.token, through: lastOf(more) })).toBe(204);
    await fleet.kill(owner);
    await fleet.ready();
    let last = await pull('wait=30&limit=100');
    while (last.events.length === 0) last = await pull('wait=30&limit=100');
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(given.lease!.until));
    const committed = new Set(lastOf(more).flatMap((to) => upTo(given, to)));
    const left = given.events.filter(({ position }) => !committed.has(position)).map(({ id }) => id);
    expect(left.length).toBeGreaterThan(0);
    expect(last.events.map(({ id }) => id).toSorted()).toEqual(left.toSorted());
  }, 180_000);
});

/** Positions of the lease up to this one, in its partition. */
function upTo({ events }: Given, to: string): string[] {
  const at = to.lastIndexOf('/');
  return events
    .map(({ position }) => position)
    .filter((p) => p.startsWith(to.slice(0, at + 1)) && Number(p.slice(at + 1)) <= Number(to.slice(at + 1)));
}
