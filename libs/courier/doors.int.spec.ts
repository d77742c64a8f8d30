import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { DeliveryStage, OFFICE, PASSPORTS, type Body } from '../../test/kit/deliveries/stage.js';
import { until } from '../../test/kit/projection/stage.js';
import { WebhookReceiver } from '../../test/kit/receiver/receiver.js';

const REFUSED = { answer: { status: 422 } } as const;

describe('the doors of a subscription with a webhook', () => {
  let hub: DeliveryStage;
  let to: WebhookReceiver;
  let id: string;
  beforeAll(async () => {
    hub = await DeliveryStage.open('embedded', { SIMPUL_DELIVERY_SCHEDULE: '60,60' });
  });
  afterAll(() => hub[Symbol.asyncDispose](), 60_000);
  const begin = async (name: string, ...rules: Parameters<WebhookReceiver['rules']>[0]): Promise<Body> => {
    to = await WebhookReceiver.start({ rules });
    const made = await hub.subscribe(name, to.url);
    id = made['id'] as string;
    return made;
  };
  afterEach(async () => {
    await hub.ask('DELETE', `/v1/subscriptions/${id}?why=uji`);
    await to.close();
  });
  const act = (what: string, body: object) => hub.ask('POST', `/v1/subscriptions/${id}/${what}`, body);
  const rows = async (what: string): Promise<Body[]> =>
    (await hub.ask('GET', `/v1/subscriptions/${id}/${what}`)).body[what] as Body[];
  const parked = (count: number) => until(async () => (await hub.standing(id))['parked'] === count);

  it('say how many events a seek delivers again and passes over, and what stays parked', async () => {
    await begin('satu', REFUSED);
    const [bad] = await hub.publish([1, 1]);
    await parked(1);
    to.rules([]);
    const sent = await hub.publish([2, 3, 4, 5]);
    await until(async () => (await rows('deliveries')).filter(({ outcome }) => outcome === 'delivered').length === 4);
    const back = (await act('seek', { to: 'earliest', dryRun: true })).body;
    expect(back).toMatchObject({ again: 4, passedOver: 0, events: 4, parked: 1, held: 1, dead: 0 });
    expect((await act('seek', { to: sent[3]!.position, dryRun: true })).body['again']).toBeLessThan(5);
    await act('pause', { why: 'uji' });
    await hub.publish([6, 7, 8]);
    await until(async () => (await hub.standing(id))['lag'].events >= 3);
    expect((await act('seek', { to: 'end', dryRun: true })).body).toMatchObject({
      again: 0,
      passedOver: 3,
      events: -3,
    });
    expect((await act('seek', { to: 'earliest' })).body).toMatchObject({ again: 4, passedOver: 0 });
    await hub.ask('POST', `/v1/subscriptions/${id}/resume`);
    await until(async () => (await rows('deliveries')).filter(({ outcome }) => outcome === 'delivered').length === 11);
    expect((await rows('parked')).map(({ position }) => position)).toEqual([bad!.position]);
  });

  it('refuse a place beyond the end at the member that names it, a name that is taken, and ids that are not there', async () => {
    await begin('dua', REFUSED);
    const [bad] = await hub.publish([1]);
    await parked(1);
    const beyond = bad!.position.replace(/\d+$/, '999999');
    expect((await act('seek', { to: beyond })).body['errors']).toMatchObject([{ pointer: '/to' }]);
    const spec = { name: 'tiga', types: [PASSPORTS], start: beyond, target: { kind: 'pull' } };
    const elsewhere = await hub.ask('POST', '/v1/subscriptions', spec);
    expect([elsewhere.status, elsewhere.body['errors']]).toMatchObject([400, [{ pointer: '/start' }]]);
    const twice = await hub.ask('POST', '/v1/subscriptions', { ...spec, name: 'dua', start: 'now' });
    expect([twice.status, twice.body['errors']]).toMatchObject([409, [{ pointer: '/name' }]]);
    for (const what of ['skip', 'redrive'])
      expect((await act(what, { ids: ['tidak-ada'], why: 'uji' })).status).toBe(404);
    const [row] = await rows('parked');
    expect(row).toMatchObject({ id: expect.stringMatching(/^msg_/), cause: 'status', lastStatus: 422 });
    const ids = [row!['id'], 'tidak-ada'];
    expect((await act('redrive', { ids, why: 'uji', dryRun: true })).body).toEqual({
      count: 1,
      unknown: ['tidak-ada'],
    });
    const edited = { ids: [row!['id']], edited: { bukan: 'isian' }, why: 'uji' };
    expect((await act('redrive', { ...edited, dryRun: true })).status).toBe((await act('redrive', edited)).status);
    expect((await act('skip', { ids, why: 'uji' })).body).toEqual({ skipped: 1, unknown: ['tidak-ada'] });
    const [last] = await rows('deliveries');
    expect(last).toMatchObject({ id: row!['id'], position: bad!.position, reason: 'skipped' });
  });

  it('take the choice of units away again', async () => {
    await begin('empat');
    const change = (version: number, body: object) =>
      hub.ask('PATCH', `/v1/subscriptions/${id}`, body, undefined, { 'if-match': `"${version}"` });
    expect((await change(1, { units: { below: OFFICE } })).body['units']).toEqual({ below: OFFICE });
    const without = await change(2, { units: null });
    expect([without.status, without.body['units']]).toEqual([200, undefined]);
    expect((await hub.standing(id))['units']).toBeUndefined();
  });

  it('have an audit record of a receiver that wants nothing more, and of the job of a redrive', async () => {
    await begin('lima', { answer: { status: 410 } });
    await hub.publish([1]);
    await until(async () => (await hub.standing(id))['status'] === 'disabled');
    const recorded = async (): Promise<Body[]> =>
      ((await hub.asAdmin('GET', '/v1/audit?limit=1000')).body['records'] as Body[]).filter(
        ({ target }) => target === id,
      );
    await until(async () => (await recorded()).some(({ what }) => what === 'subscription.disable'));
    expect((await recorded()).find(({ what }) => what === 'subscription.disable')).toMatchObject({
      who: { owner: 'hub' },
      why: 'gone',
      after: { id, owner: OFFICE, state: 'disabled' },
    });
  });
});
