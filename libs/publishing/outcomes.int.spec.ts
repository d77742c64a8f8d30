import { afterEach, describe, expect, it } from '@jest/globals';
import { HubStage, type Body } from '../../test/kit/doors/hub-stage.js';
import { until } from '../../test/kit/projection/stage.js';
import type { State } from '#state';

const TYPE = 'imigrasi.paspor.diterbitkan';
const BATCH = 'application/cloudevents-batch+json';
let hub: HubStage;
afterEach(() => hub.close());

describe('when the log does not accept an event in time', () => {
  it('one event is answered 503 with Retry-After and its result, and may be sent again', async () => {
    hub = await new HubStage().open({ project: false });
    const e = hub.event(TYPE);
    for (const [kind, detail] of [
      ['uncertain', 'it is not known whether the event was written'],
      ['refused', 'the event was surely not written'],
    ] as const) {
      hub.appends.answer = () =>
        Promise.resolve(kind === 'uncertain' ? { kind } : { kind, code: 'not_durable' as const });
      const r = await hub.post(e);
      expect([r.status, r.body['code'], Number(r.headers.get('retry-after')) > 0]).toEqual([503, 'not_durable', true]);
      expect(r.body['results']).toEqual([
        { status: 503, problem: expect.objectContaining({ code: 'not_durable', detail }) },
      ]);
    }
    hub.appends.answer = undefined;
    expect((await hub.post(e)).status).toBe(201);
  });

  it('a full disk is answered as disk_full', async () => {
    hub = await new HubStage().open({ project: false });
    hub.appends.answer = () => Promise.resolve({ kind: 'refused', code: 'disk_full' });
    const r = await hub.post(hub.event(TYPE));
    expect([r.status, r.body['code']]).toEqual([503, 'disk_full']);
  });

  it('a batch is answered with the outcome of each event, and the same batch again names the duplicates', async () => {
    hub = await new HubStage().open();
    const events = Array.from({ length: 30 }, (_, i) => hub.event(TYPE, 'kanim', {}, { nomorPermohonan: `N-${i}` }));
    let call = 0;
    hub.appends.answer = () => (call++ === 1 ? Promise.resolve({ kind: 'uncertain' as const }) : undefined);
    const r = await hub.post(events, { type: BATCH });
    expect(call).toBeGreaterThan(1);
    expect(r.status).toBe(503);
    const statuses = r.body['results'].map((x: Body) => x['status']) as number[];
    expect(new Set(statuses)).toEqual(new Set([201, 503]));
    hub.appends.answer = undefined;
    const again = await hub.post(events, { type: BATCH });
    expect(again.status).toBe(201);
    expect(again.body['receipts'].map((x: Body) => x['duplicate'])).toEqual(statuses.map((s) => s === 201));
    for (const [i, x] of (r.body['results'] as Body[]).entries()) {
      if (x['status'] === 201) expect(again.body['receipts'][i].position).toBe(x['receipt'].position);
    }
    expect((await hub.post(events, { type: BATCH })).status).toBe(200);
  });

  it('a duplicate that joins an append in flight gets the outcome of that append, never an early receipt', async () => {
    hub = await new HubStage().open({ project: false });
    let settle!: (o: { kind: 'uncertain' }) => void;
    hub.appends.answer = () => new Promise((resolve) => (settle = resolve));
    const e = hub.event(TYPE);
    const first = hub.post(e);
    while (hub.publishing.pending === 0) await new Promise(setImmediate);
    const second = hub.post(e);
    const other = await hub.post({ ...e, data: { ...e.data, namaLengkap: 'Lain' } });
    expect([other.status, other.body['code']]).toEqual([422, 'idempotency_mismatch']);
    while (hub.meter.length < 1) await new Promise(setImmediate);
    settle({ kind: 'uncertain' });
    expect([(await first).status, (await second).status]).toEqual([503, 503]);
    expect(hub.publishing.pending).toBe(0);
  });

  it('a request is answered within its deadline when the log never answers', async () => {
    hub = await new HubStage().open({ project: false, limits: { waitMs: 200 } });
    hub.appends.answer = () => new Promise(() => undefined);
    const began = performance.now();
    const r = await hub.post(hub.event(TYPE));
    expect(r.status).toBe(503);
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  it('above the limit of events in flight a request is refused with queue_full before anything is appended', async () => {
    hub = await new HubStage().open({ project: false, limits: { pendingEvents: 5 } });
    let settle!: () => void;
    const gate = new Promise<{ kind: 'uncertain' }>((resolve) => (settle = () => resolve({ kind: 'uncertain' })));
    hub.appends.answer = () => gate;
    const five = hub.post(
      Array.from({ length: 5 }, () => hub.event(TYPE)),
      { type: BATCH },
    );
    while (hub.publishing.pending < 5) await new Promise(setImmediate);
    const calls = hub.appends.calls;
    const r = await hub.post(hub.event(TYPE));
    expect([r.status, r.body['code'], r.headers.get('retry-after')]).toEqual([503, 'queue_full', '1']);
    expect(hub.appends.calls).toBe(calls);
    settle();
    expect((await five).status).toBe(503);
  });
});

describe('when the index does not answer', () => {
  it('events are appended without a check, and a receipt lookup answers receipts_unavailable', async () => {
    let away = false;
    const hang = (): Promise<never> => new Promise(() => undefined);
    hub = await new HubStage().open({
      limits: { indexMs: 50 },
      wrapState: (s): State =>
        new Proxy(s, {
          get: (t, name) => {
            const value: unknown = Reflect.get(t, name);
            if (typeof value !== 'function') return value;
            if (name === 'findFirst' && away) return hang;
            return (value as (...a: unknown[]) => unknown).bind(t);
          },
        }),
    });
    away = true;
    const began = performance.now();
    const r = await hub.post(hub.event(TYPE));
    expect(r.status).toBe(201);
    expect(performance.now() - began).toBeLessThan(1_500);
    const source = encodeURIComponent('urn:simpul:unit:SU00123:simkim');
    const receipt = await hub.ask(`/v1/receipts?source=${source}&id=tidak-ada`);
    expect([receipt.status, receipt.body['code']]).toEqual([503, 'receipts_unavailable']);
  });

  it('other content that was acknowledged meanwhile is an event of its own, and each repeat gets its own receipt', async () => {
    hub = await new HubStage().open({ project: false });
    const a = hub.event(TYPE);
    const b = { ...a, data: { ...a.data, namaLengkap: 'Orang Lain' } };
    const other = await hub.another();
    const first = await hub.post(a);
    const second = await other.post(b);
    expect([first.status, second.status]).toEqual([201, 201]);
    await hub.project();
    const third = await hub.another();
    const { stream, partition, offset } = second.body as { stream: string; partition: number; offset: number };
    await until(() => hub.settled.end(stream, partition) > BigInt(offset));
    const again = await third.post(b);
    expect([again.status, again.body]).toEqual([200, { ...second.body, duplicate: true }]);
    expect((await third.post(a)).body).toEqual({ ...first.body, duplicate: true });
    const c = await third.post({ ...a, data: { ...a.data, namaLengkap: 'Orang Ketiga' } });
    expect([c.status, c.body['code']]).toEqual([422, 'idempotency_mismatch']);
  });

  it('a lagging index never makes a 404 for an event that this process has just appended', async () => {
    hub = await new HubStage().open({ project: false });
    const e = hub.event(TYPE);
    const { body } = await hub.post(e);
    const path = (id: string): string => `/v1/receipts?${new URLSearchParams({ source: e.source, id })}`;
    expect((await hub.ask(path(e.id))).body).toEqual(body);
    const other = await hub.ask(path('tidak-ada'));
    expect([other.status, other.body['code']]).toEqual([503, 'receipts_unavailable']);
    await hub.project();
    let last = other;
    while ((last = await hub.ask(path('tidak-ada'))).status === 503);
    expect(last.status).toBe(404);
    expect((await hub.ask(path(e.id))).body['position']).toBe(body['position']);
  });
});
