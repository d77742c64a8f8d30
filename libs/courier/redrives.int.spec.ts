import { afterEach, describe, expect, it } from '@jest/globals';
import { sampleEvent } from '#access';
import {
  DeliveryStage,
  OFFICE,
  PUBLISHER,
  publishedBySubject,
  takenBySubject,
  type Body,
} from '../../test/kit/deliveries/stage.js';
import { until } from '../../test/kit/projection/stage.js';
import { WebhookReceiver } from '../../test/kit/receiver/receiver.js';

let stack = new AsyncDisposableStack();
afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

describe('two redrives of one dead letter at a time', () => {
  it('both end, and the hub stops afterwards', async () => {
    const hub = stack.use(await DeliveryStage.open('embedded'));
    const to = await WebhookReceiver.start({ rules: [{ answer: { status: 422 } }] });
    stack.defer(() => to.close());
    const { id } = await hub.subscribe('satu', to.url);
    await hub.publish([1, 1, 1]);
    await until(async () => (await hub.standing(id as string))['dead'] === 1);
    to.rules([{ times: 1, answer: { status: 204, delayMs: 200 } }]);
    const jobs = await Promise.all(
      [1, 2, 3].map(() => hub.ask('POST', `/v1/subscriptions/${id as string}/redrive`, { all: true, why: 'uji' })),
    );
    for (const { body } of jobs)
      await until(
        async () =>
          (await hub.ask('GET', `/v1/subscriptions/${id as string}/redrives/${body['job'] as string}`)).body[
            'state'
          ] === 'done',
      );
    await to.until(() => takenBySubject(to, hub.published).get(1)?.length === 3);
    expect(takenBySubject(to, hub.published)).toEqual(publishedBySubject(hub.published));
    await until(async () => (await hub.standing(id as string))['lag'].events === 0);
    const { body } = await hub.ask('GET', `/v1/subscriptions/${id as string}/deliveries?state=delivered&limit=100`);
    expect((body['deliveries'] as { position: string }[]).map(({ position }) => position).toSorted()).toEqual(
      hub.published.map(({ position }) => position).toSorted(),
    );
  });
});

describe('a stream that is in order as a whole, and stands at an event that is refused', () => {
  const LISTS = 'imigrasi.cegah.daftar-diterima';

  it('is seen with its cause; a person sends its event with other data, or skips it, and the stream goes on', async () => {
    const hub = stack.use(await DeliveryStage.open('embedded', { SIMPUL_DELIVERY_SCHEDULE: '60' }));
    const refused = { source: `urn:simpul:unit:${OFFICE}:uji`, answer: { status: 422 } };
    const to = await WebhookReceiver.start({ rules: [refused] });
    stack.defer(() => to.close());
    const { id } = await hub.subscribe('satu', to.url, { types: [LISTS] });
    const about = `/v1/subscriptions/${id as string}`;
    const standsAt = async (position: string): Promise<Body | undefined> => {
      const { body } = await hub.ask('GET', `${about}/parked`);
      return (body['parked'] as Body[]).find((one) => one['position'] === position);
    };
    const published = await hub.publish([1, 1, 1], {}, LISTS);
    const [first, second] = published.map(({ position }) => position) as [string, string];
    await until(async () => (await standsAt(first)) !== undefined);
    expect(await standsAt(first)).toMatchObject({ cause: 'status', tries: 3, held: 2 });
    expect(await hub.standing(id as string)).toMatchObject({ parked: 1, dead: 0 });
    const type = hub.core.registry.catalogue.newest(LISTS)!;
    const edited = sampleEvent(type, 1, PUBLISHER, hub.core.units.units, {
      id: 'x',
      time: new Date().toISOString(),
    }).data;
    const order = { ids: [first], edited, why: 'diperbaiki' };
    expect((await hub.ask('POST', `${about}/redrive`, order)).status).toBe(202);
    await until(async () => (await standsAt(second)) !== undefined);
    to.rules([]);
    const skip = await hub.ask('POST', `${about}/skip`, { ids: [second], why: 'salah kirim' });
    expect(skip.body).toEqual({ skipped: 1 });
    await until(async () => (await hub.standing(id as string))['lag'].events === 0);
    expect(await hub.standing(id as string)).toMatchObject({ parked: 0 });
    const sources = to.received.filter(({ answer }) => answer === 204).map(({ events }) => events[0]!.source);
    expect(sources).toEqual(['urn:simpul:hub:redrive', refused.source]);
  });
});
