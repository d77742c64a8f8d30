import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { HubStage } from '../kit/doors/hub-stage.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
let hub: HubStage;
beforeAll(async () => {
  hub = await new HubStage().open();
});
afterAll(() => hub.close());

it('the header Idempotency-Key has no effect: only source and id decide which events are the same (R13.9)', async () => {
  const post = (event: unknown, key: string) => hub.post(event, { headers: { 'idempotency-key': key } });
  const [one, other] = [hub.event(TYPE), hub.event(TYPE)];
  const first = await post(one, 'k-1');
  const second = await post(other, 'k-1');
  expect([first.status, second.status]).toEqual([201, 201]);
  expect(second.body['position']).not.toBe(first.body['position']);
  const again = await post(one, 'k-2');
  expect([again.status, again.body]).toEqual([200, { ...first.body, duplicate: true }]);
});
