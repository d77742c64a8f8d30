import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TableLog } from '#table';
import { createPublisher, createReader } from '#sdk';
import { openRefusals, REFUSALS_TOPIC } from './index.js';
import { HubStage, type Body } from '../../test/kit/doors/hub-stage.js';
import { until } from '../../test/kit/projection/stage.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
let hub: HubStage;
beforeAll(async () => {
  hub = await new HubStage().open();
});
afterAll(() => hub.close());

const NDJSON = 'application/x-ndjson';
const BATCH = 'application/cloudevents-batch+json';
const lines = (events: readonly unknown[]): string => events.map((e) => JSON.stringify(e)).join('\n');
const settle = (position: string): Promise<void> => {
  const [stream, partition, offset] = position.split('/') as [string, string, string];
  return until(
    async () =>
      ((await hub.state.position('_index', { stream, partition: Number(partition) }))?.next ?? 0n) > BigInt(offset) ||
      hub.settled.end(stream, Number(partition)) > BigInt(offset),
  );
};

describe('a published event', () => {
  it('gets a receipt with its position, and the record at that position has its digest', async () => {
    const e = hub.event(TYPE);
    const r = await hub.post(e);
    expect(r.status).toBe(201);
    expect(r.body).toEqual({
      id: e.id,
      source: 'urn:simpul:unit:SU00123:simkim',
      type: TYPE,
      stream: 'imigrasi.paspor',
      partition: expect.any(Number),
      offset: expect.any(Number),
      position: `imigrasi.paspor/${r.body['partition']}/${r.body['offset']}`,
      digest: expect.stringMatching(/^sha-256:[0-9a-f]{64}$/),
      recordedtime: expect.stringMatching(/^\d{4}-.*Z$/),
      duplicate: false,
    });
    const read = await hub.ask(`/v1/events/${r.body['position']}`);
    expect(read.body).toMatchObject({
      specversion: '1.0',
      id: e.id,
      subject: e.data['nomorPermohonan'],
      time: e['time'],
      dataschema: `urn:simpul:schema:${TYPE}:1`,
      datacontenttype: 'application/json',
      unitasal: 'SU00123',
      kelasdata: 'terbatas',
      recordedtime: r.body['recordedtime'],
      digest: r.body['digest'],
      position: r.body['position'],
    });
    const handed = '2021-07-21T09:33:08+07:00';
    expect(e.data['waktuSerah']).toBe(handed);
    expect(read.body['data']).toMatchObject({ ...e.data, waktuSerah: new Date(handed).toISOString() });
  });

  it('carries extensions, the trace, and the recorded time where it has no time', async () => {
    const { time: _time, ...e } = hub.event(TYPE, 'kanim', { korelasi: 'K-1', urutanunit: 7, baru: true });
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const r = await hub.post(e, { headers: { traceparent: trace } });
    const { body } = await hub.ask(`/v1/events/${r.body['position']}`);
    expect(body).toMatchObject({ korelasi: 'K-1', urutanunit: '7', baru: 'true', time: r.body['recordedtime'] });
    const [, partition, offset] = r.body['position'].split('/');
    const got = await hub.log.read('imigrasi.paspor', Number(partition), BigInt(offset), { maxRecords: 1 });
    const headers = got.kind === 'records' ? got.records[0]!.headers : [];
    expect(headers.find(([n]) => n === 'traceparent')?.[1]?.toString()).toBe(trace);
  });

  it('carries its own trace context or that of the request; an invalid trace context is left out', async () => {
    const of = (n: string) => `00-${n.repeat(32)}-b7ad6b7169203331-01`;
    const shown = async (headers: Record<string, string>, more: Body = {}) => {
      const r = await hub.post(hub.event(TYPE, 'kanim', more), { headers });
      const { traceparent, tracestate } = (await hub.ask(`/v1/events/${r.body['position']}`)).body;
      return [r.status, traceparent, tracestate] as unknown[];
    };
    const request = { traceparent: of('a'), tracestate: 'rojo=1' };
    expect(await shown(request)).toEqual([201, of('a'), 'rojo=1']);
    expect(await shown({ traceparent: of('a'), tracestate: 'Budi Santoso' })).toEqual([201, of('a'), undefined]);
    expect(await shown({ traceparent: 'bukan', tracestate: 'rojo=1' })).toEqual([201, undefined, undefined]);
    expect(await shown(request, { traceparent: of('b') })).toEqual([201, of('b'), undefined]);
    expect(await shown({}, { traceparent: of('b'), tracestate: 'congo=2' })).toEqual([201, of('b'), 'congo=2']);
    const publisher = createPublisher({ url: hub.server.url, key: 'kanim', owner: 'SU00123', system: 'simkim' });
    const reader = createReader({ url: hub.server.url, key: 'kanim' });
    const { data } = hub.event(TYPE);
    const { position } = await publisher.publish({ type: TYPE, data, traceparent: of('c'), tracestate: 'sdk=1' });
    for await (const e of reader.read('imigrasi.paspor', { from: position, limit: 1_000 }))
      if (e.position === position) expect([e.traceparent, e.tracestate]).toEqual([of('c'), 'sdk=1']);
    await publisher.close();
    await reader.close();
    expect.assertions(6);
  });

  it('whose id and subject hold any character that an id may hold has a receipt, and is found by its subject', async () => {
    const e = hub.event(TYPE, 'kanim', { id: 'a\ufffdb' }, { nomorPermohonan: 'N-\ufffd-1' });
    const r = await hub.post(e);
    expect(r.status).toBe(201);
    const query = new URLSearchParams({ source: e.source, id: e.id });
    await settle(r.body['position']);
    expect((await hub.ask(`/v1/receipts?${query}`)).body).toMatchObject({ id: e.id, position: r.body['position'] });
    const found = await hub.ask(`/v1/streams/imigrasi.paspor/events?${new URLSearchParams({ subject: 'N-\ufffd-1' })}`);
    expect(found.body['events']).toMatchObject([{ id: e.id }]);
    // Bytes that are no UTF-8 are refused, not read as that character.
    expect((await hub.ask('/v1/receipts?source=urn:simpul:unit:SU00123:simkim&id=a%FFb')).status).toBe(400);
  });

  it('has the same content in every request form', async () => {
    const e = hub.event(TYPE);
    const first = await hub.post(e);
    expect(first.status).toBe(201);
    const { data, ...attributes } = e;
    const ce = Object.fromEntries(
      Object.entries(attributes)
        .filter(([n]) => n !== 'datacontenttype')
        .map(([n, v]) => [`ce-${n}`, String(v)]),
    );
    const type = hub.catalogue.newest(TYPE)!;
    const encoded = type.contract.encode(data, type.schemaId);
    if (!encoded.ok) throw new Error('the sample is not valid');
    const bare = Buffer.from(encoded.value.subarray(5));
    const frame = Buffer.from(encoded.value);
    const schema = { 'ce-dataschema': `urn:simpul:schema:${TYPE}:1` };
    const again: [string, Promise<{ status: number; body: Body }>][] = [
      ['structured', hub.post(e)],
      ['application/json', hub.post(e, { type: 'application/json; charset=utf-8' })],
      ['text/json', hub.post(e, { type: 'text/json' })],
      ['another JSON type', hub.post(e, { type: 'application/vnd.uji+json' })],
      ['binary JSON', hub.post(JSON.stringify(data), { type: 'application/json', headers: ce })],
      ['binary Avro frame', hub.post(frame, { type: 'application/avro', headers: ce })],
      ['binary bare Avro', hub.post(bare, { type: 'avro/binary', headers: { ...ce, ...schema } })],
      [
        'structured Avro',
        hub.post({ ...attributes, datacontenttype: 'application/avro', data_base64: frame.toString('base64') }),
      ],
    ];
    for (const [form, answer] of again) {
      const r = await answer;
      expect([form, r.status, r.body]).toEqual([form, 200, { ...first.body, duplicate: true }]);
    }
    for (const [form, body] of [
      [BATCH, JSON.stringify([e])],
      [NDJSON, lines([e])],
    ] as const) {
      const r = await hub.post(body, { type: form });
      expect([form, r.status, r.body]).toEqual([form, 200, { receipts: [{ ...first.body, duplicate: true }] }]);
    }
  });

  it('keeps percent-encoded attributes of the binary form', async () => {
    const { data, ...attributes } = hub.event(TYPE, 'kanim', { korelasi: 'Kasus "é" 100%' });
    const ce = Object.fromEntries(
      Object.entries(attributes)
        .filter(([n]) => n !== 'datacontenttype')
        .map(([n, v]) => [`ce-${n}`, String(v).replace(/[^!#$&-~]/g, encodeURIComponent)]),
    );
    const r = await hub.post(JSON.stringify(data), { type: 'application/json', headers: ce });
    expect(r.status).toBe(201);
    expect((await hub.ask(`/v1/events/${r.body['position']}`)).body['korelasi']).toBe('Kasus "é" 100%');
  });

  it('of a pseudonym type has a pseudonym as subject, and another given subject is refused', async () => {
    const type = 'pas.penghuni.diterima';
    const e = hub.event(type, 'lapas', {});
    const r = await hub.post(e, { key: 'lapas' });
    expect(r.status).toBe(201);
    const { body } = await hub.ask(`/v1/events/${r.body['position']}`, { key: 'lapas' });
    expect(body['subject']).toMatch(/^[a-z2-7]{26}$/);
    const wrong = await hub.post({ ...hub.event(type, 'lapas'), subject: String(e.data['idOrang']) }, { key: 'lapas' });
    expect([wrong.status, wrong.body['code']]).toEqual([422, 'subject_mismatch']);
    expect(wrong.text).not.toContain(body['subject']);
    const right = await hub.post({ ...hub.event(type, 'lapas'), subject: body['subject'] }, { key: 'lapas' });
    expect([right.status, right.body['code'], right.body['errors']]).toEqual([
      422,
      'subject_mismatch',
      wrong.body['errors'],
    ]);
  });
});

describe('duplicates', () => {
  it('join an append in flight', async () => {
    const e = hub.event(TYPE);
    const before = hub.appends.calls;
    const all = await Promise.all(Array.from({ length: 8 }, () => hub.post(e)));
    expect(all.map((r) => r.status).sort()).toEqual([200, 200, 200, 200, 200, 200, 200, 201]);
    expect(new Set(all.map((r) => r.body['position'])).size).toBe(1);
    expect(hub.appends.calls).toBe(before + 1);
  });

  it('are found in the index when another process appended the first', async () => {
    const e = hub.event(TYPE);
    const first = await hub.post(e);
    await settle(first.body['position']);
    const other = await hub.another();
    const again = await other.post(e);
    expect([again.status, again.body]).toEqual([200, { ...first.body, duplicate: true }]);
    const changed = await other.post({ ...e, data: { ...e.data, namaLengkap: 'Orang Lain' } });
    expect([changed.status, changed.body['code']]).toEqual([422, 'idempotency_mismatch']);
    const receipt = await other.ask(`/v1/receipts?${new URLSearchParams({ source: e.source, id: e.id })}`);
    expect(receipt.body).toEqual(first.body);
  });

  it('of other content are refused, in flight and settled, and append nothing', async () => {
    const e = hub.event(TYPE);
    const first = await hub.post(e);
    const other = { ...e, data: { ...e.data, namaLengkap: 'Orang Lain' } };
    const records = await hub.records('imigrasi.paspor');
    const at = await hub.post(other);
    expect([at.status, at.body['code'], at.body['errors'][0].pointer]).toEqual([422, 'idempotency_mismatch', '/id']);
    await settle(first.body['position']);
    expect((await hub.post(other)).status).toBe(422);
    expect(await hub.records('imigrasi.paspor')).toBe(records);
    expect((await hub.post(e)).body).toEqual({ ...first.body, duplicate: true });
  });

  it('with the same id under another source are events of their own', async () => {
    const a = await hub.post(hub.event('layanan.kasus.status-berubah', 'kanim', { id: 'SAMA' }));
    const b = await hub.post(hub.event('layanan.kasus.status-berubah', 'lapas', { id: 'SAMA' }), { key: 'lapas' });
    expect([a.status, b.status]).toEqual([201, 201]);
  });
});

describe('many events', () => {
  it('get receipts in request order, and 200 when all are duplicates', async () => {
    const events = Array.from({ length: 60 }, (_, i) =>
      hub.event(TYPE, 'kanim', {}, { nomorPermohonan: `P-${i % 20}` }),
    );
    const r = await hub.post(events, { type: BATCH });
    expect(r.status).toBe(201);
    expect(r.body['receipts'].map((x: Body) => x['id'])).toEqual(events.map((e) => e.id));
    const bySubject = Map.groupBy(events.keys(), (i) => i % 20);
    for (const places of bySubject.values()) {
      const offsets = places.map((i) => r.body['receipts'][i].offset);
      expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
    }
    const again = await hub.post(lines(events), { type: NDJSON });
    expect(again.status).toBe(200);
    expect(again.body['receipts']).toEqual(r.body['receipts'].map((x: Body) => ({ ...x, duplicate: true })));
    const mixed = await hub.post([...events.slice(0, 2), hub.event(TYPE)], { type: BATCH });
    expect([mixed.status, mixed.body['receipts'].map((x: Body) => x['duplicate'])]).toEqual([201, [true, true, false]]);
  });

  it('are all refused when one is invalid, with its index, and nothing is appended', async () => {
    const events = Array.from({ length: 50 }, () => hub.event(TYPE));
    events[17]!.data['tanggalTerbit'] = 'kemarin';
    const before = await hub.records('imigrasi.paspor');
    const r = await hub.post(events, { type: BATCH });
    expect([r.status, r.body['code'], r.body['detail']]).toEqual([422, 'invalid_items', '1 of 50 events refused']);
    expect(r.body['errors']).toEqual([
      {
        index: 17,
        pointer: '/data/tanggalTerbit',
        reason: expect.any(String),
        expected: expect.any(String),
        code: 'schema_mismatch',
      },
    ]);
    expect(await hub.records('imigrasi.paspor')).toBe(before);
  });

  it('are accepted or refused one by one with partial=true', async () => {
    const events = [
      hub.event(TYPE),
      hub.event(TYPE, 'kanim', { source: 'urn:simpul:unit:SU00300:sdp' }),
      hub.event(TYPE),
    ];
    const body = `${lines(events)}\n{"broken":\n`;
    const r = await hub.post(body, { type: NDJSON, query: '?partial=true' });
    expect(r.status).toBe(207);
    expect(r.body['results'].map((x: Body) => [x['status'], x['problem']?.code])).toEqual([
      [201, undefined],
      [403, 'source_not_yours'],
      [201, undefined],
      [400, 'invalid_json'],
    ]);
    expect(r.body['results'][0].receipt.id).toBe(events[0]!.id);
  });

  it('with the same event twice append it once; other content under its id is refused with its index', async () => {
    const e = hub.event(TYPE);
    const twice = await hub.post([e, hub.event(TYPE), e], { type: BATCH });
    expect([twice.status, twice.body['receipts'].map((x: Body) => x['duplicate'])]).toEqual([
      201,
      [false, false, true],
    ]);
    expect(twice.body['receipts'][2].position).toBe(twice.body['receipts'][0].position);
    const f = hub.event(TYPE);
    const differing = await hub.post([f, { ...f, data: { ...f.data, namaLengkap: 'Lain' } }], { type: BATCH });
    expect(differing.status).toBe(422);
    expect(differing.body['errors']).toEqual([
      { index: 1, pointer: '/id', reason: 'sudah dipakai untuk isi lain', code: 'idempotency_mismatch' },
    ]);
    expect((await hub.post(f)).status).toBe(201);
  });

  it('are checked by a dry run without being written', async () => {
    const before = hub.appends.calls;
    const e = hub.event(TYPE);
    const good = await hub.post(e, { query: '?dryRun=true' });
    expect([good.status, good.body]).toEqual([
      200,
      {
        type: TYPE,
        stream: 'imigrasi.paspor',
        subject: e.data['nomorPermohonan'],
        partition: expect.any(Number),
        problems: [],
      },
    ]);
    const bad = await hub.post([e, { ...e, type: 'tidak.ada.jenis' }], { type: BATCH, query: '?dryRun=true' });
    expect([bad.status, bad.body['results'][1].problems]).toEqual([
      200,
      [{ pointer: '/type', reason: 'tidak ada di katalog', code: 'unknown_type' }],
    ]);
    expect(hub.appends.calls).toBe(before);
  });

  it('of a long list are checked by a dry run in their order, and an empty list is refused as it is when it is published', async () => {
    const events = Array.from({ length: 150 }, (_, n) =>
      n % 50 === 49 ? { ...hub.event(TYPE), type: `tidak.ada.jenis-${n}` } : hub.event(TYPE),
    );
    const { status, body } = await hub.post(events, { type: BATCH, query: '?dryRun=true' });
    expect([status, body['results'].length]).toEqual([200, 150]);
    const shown = body['results'].map((r: Body) => r['subject'] ?? r['problems'][0].code);
    expect(shown).toEqual(events.map((e, n) => (n % 50 === 49 ? 'unknown_type' : e.data['nomorPermohonan'])));
    for (const query of ['', '?dryRun=true'])
      expect(await hub.post([], { type: BATCH, query })).toMatchObject({ body: { code: 'empty_batch' } });
  });
});

describe('rights', () => {
  it('refuse a source, a type or a role that the key does not have', async () => {
    const cases: [Record<string, unknown>, string, number, string][] = [
      [hub.event(TYPE, 'kanim', { source: 'urn:simpul:unit:SU00300:sdp' }), 'kanim', 403, 'source_not_yours'],
      [hub.event(TYPE, 'kanim', { source: 'urn:simpul:unit:SU00123:lain' }), 'kanim', 403, 'source_not_yours'],
      [hub.event(TYPE, 'kanim', { source: 'urn:simpul:hub:clock' }), 'kanim', 403, 'source_not_yours'],
      [hub.event(TYPE, 'kanim', { source: 'urn:simpul:unit:SU00300:sdp' }), 'lapas', 403, 'type_not_yours'],
      [hub.event(TYPE), 'mute', 403, 'type_not_yours'],
    ];
    for (const [e, key, status, code] of cases) {
      const r = await hub.post(e, { key });
      expect([r.status, r.body['code']]).toEqual([status, code]);
    }
  });

  it.each([
    ['JSON', false],
    ['Avro', true],
  ])(
    'facts of another unit are refused as %s with a pointer to the field, alone, in a list and in a dry run; nothing is written',
    async (_form, avro) => {
      const before = hub.appends.calls;
      const other = hub.event(TYPE, 'kanim', {}, { unitPenerbit: 'SU00124' });
      const encoded = hub.catalogue.newest(TYPE)!.contract.encode(other.data, hub.catalogue.newest(TYPE)!.schemaId);
      if (!encoded.ok) throw new Error('the sample does not fit its contract');
      const { data, ...rest } = other;
      const event = avro
        ? { ...rest, datacontenttype: 'application/avro', data_base64: encoded.value.toString('base64') }
        : { ...rest, data };
      const expected = { pointer: '/data/unitPenerbit', expected: 'SU00123' };
      const one = await hub.post(event);
      expect([one.status, one.body['code'], one.body['errors']]).toEqual([
        403,
        'unit_not_yours',
        [expect.objectContaining(expected)],
      ]);
      const list = await hub.post([event, event], { type: BATCH });
      expect([list.status, list.body['errors']]).toEqual([
        422,
        [0, 1].map((index) => expect.objectContaining({ index, code: 'unit_not_yours', ...expected })),
      ]);
      const partial = await hub.post([event], { type: BATCH, query: '?partial=true' });
      expect(partial.body['results'][0]).toMatchObject({ status: 403, problem: { code: 'unit_not_yours' } });
      const trial = await hub.post(event, { query: '?dryRun=true' });
      expect(trial.body['problems']).toEqual([expect.objectContaining({ code: 'unit_not_yours', ...expected })]);
      expect(hub.appends.calls).toBe(before);
    },
  );

  it('a unit that does not exist, and a negative number, are refused with a pointer; nothing is written', async () => {
    const before = hub.appends.calls;
    const CASE = 'layanan.kasus.status-berubah';
    for (const [data, code, pointer] of [
      [{ unitPemegang: 'SU99999', unitSebelumnya: 'SU00123' }, 'unknown_unit', '/data/unitPemegang'],
      [
        { unitPemegang: 'SU00123', unitSebelumnya: null, sisaJamKerja: -1e9 },
        'value_out_of_bounds',
        '/data/sisaJamKerja',
      ],
    ] as const) {
      const r = await hub.post(hub.event(CASE, 'kanim', {}, data));
      expect([r.status, r.body['code'], r.body['errors']]).toEqual([422, code, [expect.objectContaining({ pointer })]]);
    }
    expect(hub.appends.calls).toBe(before);
    const known = hub.event(CASE, 'kanim', {}, { unitPemegang: 'SU00124', unitSebelumnya: 'SU00123' });
    expect((await hub.post(known)).status).toBe(201);
  });

  it('show receipts to the owner, to units above and to operators; others get 404', async () => {
    const e = hub.event(TYPE);
    const { body } = await hub.post(e);
    await settle(body['position']);
    const path = `/v1/receipts?${new URLSearchParams({ source: e.source, id: e.id })}`;
    for (const key of ['kanim', 'operator', 'steward']) {
      const r = await hub.ask(path, { key });
      expect([key, r.status, r.body['position'], r.body['duplicate']]).toEqual([key, 200, body['position'], false]);
    }
    const hidden = await hub.ask(path, { key: 'stranger' });
    const none = await hub.ask(`/v1/receipts?${new URLSearchParams({ source: e.source, id: 'tidak-ada' })}`, {
      key: 'stranger',
    });
    expect([hidden.status, none.status]).toEqual([404, 404]);
    expect({ ...hidden.body, instance: '' }).toEqual({ ...none.body, instance: '' });
  });
});

describe('refusals', () => {
  it('keep no name that a publisher invented (it may name a person), not in the pointer, not in the topic, and not in records of older hubs', async () => {
    const e = hub.event(TYPE);
    const name = 'Budi Santoso, Jl. Melati';
    await hub.post({ ...e, data: { ...e.data, [name]: 'x' } });
    await hub.post({ ...e, data: { ...e.data, nomorPermohonan: { budi: 1 } } });
    await hub.post({ ...e, [name]: 'x' });
    await hub.post({ ...e, budisantosojalanmelatisatu: 'x' });
    const headers = { 'ce-specversion': '1.0', 'ce-id': 'x', 'ce-source': e.source, 'ce-type': TYPE };
    await hub.post(e.data, { type: 'application/json', headers: { ...headers, 'ce-budisantosojalanmelati': 'x' } });
    const old = { unit: 'SU00123', type: TYPE, code: 'schema_mismatch', pointer: `/data/${name}`, count: 1 };
    const value = Buffer.from(JSON.stringify({ minute: Math.floor(Date.now() / 60_000) * 60_000, counts: [old] }));
    await hub.log.append(REFUSALS_TOPIC, 0, [{ key: null, value, headers: [] }]);
    const r = await hub.ask('/v1/refusals?unit=SU00123', { key: 'operator' });
    const pointers = (r.body['refusals'] as Body[]).map((x) => x['pointer'] as string);
    expect(pointers).toEqual(expect.arrayContaining(['/data/*', '/data/nomorPermohonan', '/*', 'ce-*']));
    expect(r.text).not.toMatch(/budi|melati/i);
    await hub.refusals.flush();
    const kept = await hub.log.read(REFUSALS_TOPIC, 0, 0n);
    if (kept.kind !== 'records') throw new Error(kept.kind);
    const written = kept.records.filter((x) => !x.value!.equals(value)).map((x) => x.value!.toString());
    expect(written.join('')).not.toMatch(/budi|melati/i);
  });

  it('are all kept when one flush needs several appends, and each is counted once when the log refuses one of them', async () => {
    let now = 1_626_300_000_000;
    let appends = 0;
    const log: TableLog = {
      ensureTopic: (...a) => hub.log.ensureTopic(...a),
      read: (...a) => hub.log.read(...a),
      describe: (...a) => hub.log.describe(...a),
      append: (...a) =>
        ++appends === 2 ? Promise.resolve({ kind: 'refused', code: 'log_unavailable' }) : hub.log.append(...a),
    };
    const flushEveryMs = 3_600_000;
    const many = await openRefusals({ log, now: () => now, catalogue: hub.catalogue, flushEveryMs });
    for (let i = 0; i < 600; i++, now += 60_000) many.count('SU99001', '', 'invalid_json', '');
    for (let unit = 0; unit < 60; unit++)
      for (let kind = 0; kind < 200; kind++) many.count(`SU98${unit}`, TYPE, `code_${kind}`, '/data/nomorPermohonan');
    const before = [...(await many.list({}))].flat();
    const counted = before.filter((r) => /^SU9[89]/.test(r.unit));
    // Of 200 kinds of a unit in an hour 20 are kept, then 10 codes without their pointers, then one sum.
    expect(counted).toHaveLength(600 + 60 * 31);
    expect(counted.reduce((sum, r) => sum + r.count, 0)).toBe(12_600);
    await many.flush();
    await many.flush();
    await many.close();
    const other = await openRefusals({ log: hub.log, now: () => now, catalogue: hub.catalogue, flushEveryMs });
    expect([...(await other.list({}))].flat()).toEqual(before);
    await other.close();
    expect(appends).toBeGreaterThan(3);
  });

  it('are counted by unit, type, code and pointer, never data, and survive a restart', async () => {
    const e = hub.event(TYPE, 'lapas', { type: 'pas.penghuni.diterima', source: 'urn:simpul:unit:SU00300:sdp' });
    for (let i = 0; i < 3; i++)
      await hub.post({ ...e, id: `R-${i}`, data: { '9901010101010001': 'x' } }, { key: 'lapas' });
    await hub.post('{', { key: 'lapas' });
    const r = await hub.ask('/v1/refusals?unit=SU00300', { key: 'operator' });
    for (const query of ['unit=nonsense', 'code=nonsense', 'type=non.sen.se'])
      expect((await hub.ask(`/v1/refusals?${query}`, { key: 'operator' })).body['code']).toBe('invalid_query');
    expect(r.status).toBe(200);
    const rows = r.body['refusals'] as Body[];
    expect(rows.find((x) => x['type'] === 'pas.penghuni.diterima')).toMatchObject({
      unit: 'SU00300',
      code: 'schema_mismatch',
      count: 3,
    });
    expect(rows.find((x) => x['code'] === 'invalid_json')).toMatchObject({ type: '', pointer: '', count: 1 });
    expect(r.text).not.toContain('9901');
    await hub.refusals.flush();
    expect((await hub.ask('/v1/refusals?unit=SU00300', { key: 'operator' })).body).toEqual(r.body);
    const restarted = await openRefusals({ log: hub.log, now: Date.now, catalogue: hub.catalogue });
    expect([...(await restarted.list({ unit: 'SU00300' }))].flat()).toEqual(rows);
    await restarted.close();
    expect((await hub.ask('/v1/refusals?unit=SU00300', { key: 'lapas' })).body).toEqual(r.body);
    expect((await hub.ask('/v1/refusals?unit=SU00300', { key: 'stranger' })).body['refusals']).toEqual([]);
  });

  it('are no empty list for a type that is neither registered nor that of a refused event; those of unknown types are counted without one', async () => {
    const e = hub.event(TYPE, 'lapas', { type: 'pas.penghuni.hilang', source: 'urn:simpul:unit:SU00300:sdp' });
    await hub.post(e, { key: 'lapas' });
    const ask = async (type: string, key = 'operator') => {
      const { status, body } = await hub.ask(`/v1/refusals?type=${type}`, { key });
      return status === 200 ? (body['refusals'] as Body[]).map((r) => r['code']) : body['errors'][0].pointer;
    };
    expect(await ask('pas.penghuni.hilang')).toBe('?type');
    expect(await ask('')).toContain('unknown_type');
    expect(await ask('pas.penghuni.diterima', 'stranger')).toEqual([]);
  });
});
