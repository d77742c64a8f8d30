import { Limits } from '#limits';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { HubStage, type Body } from '../../test/kit/doors/hub-stage.js';
import { interposed, until } from '../../test/kit/projection/stage.js';
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
      ['refused', 'the event was surely not written by this request'],
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
    expect(hub.unwritable).toEqual([expect.stringMatching(/^disk_full imigrasi\.paspor\//)]);
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

  it('an event that is sent again after an unknown outcome gets the receipt of the first record, and so does every later repeat', async () => {
    // The index does not know the first record yet when the event comes again.
    let blind = 0;
    const wrapState = (state: State): State =>
      interposed(state, (call, [ids]) =>
        call === 'findFirst' && blind-- > 0 ? Promise.resolve((ids as unknown[]).map(() => undefined)) : undefined,
      );
    hub = await new HubStage().open({ wrapState, limits: { waitMs: 30_000, firstMs: 30_000, placeMs: 30_000 } });
    const [one, ...batch] = [1, 2, 3].map(() => hub.event(TYPE));
    hub.appends.loseAnswers = true;
    expect((await hub.post(one)).status).toBe(503);
    expect((await hub.post(batch, { type: BATCH })).status).toBe(503);
    hub.appends.loseAnswers = false;
    blind = 1;
    const again = await hub.post(one);
    blind = 1;
    const receipts = (await hub.post(batch, { type: BATCH })).body['receipts'] as Body[];
    expect(await hub.records('imigrasi.paspor')).toBe(6);
    for (const [e, got] of [[one!, again.body], ...batch.map((e, i) => [e, receipts[i]!] as const)] as const) {
      const first = await hub.ask(`/v1/receipts?source=${e.source}&id=${e.id}`);
      expect(got).toEqual({ ...first.body, duplicate: true });
      expect((await hub.post(e)).body).toEqual({ ...first.body, duplicate: true });
    }
    expect(again.status).toBe(200);
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
    hub.log.append = () => new Promise(() => undefined);
    const began = performance.now();
    const r = await hub.post(hub.event(TYPE));
    expect(r.status).toBe(503);
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it('above the limit of events in flight a request is refused with queue_full before anything is appended', async () => {
    hub = await new HubStage().open({ project: false, budgets: new Limits({ values: { pending_events: 5 } }) });
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

  it('a list of more events than a limit of events in flight ever lets in is refused for good, and one of as many is taken', async () => {
    const budgets = new Limits({ values: { pending_events_per_key: 2 } });
    hub = await new HubStage().open({ project: false, budgets });
    const list = (n: number) =>
      hub.post(
        Array.from({ length: n }, () => hub.event(TYPE)),
        { type: BATCH },
      );
    const r = await list(3);
    expect([r.status, r.body['code'], r.body['limit']]).toEqual([413, 'body_too_large', 'pending_events_per_key']);
    expect(r.headers.get('retry-after')).toBeNull();
    expect((await list(2)).status).toBe(201);
  });

  it('a long list for which there is no room is refused before its events are read', async () => {
    const budgets = new Limits();
    hub = await new HubStage().open({ project: false, budgets });
    budgets.pending.add({}, 19_950);
    const unreadable = `[${Array.from({ length: 300 }, () => '{unreadable}').join(',')}]`;
    const r = await hub.post(unreadable, { type: BATCH });
    expect([r.status, r.body['code'], r.body['limit']]).toEqual([503, 'queue_full', 'pending_events']);
    budgets.pending.give({}, 19_950);
    expect((await hub.post(unreadable, { type: BATCH })).status).toBe(422);
  });
});

describe('when the log refuses a record', () => {
  const LIMIT = 20_000;
  const GUILTY = 'X'.repeat(LIMIT);

  /** A log that takes no append of more than LIMIT bytes, as a topic whose max.message.bytes was lowered. */
  async function stage(): Promise<HubStage> {
    hub = await new HubStage().open({ project: false, partitions: 1 });
    const append = hub.log.append.bind(hub.log);
    hub.log.append = (topic, partition, records, ...more) => {
      const bytes = records.reduce((sum, r) => sum + r.value!.length, 0);
      if (topic.startsWith('_simpul.') || bytes <= LIMIT) return append(topic, partition, records, ...more);
      return Promise.resolve({ kind: 'refused', code: 'record_too_large', limit: LIMIT });
    };
    return hub;
  }
  const event = (namaLengkap: string, n: number) =>
    hub.event(TYPE, 'kanim', {}, { namaLengkap, nomorPermohonan: `N-${n}` });
  const TOO_LARGE = { status: 413, code: 'record_too_large', limit: LIMIT };

  it('one event that is too large is 413 with the limit of its topic, in both languages, and is written by no repeat', async () => {
    await stage();
    const guilty = event(GUILTY, 1);
    for (const [language, expected] of [
      ['id', 'paling banyak 20000 byte sebagai rekaman, dengan kepalanya'],
      ['en', 'at most 20000 bytes as a record, with its head'],
    ] as const) {
      const r = await hub.post(guilty, { headers: { 'accept-language': language } });
      expect([r.status, r.body]).toEqual([413, expect.objectContaining(TOO_LARGE)]);
      expect(r.body['errors']).toEqual([expect.objectContaining({ code: 'record_too_large', expected })]);
    }
    expect(hub.meter.filter(([name]) => name === 'record_too_large')).toHaveLength(2);
  });

  it('events of other callers in the same append are written, also those that are too large only together', async () => {
    await stage();
    const large = 'x'.repeat(9_000);
    const all = await Promise.all(
      Array.from({ length: 12 }, (_, n) => hub.post(event(n === 5 ? GUILTY : n % 2 === 0 ? large : 'x', n))),
    );
    expect(all.map((r) => r.status)).toEqual(all.map((_, n) => (n === 5 ? 413 : 201)));
  });

  it('of one partial request, the guilty event is 413 in its own result and the others are written', async () => {
    await stage();
    const events = Array.from({ length: 9 }, (_, n) => event(n === 4 ? GUILTY : 'x'.repeat(4_000), n));
    const r = await hub.post(events, { type: BATCH, query: '?partial=true' });
    expect(r.status).toBe(207);
    expect(r.body['results'].map((x: Body) => x['status'])).toEqual(events.map((_, n) => (n === 4 ? 413 : 201)));
    expect(r.body['results'][4].problem).toMatchObject(TOO_LARGE);
  });

  it('of one request that is not partial, the guilty event is refused at once, and the answer tells which others were recorded, also for a repeat', async () => {
    await stage();
    const events = Array.from({ length: 3 }, (_, n) => event(n === 1 ? GUILTY : 'x', n));
    const first = await hub.post(events, { type: BATCH });
    expect([first.status, first.body['code'], first.headers.get('retry-after')]).toEqual([
      422,
      'partly_recorded',
      null,
    ]);
    expect(first.body['results'].map((x: Body) => x['status'])).toEqual([201, 413, 201]);
    expect(first.body['results'][1].problem).toMatchObject(TOO_LARGE);
    expect(first.body['errors']).toEqual([expect.objectContaining({ index: 1, code: 'record_too_large' })]);
    const again = await hub.post(events, { type: BATCH });
    expect([again.status, again.body['code']]).toEqual([422, 'invalid_items']);
    expect(again.body['errors']).toEqual([expect.objectContaining({ index: 1, code: 'record_too_large' })]);
    const results = again.body['results'] as Body[];
    expect(results.map((x) => x['status'])).toEqual([200, 413, 200]);
    expect(results[0]!['receipt'].position).toBe(first.body['results'][0].receipt.position);
    expect(await hub.records('imigrasi.paspor')).toBe(2);
  });

  it('of one request that is not partial and has an uncertain event too, the answer is 503 with the outcome of each event', async () => {
    hub = await new HubStage().open({ project: false, limits: { waitMs: 300 } });
    const append = hub.log.append.bind(hub.log);
    hub.log.append = (topic, partition, records, ...more) => {
      const has = (text: string): boolean => records.some((r) => r.value!.includes(text));
      if (has('RAGU')) return Promise.resolve({ kind: 'uncertain' });
      if (has('TERLARANG')) return Promise.resolve({ kind: 'refused', code: 'invalid_record' });
      return append(topic, partition, records, ...more);
    };
    // each in a partition of its own, so that they are appends of their own
    const events: Body[] = [];
    const taken = new Set<number>();
    for (let n = 0; events.length < 3; n++) {
      const made = event(['x', 'RAGU', 'TERLARANG'][events.length]!, n);
      const { body } = await hub.post(made, { query: '?dryRun=true' });
      if (taken.has(body['partition'])) continue;
      taken.add(body['partition']);
      events.push(made);
    }
    const r = await hub.post(events, { type: BATCH });
    expect([r.status, r.body['code'], r.body['results'].map((x: Body) => x['status'])]).toEqual([
      503,
      'not_durable',
      [201, 503, 422],
    ]);
  });

  it('an event that is known to be too large for its topic is refused before anything of its request is written, and a repeat of an older event is not', async () => {
    hub = await new HubStage().open({ project: false, partitions: 1 });
    const older = event(GUILTY, 1);
    const { body: receipt } = await hub.post(older);
    let limit: number | undefined = LIMIT;
    hub.log.appendLimit = () => LIMIT;
    hub.log.limitExceeded = () => Promise.resolve(limit);
    const events = [event('x', 2), event(GUILTY, 3), event('x', 4)];
    const calls = hub.appends.calls;
    const r = await hub.post(events, { type: BATCH });
    expect([r.status, r.body['code'], r.body['results']]).toEqual([422, 'invalid_items', undefined]);
    expect(r.body['errors']).toEqual([expect.objectContaining({ index: 1, code: 'record_too_large' })]);
    const one = await hub.post(events[1]);
    expect([one.status, one.body]).toEqual([413, expect.objectContaining(TOO_LARGE)]);
    const trial = await hub.post(events, { type: BATCH, query: '?dryRun=true' });
    expect(trial.body['results'].map((x: Body) => x['problems'].length)).toEqual([0, 1, 0]);
    expect(await hub.post(older)).toMatchObject({ status: 200, body: { ...receipt, duplicate: true } });
    expect(hub.appends.calls).toBe(calls);
    // the operator raises the limit: it is read again before an event is refused by it
    limit = undefined;
    expect((await hub.post(events, { type: BATCH })).status).toBe(201);
  });

  it('a record that the broker refuses as invalid is 422 with the reason of the broker, alone', async () => {
    hub = await new HubStage().open({ project: false, partitions: 1 });
    const append = hub.log.append.bind(hub.log);
    hub.log.append = (topic, partition, records, ...more) =>
      records.some((r) => r.value!.includes('TERLARANG'))
        ? Promise.resolve({ kind: 'refused', code: 'invalid_record', cause: new Error('a record has no key') })
        : append(topic, partition, records, ...more);
    const all = await Promise.all([1, 2, 3].map((n) => hub.post(event(n === 2 ? 'TERLARANG' : 'x', n))));
    expect(all.map((r) => r.status)).toEqual([201, 422, 201]);
    expect(all[1]!.body).toMatchObject({ code: 'invalid_record', detail: 'a record has no key' });
  });
});

describe('when the index does not answer', () => {
  const hang = (): Promise<never> => new Promise(() => undefined);
  /** Awaited before each look-up in the index. */
  let before: (() => Promise<unknown>) | undefined;
  const wrapState = (s: State): State =>
    new Proxy(s, {
      get: (t, name) => {
        const value: unknown = Reflect.get(t, name);
        if (typeof value !== 'function') return value;
        const call = (value as (...a: unknown[]) => unknown).bind(t);
        if (name !== 'findFirst') return call;
        return async (...args: unknown[]) => {
          await before?.();
          return call(...args);
        };
      },
    });
  beforeEach(() => {
    before = undefined;
  });

  it('events are appended without a check, and a receipt lookup answers receipts_unavailable', async () => {
    hub = await new HubStage().open({ limits: { indexMs: 50 }, wrapState });
    before = hang;
    const began = performance.now();
    const r = await hub.post(hub.event(TYPE));
    expect(r.status).toBe(201);
    expect(performance.now() - began).toBeLessThan(5_000);
    const source = encodeURIComponent('urn:simpul:unit:SU00123:simkim');
    const receipt = await hub.ask(`/v1/receipts?source=${source}&id=tidak-ada`);
    expect([receipt.status, receipt.body['code']]).toEqual([503, 'receipts_unavailable']);
  });

  it('in time, and the event is appended a second time, its receipt names the first place, never the copy, also while the index is slow', async () => {
    hub = await new HubStage().open({ limits: { indexMs: 50 }, wrapState });
    const other = await hub.another();
    const e = hub.event(TYPE);
    const first = await other.post(e);
    before = () => new Promise((done) => setTimeout(done, 300));
    const copy = await hub.post(e);
    expect([first.status, copy.status, copy.body['position'] === first.body['position']]).toEqual([201, 201, false]);
    const path = `/v1/receipts?${new URLSearchParams({ source: e.source, id: e.id })}`;
    const receipt = await hub.ask(path);
    expect([receipt.status, receipt.body['position']]).toEqual([200, first.body['position']]);
    before = hang;
    const unknown = await hub.ask(path);
    expect([unknown.status, unknown.body['code']]).toEqual([503, 'receipts_unavailable']);
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

  it('a lagging index never makes a 404 for an event that this process has just appended, nor a receipt of what may be a copy', async () => {
    hub = await new HubStage().open({ project: false });
    const e = hub.event(TYPE);
    const { body } = await hub.post(e);
    const path = (id: string): string => `/v1/receipts?${new URLSearchParams({ source: e.source, id })}`;
    let last!: Awaited<ReturnType<typeof hub.ask>>;
    for (const id of [e.id, 'tidak-ada']) {
      last = await hub.ask(path(id));
      expect([last.status, last.body['code']]).toEqual([503, 'receipts_unavailable']);
    }
    await hub.project();
    while ((last = await hub.ask(path('tidak-ada'))).status === 503);
    expect(last.status).toBe(404);
    expect((await hub.ask(path(e.id))).body['position']).toBe(body['position']);
  });
});
