import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  DeliveryStage,
  PASSPORTS,
  type Body,
  type EngineName,
  type Published,
} from '../../test/kit/deliveries/stage.js';
import { noKafkaHub } from '../../test/kit/kafka-hub.js';
import { until } from '../../test/kit/projection/stage.js';

const ENGINES: readonly EngineName[] = noKafkaHub() === undefined ? ['embedded', 'kafka'] : ['embedded'];

interface Lease {
  readonly token: string;
  readonly until: string;
}
interface Given {
  readonly events: readonly { readonly id: string; readonly position: string; readonly subject: string }[];
  readonly lease: Lease;
}

describe.each(ENGINES)('a pull subscription (%s)', (engine) => {
  let hub: DeliveryStage;
  /** How many events had been published before this case. */
  let from = 0;
  /** How long the last restart took; a guess before the first one. */
  let restartMs = 3_000;
  const restart = async (): Promise<void> => {
    const began = performance.now();
    await hub.stop();
    await hub.start();
    restartMs = performance.now() - began;
  };
  beforeAll(async () => {
    hub = await DeliveryStage.open(engine);
    // The first hub on a cluster makes all of its topics.
  }, 120_000);
  afterEach(async () => {
    await hub.clear();
    from = hub.published.length;
  });
  afterAll(() => hub[Symbol.asyncDispose](), 60_000);
  const published = (): readonly Published[] => hub.published.slice(from);
  const made = async (more: object = {}): Promise<string> => {
    // A name of its own: a subscription that is made again under a name has the attempts of the one before.
    const spec = { name: `tarik-${from}`, types: [PASSPORTS], target: { kind: 'pull' }, ...more };
    const { status, body } = await hub.ask('POST', '/v1/subscriptions', spec);
    if (status !== 201) throw new Error(JSON.stringify(body));
    return body['id'] as string;
  };
  const pull = async (id: string, query = 'wait=10'): Promise<Given> => {
    const { status, body } = await hub.ask('POST', `/v1/subscriptions/${id}/pull?${query}`);
    if (status !== 200) throw new Error(`pull: ${status} ${JSON.stringify(body)}`);
    return body as Given;
  };
  /** A lease of exactly so many events, when all of them have come. */
  const leased = async (id: string, count: number, query = ''): Promise<Given> => {
    for (;;) {
      const given = await pull(id, `wait=10&limit=100${query}`);
      if (given.events.length >= count) return given;
      if (given.lease !== null) await release(id, given.lease.token);
    }
  };
  const commit = (id: string, token: string, through: unknown): Promise<{ status: number; body: Body }> =>
    hub.ask('POST', `/v1/subscriptions/${id}/commit`, { token, through });
  const release = (id: string, token: string): Promise<{ status: number; body: Body }> =>
    hub.ask('POST', `/v1/subscriptions/${id}/release`, { token });
  const last = (given: Given): string[] => [
    ...new Map(given.events.map(({ position }) => [position.slice(0, position.lastIndexOf('/')), position])).values(),
  ];
  const numbers = (count: number, subjects: number): number[] => Array.from({ length: count }, (_, n) => n % subjects);
  const ids = (given: Given): string[] => given.events.map(({ id }) => id);
  const all = (): string[] =>
    published()
      .map(({ id }) => id)
      .sort();

  it('leases what is due, in order in each partition; what is committed is delivered, on record, and never comes again', async () => {
    const id = await made();
    await hub.publish(numbers(12, 4));
    const taken: string[] = [];
    while (taken.length < 12) {
      const given = await pull(id, 'wait=10&limit=5');
      expect(given.events.length).toBeLessThanOrEqual(5);
      taken.push(...ids(given));
      expect(await commit(id, given.lease.token, last(given))).toMatchObject({ status: 204 });
    }
    expect(taken.toSorted()).toEqual(all());
    expect(await pull(id, '')).toEqual({ events: [], lease: null });
    const attempts = await hub.ask('GET', `/v1/subscriptions/${id}/deliveries?state=delivered`);
    expect(attempts.body['deliveries']).toHaveLength(12);
    expect(await hub.standing(id)).toMatchObject({ inFlight: 0, lag: { events: 0 } });
  });

  it('a commit is cumulative in the partition of its position, again is no error, and is durable: a hub that starts again repeats nothing', async () => {
    const id = await made();
    await hub.publish([1, 1, 1, 1]);
    const given = await leased(id, 4);
    const second = given.events[1]!.position;
    expect(await commit(id, given.lease.token, second)).toMatchObject({ status: 204 });
    expect(await commit(id, given.lease.token, second)).toMatchObject({ status: 204 });
    expect(await hub.standing(id)).toMatchObject({ inFlight: given.events.length - 2 });
    expect(await release(id, given.lease.token)).toMatchObject({ status: 204 });
    expect(await commit(id, given.lease.token, second)).toMatchObject({
      status: 409,
      body: { code: 'lease_lost' },
    });
    await restart();
    const again = await leased(id, 2);
    expect(ids(again)).toEqual(
      published()
        .slice(2)
        .map((e) => e.id),
    );
  });

  it('a lane is leased to one puller at a time; a release returns it at once and counts nothing', async () => {
    const id = await made();
    await hub.publish([1, 1, 2]);
    await release(id, (await leased(id, 3)).lease.token);
    const one = await pull(id, 'wait=10&limit=1');
    const two = await pull(id, 'wait=10&limit=10');
    expect(new Set(two.events.map((e) => e.subject)).has(one.events[0]!.subject)).toBe(false);
    expect(await pull(id, '')).toMatchObject({ events: [] });
    await release(id, one.lease.token);
    const again = await pull(id, 'wait=10&limit=10');
    expect(ids(again)).toContain(ids(one)[0]);
    const { body } = await hub.ask('GET', `/v1/subscriptions/${id}/deliveries`);
    expect(body['deliveries']).toEqual([]);
  });

  it('a lease that expires counts as a failed try: a poison event is found by halves and parked, its followers come after its redrive', async () => {
    const id = await made();
    await hub.publish([1, 2, 3, 4, 1]);
    const poison = published()[1]!;
    const done = new Set<string>();
    // The puller commits a lease without the poison, and dies of one with it.
    await until(async () => {
      const given = await pull(id, 'wait=1&limit=10&lease=0.3');
      if (given.events.length > 0 && !ids(given).includes(poison.id)) {
        if ((await commit(id, given.lease.token, last(given))).status === 204)
          for (const one of ids(given)) done.add(one);
      }
      return (await hub.standing(id))['dead'] === 1 && done.size === 4;
    });
    const letters = await hub.ask('GET', `/v1/subscriptions/${id}/dead-letters`);
    expect(letters.body['deadLetters']).toMatchObject([{ position: poison.position, cause: 'lease_expired' }]);
    await hub.publish([2]);
    await until(async () => (await hub.standing(id))['held'] === 1);
    await hub.ask('POST', `/v1/subscriptions/${id}/redrive`, { all: true, why: 'diperbaiki' });
    const mended = await pull(id, 'wait=10&limit=10');
    expect(ids(mended)).toEqual([poison.id]);
    expect(await commit(id, mended.lease.token, last(mended))).toMatchObject({ status: 204 });
    expect(ids(await pull(id, 'wait=10&limit=10'))).toEqual([published().at(-1)!.id]);
  });

  it('a new owner accepts commits of leases of the owner before, and hands out nothing that is leased; without a lease nobody waits', async () => {
    const id = await made();
    await hub.publish([1, 1, 2, 3]);
    // A lease that outlasts the restart.
    const seconds = Math.min(60, Math.ceil(1 + (3 * restartMs) / 1_000));
    const given = await leased(id, 4, `&lease=${seconds}`);
    await restart();
    expect(await pull(id, '')).toMatchObject({ events: [] });
    const through = given.events.find((e) => e.id === published()[0]!.id)!.position;
    expect(await commit(id, given.lease.token, through)).toMatchObject({ status: 204 });
    const rest = given.events.filter(({ position }) => {
      const [, partition, offset] = position.split('/');
      const [, p, o] = through.split('/');
      return partition !== p || Number(offset) > Number(o);
    });
    const again = await leased(id, rest.length);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(given.lease.until));
    expect(ids(again).toSorted()).toEqual(rest.map((e) => e.id).toSorted());
    expect(await commit(id, given.lease.token, through)).toMatchObject({ status: 409 });
    await commit(id, again.lease.token, last(again));
    await restart();
    await hub.publish([1]);
    const began = Date.now();
    const next = await pull(id, 'wait=10');
    expect([ids(next), Date.now() - began < 5_000]).toEqual([[published().at(-1)!.id], true]);
  });

  it('a seek takes leases back: their tokens are void, also after a takeover; a pause hands out nothing and takes commits', async () => {
    const id = await made();
    await hub.publish([1, 2]);
    const given = await leased(id, 2);
    expect((await hub.ask('POST', `/v1/subscriptions/${id}/seek`, { to: 'earliest' })).status).toBe(200);
    expect(await commit(id, given.lease.token, last(given))).toMatchObject({ status: 409 });
    const again = await pull(id, 'wait=10&limit=1');
    await hub.ask('POST', `/v1/subscriptions/${id}/pause`, { why: 'uji' });
    expect(await pull(id, '')).toEqual({ events: [], lease: null, status: 'paused' });
    expect(await commit(id, again.lease.token, last(again))).toMatchObject({ status: 204 });
    await restart();
    expect(await commit(id, given.lease.token, last(given))).toMatchObject({ status: 409 });
  });

  it('says what is wrong with a request: another target, a token or position of another lease, wrong numbers', async () => {
    const id = await made();
    const other = await made({ name: 'lain' });
    const live = await made({ name: 'siar', target: { kind: 'sse' } });
    await hub.publish([1]);
    const given = await pull(id);
    const { token } = given.lease;
    const { position } = given.events[0]!;
    expect(await hub.ask('POST', `/v1/subscriptions/${live}/pull`)).toMatchObject({ status: 409 });
    expect(await commit(other, token, position)).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/token' }] },
    });
    expect(await commit(id, `${token}x`, position)).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/token' }] },
    });
    expect(await commit(id, token, `${position}9`)).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/through' }] },
    });
    expect(await commit(id, token, 'bukan')).toMatchObject({ status: 400 });
    for (const query of ['limit=0', 'limit=1001', 'wait=31', 'lease=61', 'x=1'])
      expect(await hub.ask('POST', `/v1/subscriptions/${id}/pull?${query}`)).toMatchObject({ status: 400 });
    expect(
      await hub.ask('POST', `/v1/subscriptions/${id}/pull`, undefined, await hub.key('SU00124', 'reader')),
    ).toMatchObject({ status: 404 });
  });
});
