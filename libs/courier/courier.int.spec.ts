import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  DeliveryStage,
  OFFICE,
  publishedBySubject,
  takenBySubject,
  type Body,
  type EngineName,
  type Published,
} from '../../test/kit/deliveries/stage.js';
import { noKafkaHub } from '../../test/kit/kafka-hub.js';
import { until } from '../../test/kit/projection/stage.js';
import { WebhookReceiver } from '../../test/kit/receiver/receiver.js';

const ENGINES: readonly EngineName[] = noKafkaHub() === undefined ? ['embedded', 'kafka'] : ['embedded'];

describe.each(ENGINES)('a subscription with a webhook (%s)', (engine) => {
  let hub: DeliveryStage;
  let stack = new AsyncDisposableStack();
  /** How many events had been published before this case. */
  let from = 0;
  beforeAll(async () => {
    hub = await DeliveryStage.open(engine);
    // The first hub on a cluster makes all of its topics.
  }, 120_000);
  afterEach(async () => {
    await hub.clear();
    await stack.disposeAsync();
    stack = new AsyncDisposableStack();
    from = hub.published.length;
  });
  afterAll(() => hub[Symbol.asyncDispose](), 60_000);
  const published = (): readonly Published[] => hub.published.slice(from);
  const listen = async (): Promise<WebhookReceiver> => {
    const receiver = await WebhookReceiver.start();
    stack.defer(() => receiver.close());
    return receiver;
  };
  const numbers = (count: number, subjects: number): number[] => Array.from({ length: count }, (_, n) => n % subjects);

  it('gets every event that it is due, once, in order per subject, signed with its secret', async () => {
    const to = await listen();
    const { id, secret } = await hub.subscribe('satu', to.url);
    to.keys([secret as string]);
    await hub.publish(numbers(60, 6));
    await to.until((all) => all.length >= 60);
    expect(takenBySubject(to, published())).toEqual(publishedBySubject(published()));
    expect(to.received.map(({ verified }) => verified)).toEqual(Array(60).fill(true));
    await until(async () => (await hub.standing(id as string))['lag'].events === 0);
    expect(await hub.standing(id as string)).toMatchObject({ status: 'active', inFlight: 0, parked: 0, dead: 0 });
    const metrics = await hub.metrics();
    expect(metrics).toContain('simpul_deliveries_total{outcome="delivered",role="hub"} 60');
    expect(metrics).toContain(`simpul_subscription_lag_events{subscription="${id as string}",role="hub"} 0`);
    expect(metrics).toContain('simpul_subscriptions{status="active",role="hub"} 1');
  });

  it('that asks the receiver first waits until it allows webhooks, and keeps to its rate', async () => {
    const no = await listen();
    const { id } = await hub.subscribe('satu', no.url, {}, { handshake: true });
    await hub.publish([1, 2, 3]);
    await until(async () => (await hub.standing(id as string))['why'] === 'handshake not_supported 405');
    // What was published comes to the subscription a moment later.
    await until(async () => (await hub.standing(id as string))['lag'].events === 3);
    expect(await hub.standing(id as string)).toMatchObject({ status: 'waiting', parked: 0 });
    const willing = await WebhookReceiver.start({ allowedOrigin: '*' });
    stack.defer(() => willing.close());
    const { version, target } = await hub.standing(id as string);
    const change = { target: { ...(target as Body), url: willing.url } };
    const headers = { 'if-match': `"${version as number}"` };
    expect((await hub.ask('PATCH', `/v1/subscriptions/${id as string}`, change, undefined, headers)).status).toBe(200);
    await willing.until((all) => all.length === 3);
    expect(no.received).toEqual([]);
    const [first, , third] = willing.received;
    // 120 a minute.
    expect(third!.at - first!.at).toBeGreaterThan(900);
    await until(async () => (await hub.standing(id as string))['status'] === 'active');
  });

  it('signed with v1a is verified with the public keys that its doors show, over a rotation too, and with none of its secrets', async () => {
    const to = await listen();
    const { id, secret, publicKeys: made } = await hub.subscribe('satu', to.url, {}, { signature: 'v1a' });
    const { publicKeys: shown } = await hub.standing(id as string);
    expect([shown, shown]).toEqual([made, [{ key: expect.stringMatching(/^whpk_/) }]]);
    const verified = (): unknown[] => to.received.map((each) => each.verified);
    to.keys(shown.map(({ key }: Body) => key as string));
    await hub.publish([1]);
    await to.until((all) => all.length >= 1);
    const { body } = await hub.ask('POST', `/v1/subscriptions/${id as string}/rotate-secret`);
    const { publicKeys: both, previousValidUntil } = body;
    expect(both).toEqual([
      { key: expect.stringMatching(/^whpk_/) },
      { key: shown[0].key, validUntil: previousValidUntil },
    ]);
    expect((await hub.standing(id as string))['publicKeys']).toEqual(both);
    for (const [n, { key }] of (both as Body[]).entries()) {
      to.keys([key as string]);
      await hub.publish([1]);
      await to.until((all) => all.length >= n + 2);
    }
    to.keys([secret as string, body['secret'] as string]);
    await hub.publish([1]);
    await to.until((all) => all.length >= 4);
    expect(verified()).toEqual([true, true, true, false]);
  });

  it('goes on where it was after the hub stopped: what came meanwhile too, nothing twice', async () => {
    const to = await listen();
    await hub.subscribe('satu', to.url);
    await hub.publish(numbers(10, 3));
    await to.until((all) => all.length >= 10);
    await hub.stop();
    await hub.start();
    await hub.publish(numbers(10, 3));
    await to.until((all) => all.length >= 20);
    expect(takenBySubject(to, published())).toEqual(publishedBySubject(published()));
    expect(to.received).toHaveLength(20);
  });

  it('parks a subject whose event is refused; others flow; the followers come after it once it is redriven', async () => {
    const to = await listen();
    const { id } = await hub.subscribe('satu', to.url);
    const [poison] = await hub.publish([1]);
    await to.until((all) => all.length >= 1);
    to.rules([{ subject: to.received[0]!.events[0]!.subject!, answer: { status: 422, body: 'tidak dikenal' } }]);
    await hub.publish([1, 2, 1, 3]);
    await until(async () => (await hub.standing(id as string))['held'] === 1);
    const parked = await hub.ask('GET', `/v1/subscriptions/${id as string}/parked`);
    expect(parked.body['parked']).toMatchObject([{ position: published()[1]!.position, tries: 1, held: 1 }]);
    await until(async () => (await hub.standing(id as string))['dead'] === 1);
    const letters = await hub.ask('GET', `/v1/subscriptions/${id as string}/dead-letters`);
    expect(letters.body['deadLetters']).toMatchObject([
      { position: published()[1]!.position, lastStatus: 422, tries: 3, held: 1 },
    ]);
    expect(poison).toBeDefined();
    to.rules([]);
    const redrive = await hub.ask('POST', `/v1/subscriptions/${id as string}/redrive`, {
      all: true,
      why: 'diperbaiki',
    });
    expect(redrive.status).toBe(202);
    await until(() => takenBySubject(to, published()).get(1)?.length === 3);
    expect(takenBySubject(to, published())).toEqual(publishedBySubject(published()));
    await until(async () => {
      const { body } = await hub.ask(
        'GET',
        `/v1/subscriptions/${id as string}/redrives/${redrive.body['job'] as string}`,
      );
      return body['state'] === 'done' && body['done'] === 1;
    });
    expect(await hub.standing(id as string)).toMatchObject({ parked: 0, dead: 0, held: 0 });
  });

  it('is in the receipt of the event: who has it, when, after how many tries, and who waits', async () => {
    const [to, other] = [await listen(), await listen()];
    other.rules([{ answer: { status: 422 } }]);
    const one = await hub.subscribe('satu', to.url);
    const two = await hub.subscribe('dua', other.url);
    await hub.subscribe('tiga', to.url, { filters: [{ exact: { id: 'lain' } }] });
    const [event] = await hub.publish([1]);
    const receipt = async (): Promise<Body> => {
      const source = encodeURIComponent(`urn:simpul:unit:${OFFICE}:uji`);
      return (await hub.ask('GET', `/v1/receipts?source=${source}&id=${event!.id}`)).body;
    };
    await until(async () => {
      const { readers } = await receipt();
      return (readers as Body[]).some(({ state }) => state === 'dead');
    });
    const { readers } = await receipt();
    expect(readers).toHaveLength(3);
    expect(readers).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ subscription: one['id'], owner: OFFICE, state: 'delivered', tries: 1, status: 204 }),
        expect.objectContaining({ subscription: two['id'], owner: OFFICE, state: 'dead', tries: 3, status: 422 }),
        expect.objectContaining({ owner: OFFICE, state: 'filtered' }),
      ]),
    );
  });

  it('is due by the filter of the time at which it was looked at: what waits comes, and a new filter holds from the place that the answer names', async () => {
    const to = await listen();
    const ids = Array.from({ length: 24 }, (_, n) => `e-${hub.published.length + n}`);
    const any = (of: number) => ({
      filters: [{ any: ids.filter((_, n) => n % 2 === of).map((id) => ({ exact: { id } })) }],
    });
    const { id } = await hub.subscribe('satu', to.url, any(0));
    await to.down();
    const events = await hub.publish(numbers(24, 6));
    await until(async () => (await hub.standing(id as string))['status'] === 'waiting');
    await until(async () => (await hub.standing(id as string))['lag'].events === 12);
    const changed = await hub.ask('PATCH', `/v1/subscriptions/${id as string}`, any(1), undefined, {
      'if-match': '"1"',
    });
    expect(changed.status).toBe(200);
    const from = Object.values(changed.body['appliesFrom'] as Record<string, string[]>).flat();
    const isBelow = (position: string): boolean => {
      const [stream, partition, offset] = position.split('/');
      const [, , place] = from.map((at) => at.split('/')).find(([s, p]) => s === stream && p === partition)!;
      return Number(offset) < Number(place);
    };
    expect(events.every(({ position }) => isBelow(position))).toBe(true);
    await to.up();
    await until(async () => (await hub.standing(id as string))['lag'].events === 0);
    const taken = to.received.flatMap(({ events: of }) => of.map((e) => e.id));
    expect(taken.toSorted()).toEqual(ids.filter((_, n) => n % 2 === 0).toSorted());
  });

  it('gets test events only when it was made for them, and then nothing else', async () => {
    const [real, tests] = [await listen(), await listen()];
    await hub.subscribe('satu', real.url);
    await hub.subscribe('uji', tests.url, { test: true });
    const [tried] = await hub.publish([1], { simpultest: true });
    const [fact] = await hub.publish([2]);
    await real.until((all) => all.length >= 1);
    await tests.until((all) => all.length >= 1);
    const ids = ({ received }: WebhookReceiver): string[] =>
      received.flatMap(({ events }) => events.map(({ id }) => id));
    expect([ids(real), ids(tests)]).toEqual([[fact!.id], [tried!.id]]);
  });

  it('waits while its target is down: nothing is parked, and everything comes when it is back', async () => {
    const to = await listen();
    const { id } = await hub.subscribe('satu', to.url);
    await to.down();
    await hub.publish(numbers(30, 5));
    await until(async () => (await hub.standing(id as string))['status'] === 'waiting');
    expect(await hub.standing(id as string)).toMatchObject({ parked: 0, dead: 0, held: 0 });
    await to.up();
    await to.until((all) => all.length >= 30);
    expect(takenBySubject(to, published())).toEqual(publishedBySubject(published()));
  });
});
