import { afterEach, describe, expect, it } from '@jest/globals';
import { DeliveryStage, PASSPORTS, type Body, type EngineName } from '../../test/kit/deliveries/stage.js';
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
  let stack = new AsyncDisposableStack();
  afterEach(async () => {
    await stack.disposeAsync();
    stack = new AsyncDisposableStack();
  });
  const open = async (): Promise<DeliveryStage> => stack.use(await DeliveryStage.open(engine));
  const made = async (hub: DeliveryStage, more: object = {}): Promise<string> => {
    const spec = { name: 'tarik', types: [PASSPORTS], target: { kind: 'pull' }, ...more };
    const { status, body } = await hub.ask('POST', '/v1/subscriptions', spec);
    if (status !== 201) throw new Error(JSON.stringify(body));
    return body['id'] as string;
  };
  const pull = async (hub: DeliveryStage, id: string, query = 'wait=10'): Promise<Given> => {
    const { status, body } = await hub.ask('POST', `/v1/subscriptions/${id}/pull?${query}`);
    if (status !== 200) throw new Error(`pull: ${status} ${JSON.stringify(body)}`);
    return body as Given;
  };
  /** A lease of exactly so many events, when all of them have come. */
  const leased = async (hub: DeliveryStage, id: string, count: number, query = ''): Promise<Given> => {
    for (;;) {
      const given = await pull(hub, id, `wait=10&limit=100${query}`);
      if (given.events.length >= count) return given;
      await release(hub, id, given.lease.token);
    }
  };
  const commit = (
    hub: DeliveryStage,
    id: string,
    token: string,
    through: unknown,
  ): Promise<{ status: number; body: Body }> => hub.ask('POST', `/v1/subscriptions/${id}/commit`, { token, through });
  const release = (hub: DeliveryStage, id: string, token: string): Promise<{ status: number; body: Body }> =>
    hub.ask('POST', `/v1/subscriptions/${id}/release`, { token });
  const last = (given: Given): string[] => [
    ...new Map(given.events.map(({ position }) => [position.slice(0, position.lastIndexOf('/')), position])).values(),
  ];
  const numbers = (count: number, subjects: number): number[] => Array.from({ length: count }, (_, n) => n % subjects);
  const ids = (given: Given): string[] => given.events.map(({ id }) => id);
  const all = (hub: DeliveryStage): string[] => hub.published.map(({ id }) => id).sort();

  it('leases what is due, in order in each partition; what is committed is delivered, on record, and never comes again', async () => {
    const hub = await open();
    const id = await made(hub);
    await hub.publish(numbers(12, 4));
    const taken: string[] = [];
    while (taken.length < 12) {
      const given = await pull(hub, id, 'wait=10&limit=5');
      expect(given.events.length).toBeLessThanOrEqual(5);
      taken.push(...ids(given));
      expect(await commit(hub, id, given.lease.token, last(given))).toMatchObject({ status: 204 });
    }
    expect(taken.toSorted()).toEqual(all(hub));
    expect(await pull(hub, id, '')).toEqual({ events: [], lease: null });
    const attempts = await hub.ask('GET', `/v1/subscriptions/${id}/deliveries?state=delivered`);
    expect(attempts.body['deliveries']).toHaveLength(12);
    expect(await hub.standing(id)).toMatchObject({ inFlight: 0, lag: { events: 0 } });
  });

  it('a commit is cumulative in the partition of its position, again is no error, and is durable: a hub that starts again repeats nothing', async () => {
    const hub = await open();
    const id = await made(hub);
    await hub.publish([1, 1, 1, 1]);
    const given = await leased(hub, id, 4);
    const second = given.events[1]!.position;
    expect(await commit(hub, id, given.lease.token, second)).toMatchObject({ status: 204 });
    expect(await commit(hub, id, given.lease.token, second)).toMatchObject({ status: 204 });
    expect(await hub.standing(id)).toMatchObject({ inFlight: given.events.length - 2 });
    expect(await release(hub, id, given.lease.token)).toMatchObject({ status: 204 });
    expect(await commit(hub, id, given.lease.token, second)).toMatchObject({
      status: 409,
      body: { code: 'lease_lost' },
    });
    await hub.stop();
    await hub.start();
    const again = await pull(hub, id, 'wait=20&limit=10');
    expect(ids(again)).toEqual(hub.published.slice(2).map((e) => e.id));
  });

  it('a lane is leased to one puller at a time; a release returns it at once and counts nothing', async () => {
    const hub = await open();
    const id = await made(hub);
    await hub.publish([1, 1, 2]);
    await release(hub, id, (await leased(hub, id, 3)).lease.token);
    const one = await pull(hub, id, 'wait=10&limit=1');
    const two = await pull(hub, id, 'wait=10&limit=10');
    expect(new Set(two.events.map((e) => e.subject)).has(one.events[0]!.subject)).toBe(false);
    expect(await pull(hub, id, '')).toMatchObject({ events: [] });
    await release(hub, id, one.lease.token);
    const again = await pull(hub, id, 'wait=10&limit=10');
    expect(ids(again)).toContain(ids(one)[0]);
    const { body } = await hub.ask('GET', `/v1/subscriptions/${id}/deliveries`);
    expect(body['deliveries']).toEqual([]);
  });

  it('a lease that expires counts as a failed try: a poison event is found by halves and parked, its followers come after its redrive', async () => {
    const hub = await open();
    const id = await made(hub);
    const published = await hub.publish([1, 2, 3, 4, 1]);
    const poison = published[1]!.id;
    const done = new Set<string>();
    // The puller commits a lease without the poison, and dies of one with it.
    await until(async () => {
      const given = await pull(hub, id, 'wait=1&limit=10&lease=0.3');
      if (given.events.length > 0 && !ids(given).includes(poison)) {
        if ((await commit(hub, id, given.lease.token, last(given))).status === 204)
          for (const one of ids(given)) done.add(one);
      }
      return (await hub.standing(id))['dead'] === 1 && done.size === 4;
    });
    const letters = await hub.ask('GET', `/v1/subscriptions/${id}/dead-letters`);
    expect(letters.body['deadLetters']).toMatchObject([{ position: published[1]!.position, cause: 'lease_expired' }]);
    await hub.publish([2]);
    await until(async () => (await hub.standing(id))['held'] === 1);
    await hub.ask('POST', `/v1/subscriptions/${id}/redrive`, { all: true, why: 'diperbaiki' });
    const mended = await pull(hub, id, 'wait=10&limit=10');
    expect(ids(mended)).toEqual([poison]);
    expect(await commit(hub, id, mended.lease.token, last(mended))).toMatchObject({ status: 204 });
    expect(ids(await pull(hub, id, 'wait=10&limit=10'))).toEqual([hub.published.at(-1)!.id]);
  });

  it('a new owner accepts commits of leases of the owner before, and hands out nothing that is leased; without a lease nobody waits', async () => {
    const hub = await open();
    const id = await made(hub);
    await hub.publish([1, 1, 2, 3]);
    const given = await leased(hub, id, 4, '&lease=10');
    await hub.stop();
    await hub.start();
    expect(await pull(hub, id, '')).toMatchObject({ events: [] });
    const through = given.events.find((e) => e.id === hub.published[0]!.id)!.position;
    expect(await commit(hub, id, given.lease.token, through)).toMatchObject({ status: 204 });
    const rest = given.events.filter(({ position }) => {
      const [, partition, offset] = position.split('/');
      const [, p, o] = through.split('/');
      return partition !== p || Number(offset) > Number(o);
    });
    const again = await pull(hub, id, 'wait=20&limit=10');
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(given.lease.until));
    expect(ids(again).toSorted()).toEqual(rest.map((e) => e.id).toSorted());
    expect(await commit(hub, id, given.lease.token, through)).toMatchObject({ status: 409 });
    await commit(hub, id, again.lease.token, last(again));
    await hub.stop();
    await hub.start();
    await hub.publish([1]);
    const began = Date.now();
    const next = await pull(hub, id, 'wait=10');
    expect([ids(next), Date.now() - began < 5_000]).toEqual([[hub.published.at(-1)!.id], true]);
  });

  it('a seek takes leases back: their tokens are void, also after a takeover; a pause hands out nothing and takes commits', async () => {
    const hub = await open();
    const id = await made(hub);
    await hub.publish([1, 2]);
    const given = await leased(hub, id, 2);
    expect((await hub.ask('POST', `/v1/subscriptions/${id}/seek`, { to: 'earliest' })).status).toBe(200);
    expect(await commit(hub, id, given.lease.token, last(given))).toMatchObject({ status: 409 });
    const again = await pull(hub, id, 'wait=10&limit=1');
    await hub.ask('POST', `/v1/subscriptions/${id}/pause`, { why: 'uji' });
    expect(await pull(hub, id, '')).toEqual({ events: [], lease: null, status: 'paused' });
    expect(await commit(hub, id, again.lease.token, last(again))).toMatchObject({ status: 204 });
    await hub.stop();
    await hub.start();
    expect(await commit(hub, id, given.lease.token, last(given))).toMatchObject({ status: 409 });
  });

  it('says what is wrong with a request: another target, a token or position of another lease, wrong numbers', async () => {
    const hub = await open();
    const id = await made(hub);
    const other = await made(hub, { name: 'lain' });
    const live = await made(hub, { name: 'siar', target: { kind: 'sse' } });
    await hub.publish([1]);
    const given = await pull(hub, id);
    const { token } = given.lease;
    const { position } = given.events[0]!;
    expect(await hub.ask('POST', `/v1/subscriptions/${live}/pull`)).toMatchObject({ status: 409 });
    expect(await commit(hub, other, token, position)).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/token' }] },
    });
    expect(await commit(hub, id, `${token}x`, position)).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/token' }] },
    });
    expect(await commit(hub, id, token, `${position}9`)).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/through' }] },
    });
    expect(await commit(hub, id, token, 'bukan')).toMatchObject({ status: 400 });
    for (const query of ['limit=0', 'limit=1001', 'wait=31', 'lease=61', 'x=1'])
      expect(await hub.ask('POST', `/v1/subscriptions/${id}/pull?${query}`)).toMatchObject({ status: 400 });
    expect(
      await hub.ask('POST', `/v1/subscriptions/${id}/pull`, undefined, await hub.key('SU00124', 'reader')),
    ).toMatchObject({ status: 404 });
  });
});
