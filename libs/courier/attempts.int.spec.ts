import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DeliveryStage, type Body, type EngineName } from '../../test/kit/deliveries/stage.js';
import { noKafkaHub } from '../../test/kit/kafka-hub.js';
import { until } from '../../test/kit/projection/stage.js';
import { WebhookReceiver } from '../../test/kit/receiver/receiver.js';

const ENGINES: readonly EngineName[] = noKafkaHub() === undefined ? ['embedded', 'kafka'] : ['embedded'];

describe.each(ENGINES)('the stream of attempts (%s)', (engine) => {
  let hub: DeliveryStage;
  let to: WebhookReceiver;
  beforeAll(async () => {
    hub = await DeliveryStage.open(engine);
    to = await WebhookReceiver.start();
  }, 120_000);
  afterAll(async () => {
    await hub[Symbol.asyncDispose]();
    await to.close();
  }, 60_000);

  it('has every attempt once: for the owner as its deliveries, for the hub without subjects, over pages', async () => {
    expect((await hub.ask('GET', '/v1/attempts')).body['attempts']).toEqual([]);
    const ids = await Promise.all(['satu', 'dua'].map(async (name) => (await hub.subscribe(name, to.url))['id']));
    await hub.publish([1, 2, 3, 1, 2, 3]);
    const own = async (): Promise<Body[]> => (await hub.ask('GET', '/v1/attempts')).body['attempts'] as Body[];
    await until(async () => (await own()).length === 12);
    for (const id of ids) {
      const { body } = await hub.ask('GET', `/v1/subscriptions/${id}/deliveries`);
      const mine = (await own()).filter(({ subscription }) => subscription === id);
      const rows = mine.map(({ record: _record, owner: _owner, subscription: _subscription, ...row }) => row);
      expect(rows.toReversed()).toEqual(body['deliveries']);
    }
    const all: Body[] = [];
    for (let next = ''; all.length < 12;) {
      const { status, body } = await hub.asAdmin('GET', `/v1/attempts?limit=5${next}`);
      expect(status).toBe(200);
      all.push(...(body['attempts'] as Body[]));
      next = `&cursor=${body['next'] as string}`;
    }
    const records = (await own()).map(({ record }) => record as string);
    expect(all.map(({ record }) => record as string).sort()).toEqual(records.sort());
    expect(all.some((row) => 'subject' in row || 'head' in row)).toBe(false);
    const team = await hub.ask('GET', '/v1/attempts', undefined, await hub.key('SU00013', 'data-team'));
    expect([team.status, (team.body['attempts'] as Body[]).length]).toEqual([200, 12]);
  });
});
