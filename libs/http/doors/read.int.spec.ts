import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { HubStage, type Body } from '../../../test/kit/doors/hub-stage.js';
import { until } from '../../../test/kit/projection/stage.js';
import { cursorTopicId, decodeStreamCursor, encodeStreamCursor } from '#reading';

const TYPE = 'imigrasi.paspor.diterbitkan';
const STREAM = 'imigrasi.paspor';
const BATCH = 'application/cloudevents-batch+json';
const EVENTS = `/v1/streams/${STREAM}/events`;
let hub: HubStage;
beforeAll(async () => {
  hub = await new HubStage().open();
});
afterAll(() => hub.close());

async function publish(n: number, data: (i: number) => Body = () => ({}), more: Body = {}): Promise<Body[]> {
  const events = Array.from({ length: n }, (_, i) => hub.event(TYPE, 'kanim', more, data(i)));
  const r = await hub.post(events, { type: BATCH });
  if (r.status !== 201) throw new Error(r.text);
  return r.body['receipts'] as Body[];
}
/** Every event of a query, page by page along the cursors. */
async function readAll(query: string, key = 'kanim'): Promise<Body[]> {
  const out: Body[] = [];
  let path = `${EVENTS}?${query}`;
  for (;;) {
    const r = await hub.ask(path, { key });
    if (r.status !== 200) throw new Error(r.text);
    const events = r.body['events'] as Body[];
    out.push(...events);
    if (events.length === 0 && r.body['incomplete'] !== true) return out;
    const rest = new URLSearchParams(query);
    rest.delete('from');
    rest.set('cursor', r.body['next'] as string);
    path = `${EVENTS}?${rest}`;
  }
}
const ids = (events: readonly Body[]): unknown[] => events.map((e) => e['id']);

class Live {
  readonly events: EventSourceMessage[] = [];
  ended = false;
  readonly #stop = new AbortController();
  status = 0;
  async open(path: string, key = 'kanim', headers: Record<string, string> = {}, at = hub): Promise<this> {
    const r = await fetch(`${at.server.url}${path}`, {
      headers: { authorization: `Bearer ${key}`, ...headers },
      signal: this.#stop.signal,
    });
    this.status = r.status;
    const parser = createParser({ onEvent: (m) => this.events.push(m) });
    const text = new TextDecoder();
    void (async () => {
      try {
        for await (const bytes of r.body!) parser.feed(text.decode(bytes, { stream: true }));
      } catch {
        // close() aborts the connection.
      }
      this.ended = true;
    })();
    return this;
  }
  async atLeast(n: number): Promise<Body[]> {
    await until(() => this.events.length >= n);
    return this.events.map((e) => JSON.parse(e.data) as Body);
  }
  close(): void {
    this.#stop.abort();
  }
}

describe('reading a stream', () => {
  it('gives every event exactly once and each subject in order, whatever the page size', async () => {
    const receipts = await publish(90, (i) => ({ nomorPermohonan: `B-${i % 7}` }), { korelasi: 'halaman' });
    for (const limit of [1, 7, 1000]) {
      const events = (await readAll(`from=earliest&limit=${limit}`)).filter((e) => e['korelasi'] === 'halaman');
      expect(ids(events).toSorted()).toEqual(ids(receipts).toSorted());
      for (let s = 0; s < 7; s++) {
        const subject = events.filter((e) => e['subject'] === `B-${s}`);
        expect(ids(subject)).toEqual(ids(receipts.filter((_, i) => i % 7 === s)));
      }
    }
  });

  it('gives an event that was just published on the next page, and gives no event twice along the cursors', async () => {
    const latest = await hub.ask(`${EVENTS}?from=latest`);
    expect(latest.body['events']).toEqual([]);
    const [receipt] = await publish(1);
    const r = await hub.ask(`${EVENTS}?cursor=${latest.body['next']}`);
    expect(ids(r.body['events'] as Body[])).toEqual([receipt!['id']]);
    expect(r.headers.get('link')).toBe(`<${EVENTS}?cursor=${r.body['next']}>; rel="next"`);
    expect((await hub.ask(`${EVENTS}?cursor=${r.body['next']}`)).body['events']).toEqual([]);
  });

  it('filters by type, subject, unit and period: from is inclusive, until is exclusive', async () => {
    const from = new Date().toISOString();
    const a = await publish(3, () => ({ nomorPermohonan: 'F-1' }));
    await publish(2, () => ({ nomorPermohonan: 'F-2' }));
    const before = Date.now();
    await until(() => Date.now() > before + 1);
    const until_ = new Date().toISOString();
    await publish(1, () => ({ nomorPermohonan: 'F-1' }));
    expect(await readAll(`from=${from}`)).toHaveLength(6);
    expect(await readAll(`from=${from}&until=${until_}`)).toHaveLength(5);
    expect(ids(await readAll(`from=${from}&until=${until_}&subject=F-1`))).toEqual(ids(a));
    expect(await readAll(`from=${from}&type=${TYPE}&unit=SU00123`)).toHaveLength(6);
    expect(await readAll(`from=${from}&unit=SU00001`)).toHaveLength(0);
    for (const door of ['events', 'live'])
      expect((await hub.ask(`/v1/streams/${STREAM}/${door}?unit=nonsense`)).status).toBe(400);
    expect(await readAll(`from=${from}&type=imigrasi.paspor.permohonan-diajukan`)).toHaveLength(0);
    const second = await readAll(`from=${a[1]!['position']}&subject=F-1`);
    expect(ids(second).slice(0, 2)).toEqual(ids(a.slice(1)));
  });

  it('answers NDJSON with the cursor in a header when Accept asks for it', async () => {
    const [receipt] = await publish(1);
    const r = await hub.ask(`${EVENTS}?from=${receipt!['position']}&subject=none&limit=5`, {
      headers: { accept: 'application/x-ndjson' },
    });
    expect([r.status, r.text]).toEqual([200, '']);
    const all = await hub.ask(`${EVENTS}?from=${receipt!['position']}`, {
      headers: { accept: 'application/x-ndjson' },
    });
    expect(all.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
    const lines = all.text
      .trimEnd()
      .split('\n')
      .map((l) => JSON.parse(l) as Body);
    expect(ids(lines)).toContain(receipt!['id']);
    expect(all.headers.get('simpul-next')).toMatch(/^[\w-]+$/);
  });

  it('long poll: answers as soon as an event arrives, and answers an empty page when the wait ends', async () => {
    const { body } = await hub.ask(`${EVENTS}?from=latest`);
    const waiting = hub.ask(`${EVENTS}?cursor=${body['next']}&wait=20`);
    const [receipt] = await publish(1);
    const r = await waiting;
    expect(ids(r.body['events'] as Body[])).toEqual([receipt!['id']]);
    const began = performance.now();
    const none = await hub.ask(`${EVENTS}?cursor=${r.body['next']}&wait=0.2`);
    expect(none.body['events']).toEqual([]);
    expect(performance.now() - began).toBeGreaterThan(150);
  });

  it('long poll: a key that is revoked while it waits gets 401 at once and no event', async () => {
    const { body } = await hub.ask(`${EVENTS}?from=latest`);
    const pull = () => {
      hub.keys.set('sebentar', { ...hub.keys.get('kanim')!, keyId: 'sebentar' });
      return hub.ask(`${EVENTS}?cursor=${body['next']}&wait=20`, { key: 'sebentar' });
    };
    const began = performance.now();
    const idle = pull();
    await hub.ask(EVENTS);
    hub.keys.delete('sebentar');
    expect([(await idle).status, performance.now() - began < 5_000]).toEqual([401, true]);
    const served = pull();
    await hub.ask(EVENTS);
    hub.keys.delete('sebentar');
    await publish(1);
    expect((await served).body).toMatchObject({ status: 401, code: 'unauthenticated' });
  });

  it('leaves copies out, and with copies=true shows them with the position of the original', async () => {
    const e = hub.event(TYPE);
    const { body } = await hub.post(e);
    const [stream, partition, offset] = (body['position'] as string).split('/') as [string, string, string];
    const got = await hub.log.read(stream, Number(partition), BigInt(offset), { maxRecords: 1 });
    if (got.kind !== 'records') throw new Error(got.kind);
    const { key, value, headers } = got.records[0]!;
    const copy = await hub.log.append(stream, Number(partition), [{ key, value, headers }]);
    if (copy.kind !== 'accepted') throw new Error(copy.kind);
    const from = `from=${body['position']}&subject=${String(e.data['nomorPermohonan'])}`;
    expect((await readAll(from)).filter((x) => x['id'] === e.id)).toHaveLength(1);
    const shown = (await readAll(`${from}&copies=true`)).filter((x) => x['id'] === e.id);
    expect(shown.map((x) => x['copyof'])).toEqual([undefined, body['position']]);
  });

  it('gives Avro only to readers at level full; others get 406', async () => {
    const [receipt] = await publish(1);
    const r = await hub.ask(`/v1/events/${receipt!['position']}?encoding=avro`, { key: 'steward' });
    const type = hub.catalogue.newest(TYPE)!;
    const data = type.contract.decode(Buffer.from(r.body['data_base64'] as string, 'base64'), { framed: true });
    expect(data).toMatchObject({ unitPenerbit: 'SU00123' });
    const masked = await hub.ask(`/v1/events/${receipt!['position']}?encoding=avro`, { key: 'operator' });
    expect([masked.status, masked.body['code']]).toEqual([406, 'not_acceptable']);
  });
});

describe('rights of the caller', () => {
  it('an event at level masked has masked data and no digest', async () => {
    const [receipt] = await publish(1);
    const { body } = await hub.ask(`/v1/events/${receipt!['position']}`, { key: 'operator' });
    expect(body['data'].nik).toMatch(/^••••\d{4}$/);
    expect(body['digest']).toBeUndefined();
    expect(body['data'].unitPenerbit).toBe('SU00123');
  });

  it('an event or stream that the key may not read answers the same 404 as one that does not exist', async () => {
    const [receipt] = await publish(1);
    const position = receipt!['position'] as string;
    const hidden = await hub.ask(`/v1/events/${position}`, { key: 'stranger' });
    const none = await hub.ask(`/v1/events/${position.replace(/\d+$/, '999999')}`, { key: 'stranger' });
    const nowhere = await hub.ask('/v1/events/tidak.ada/0/0', { key: 'stranger' });
    for (const r of [hidden, none, nowhere]) {
      expect(r.status).toBe(404);
      expect({ ...r.body, instance: '' }).toEqual({ ...hidden.body, instance: '' });
    }
    expect(await readAll('from=earliest', 'stranger')).toEqual([]);
  });

  it('the list of streams holds only those that the key may read from', async () => {
    const mine = (await hub.ask('/v1/streams')).body['streams'] as Body[];
    expect(mine.map((s) => s['name'])).toContain(STREAM);
    expect(mine.map((s) => s['name'])).not.toContain('itjen.wbs');
    expect((await hub.ask('/v1/streams/itjen.wbs')).status).toBe(404);
    expect((await hub.ask('/v1/streams/itjen.wbs/events')).status).toBe(404);
    expect((await hub.ask('/v1/streams/itjen.wbs/live')).status).toBe(404);
    const one = await hub.ask(`/v1/streams/${STREAM}`);
    expect(one.body).toMatchObject({ name: STREAM, partitions: 3, types: expect.arrayContaining([TYPE]) });
    expect(one.body['ranges']).toHaveLength(3);
  });

  it('a clear subject of a pseudonym type in the URL is refused with 400', async () => {
    const r = await hub.ask('/v1/streams/pas.penghuni/events?subject=9901010101010001', { key: 'lapas' });
    expect([r.status, r.body['code']]).toEqual([400, 'clear_subject_refused']);
  });
});

describe('cursors', () => {
  it('of another stream, of a stream that was made again, above the log end, or of another form each have their own error code', async () => {
    const topicId = cursorTopicId(await hub.log.topicId(STREAM));
    const at = (stream: string, id: string, next: bigint[]): string =>
      encodeStreamCursor({ stream, topicId: id, next });
    const cases: [string, number, string][] = [
      ['bukan-penanda', 400, 'invalid_cursor'],
      [at('layanan.kasus', topicId, [0n, 0n, 0n]), 400, 'invalid_cursor'],
      [at(STREAM, topicId, [0n]), 400, 'invalid_cursor'],
      [at(STREAM, topicId === 'ffffffff' ? '00000000' : 'ffffffff', [0n, 0n, 0n]), 410, 'stream_recreated'],
      [at(STREAM, topicId, [0n, 0n, 1_000_000n]), 412, 'unknown_cursor'],
    ];
    for (const [cursor, status, code] of cases) {
      const r = await hub.ask(`${EVENTS}?cursor=${cursor}`);
      expect([r.status, r.body['code']]).toEqual([status, code]);
    }
    const { body } = await hub.ask(`${EVENTS}?limit=3`);
    expect(decodeStreamCursor(body['next'] as string, STREAM, topicId, 3).next.reduce((a, b) => a + b)).toBeGreaterThan(
      0n,
    );
  });

  it('below the earliest kept offset answer 410 with the earliest position; a live reader gets a gap message', async () => {
    let now = Date.now();
    const old = await new HubStage().open({ retention: { stream: STREAM, ms: 1_000, now: () => now }, partitions: 1 });
    try {
      const first = await old.post(old.event(TYPE));
      const { body } = await old.ask(`${EVENTS}?from=earliest&limit=1`);
      const before = encodeStreamCursor({
        stream: STREAM,
        topicId: cursorTopicId(await old.log.topicId(STREAM)),
        next: [0n],
      });
      expect(ids(body['events'] as Body[])).toEqual([first.body['id']]);
      now += 1_000_000;
      await old.post(old.event(TYPE));
      await until(async () => {
        await old.log.maintain();
        return (await old.log.describe(STREAM))[0]!.low > 0n;
      });
      const low = (await old.log.describe(STREAM))[0]!.low;
      const gone = await old.ask(`${EVENTS}?cursor=${before}`);
      expect([gone.status, gone.body['code'], gone.body['errors'][0].expected]).toEqual([
        410,
        'offset_out_of_range',
        `${STREAM}/0/${low}`,
      ]);
      expect((await old.ask(`/v1/events/${STREAM}/0/0`)).status).toBe(410);
      const live = await new Live().open(`/v1/streams/${STREAM}/live?cursor=${before}`, 'kanim', {}, old);
      await until(() => live.events.length >= 1);
      expect(live.events[0]!.event).toBe('gap');
      live.close();
    } finally {
      await old.close();
    }
  });
});

describe('live reading (server-sent events)', () => {
  it('sends new events, and resumes behind Last-Event-ID without loss or repeat', async () => {
    const live = await new Live().open(`/v1/streams/${STREAM}/live`);
    const receipts = await publish(5, (i) => ({ nomorPermohonan: `L-${i}` }));
    const got = await live.atLeast(5);
    expect(ids(got).toSorted()).toEqual(ids(receipts).toSorted());
    live.close();
    const seen = live.events.slice(0, 3);
    const rest = await new Live().open(`/v1/streams/${STREAM}/live`, 'kanim', { 'last-event-id': seen[2]!.id! });
    const more = await publish(1);
    await rest.atLeast(3);
    const after = rest.events.map((e) => (JSON.parse(e.data) as Body)['id']);
    expect([...ids(got).slice(0, 3), ...after].toSorted()).toEqual([...ids(receipts), ...ids(more)].toSorted());
    rest.close();
  });

  it('gives every reader that catches up together large and small events as a page gives them', async () => {
    const numbers = ['K-1', 'B-'.padEnd(100_000, '1'), 'K-2', 'B-'.padEnd(100_001, '2'), 'K-3'];
    const receipts = await publish(5, (i) => ({ nomorPermohonan: 'L-BESAR', nomorPaspor: numbers[i] }));
    const path = `/v1/streams/${STREAM}`;
    const page = await hub.ask(`${path}/events?subject=L-BESAR`);
    const readers = [1, 2, 3].map(() => new Live().open(`${path}/live?from=earliest&subject=L-BESAR`));
    for (const live of await Promise.all(readers)) {
      expect(await live.atLeast(receipts.length)).toEqual(page.body['events']);
      live.close();
    }
  });

  it('begins at from, filters, and refuses an invalid from or Last-Event-ID before the response head', async () => {
    const [receipt] = await publish(1, () => ({ nomorPermohonan: 'L-SAJA' }));
    const live = await new Live().open(`/v1/streams/${STREAM}/live?from=earliest&subject=L-SAJA`);
    expect(ids(await live.atLeast(1))).toEqual([receipt!['id']]);
    live.close();
    expect((await hub.ask(`/v1/streams/${STREAM}/live?from=kapan-kapan`)).status).toBe(400);
    expect((await hub.ask(`/v1/streams/${STREAM}/live`, { headers: { 'last-event-id': 'x' } })).status).toBe(400);
  });

  it('sends a gap message when the stream was made again, then goes on at the earliest event', async () => {
    const cursor = encodeStreamCursor({ stream: STREAM, topicId: 'ffffffff', next: [0n, 0n, 0n] });
    const live = await new Live().open(`/v1/streams/${STREAM}/live`, 'kanim', { 'last-event-id': cursor });
    await live.atLeast(2);
    expect(live.events[0]).toMatchObject({ event: 'gap', id: expect.any(String) });
    expect(JSON.parse(live.events[0]!.data)).toEqual({ stream: STREAM, code: 'stream_recreated', from: 'earliest' });
    expect(live.events[1]!.event).toBeUndefined();
    live.close();
  });

  it('twenty readers cost the log one read for each event, and no question for the log end', async () => {
    const readers = await Promise.all(
      Array.from({ length: 20 }, () => new Live().open(`/v1/streams/${STREAM}/live?subject=L-RAMAI`)),
    );
    await publish(1, () => ({ nomorPermohonan: 'L-RAMAI' }));
    await Promise.all(readers.map((r) => r.atLeast(1)));
    const [read, describe] = [jest.spyOn(hub.log, 'read'), jest.spyOn(hub.log, 'describe')];
    try {
      for (let i = 2; i <= 11; i++) {
        await publish(1, () => ({ nomorPermohonan: 'L-RAMAI' }));
        await Promise.all(readers.map((r) => r.atLeast(i)));
      }
      const of = (calls: readonly unknown[][]): number => calls.filter(([topic]) => topic === STREAM).length;
      // The projector reads the stream, too.
      expect([of(read.mock.calls) <= 60, of(describe.mock.calls)]).toEqual([true, 0]);
    } finally {
      read.mockRestore();
      describe.mockRestore();
      for (const reader of readers) reader.close();
    }
  });

  it('ends when its key is revoked', async () => {
    hub.keys.set('sebentar', { ...hub.keys.get('kanim')!, keyId: 'sebentar' });
    const live = await new Live().open(`/v1/streams/${STREAM}/live`, 'sebentar');
    expect(live.status).toBe(200);
    hub.keys.delete('sebentar');
    await until(() => live.ended);
  });
});
