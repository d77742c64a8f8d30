import { afterEach, describe, expect, it } from '@jest/globals';
import { DeliveryStage, publishedBySubject, takenBySubject } from '../../test/kit/deliveries/stage.js';
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
