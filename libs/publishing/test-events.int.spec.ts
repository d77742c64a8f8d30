import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TEST_EVENTS, type EventLog } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import { openKafkaLog } from '#log-kafka';
import { caller, HubStage, type Body, type Reply } from '../../test/kit/doors/hub-stage.js';
import { noKafka, testKafka } from '../../test/kit/kafka.js';
import { until } from '../../test/kit/projection/stage.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
const STREAM = 'imigrasi.paspor';
const PSEUDONYMOUS = 'imigrasi.izin-tinggal.berubah';
const BATCH = 'application/cloudevents-batch+json';
const NDJSON = 'application/x-ndjson';
const TESTS = `/v1/streams/${TEST_EVENTS.name}`;

const reason = await noKafka();
const engines = [
  {
    engine: 'embedded',
    open: (hub: HubStage) =>
      Promise.resolve({
        openLog: (): Promise<EventLog> => openEmbeddedLog({ dir: hub.dir }),
        stop: () => Promise.resolve(),
      }),
  },
  {
    engine: 'Kafka',
    open: async () => {
      const { brokers, prefix, stop } = await testKafka();
      return { openLog: () => openKafkaLog({ brokers, prefix, clientId: 'test-events' }), stop };
    },
  },
];

describe.each(reason === undefined ? engines : engines.slice(0, 1))(
  'a test event on the $engine engine',
  ({ open }) => {
    let hub: HubStage;
    let stop: () => Promise<void>;
    beforeAll(async () => {
      hub = new HubStage();
      const log = await open(hub);
      stop = log.stop;
      await hub.open({ openLog: log.openLog });
    });
    afterAll(async () => {
      await hub.close();
      await stop();
    });

    let made = 0;
    const event = (more: Body = {}, data: Body = {}): Body =>
      hub.event(TYPE, 'kanim', more, { nomorPermohonan: `T-${++made}`, ...data });
    const test = (data: Body = {}): Body => event({ simpultest: true }, data);
    const counts = async (): Promise<unknown> => [await hub.records(STREAM), await hub.records(TEST_EVENTS.name)];
    const shown = async (r: Reply): Promise<Body> => (await hub.ask(`/v1/events/${r.body['position']}`)).body;

    it('gets a receipt that says so, is read at that position in _simpul.test with its mark, and is in no stream', async () => {
      const [inStream, inTests] = (await counts()) as [number, number];
      const e = test();
      const r = await hub.post(e);
      expect([r.status, r.body['test'], r.body['duplicate']]).toEqual([201, true, false]);
      expect(r.body['position']).toBe(`_simpul.test/0/${r.body['offset']}`);
      expect(await shown(r)).toMatchObject({
        id: e['id'],
        type: TYPE,
        simpultest: 'true',
        unitasal: 'SU00123',
        digest: r.body['digest'],
        data: { nomorPermohonan: e['data'].nomorPermohonan },
      });
      expect(await counts()).toEqual([inStream, inTests + 1]);
      const page = await hub.ask(`/v1/streams/${STREAM}/events?limit=1000`);
      expect(page.text).not.toContain(e['id']);
    });

    it('in every form, alone or among real ones, goes to _simpul.test in the order given, and the real ones to their stream', async () => {
      const type = hub.catalogue.newest(TYPE)!;
      const binary = (e: Body): Record<string, string> =>
        Object.fromEntries(
          Object.entries(e)
            .filter(([n]) => n !== 'datacontenttype' && n !== 'data')
            .map(([n, v]) => [`Ce-${n}`, String(v)]),
        );
      const frame = (e: Body): Buffer<ArrayBuffer> => {
        const encoded = type.contract.encode(e['data'], type.schemaId);
        if (!encoded.ok) throw new Error('the sample is not valid');
        return Buffer.from(encoded.value);
      };
      const [a, b, c, d] = [test(), test(), test(), test()];
      const { data: _data, ...attributes } = d!;
      const schema = { 'ce-dataschema': `urn:simpul:schema:${TYPE}:1` };
      const answers = [
        await hub.post(JSON.stringify(a!['data']), { type: 'application/json', headers: binary(a!) }),
        await hub.post(frame(b!), { type: 'application/avro', headers: binary(b!) }),
        await hub.post(frame(c!).subarray(5), { type: 'avro/binary', headers: { ...binary(c!), ...schema } }),
        await hub.post({
          ...attributes,
          datacontenttype: 'application/avro',
          data_base64: frame(d!).toString('base64'),
        }),
      ];
      for (const r of answers)
        expect([r.status, r.body['test'], r.body['stream']]).toEqual([201, true, '_simpul.test']);
      for (const [form, textOf] of [
        [BATCH, (list: Body[]) => JSON.stringify(list)],
        [NDJSON, (list: Body[]) => list.map((e) => JSON.stringify(e)).join('\n')],
      ] as const) {
        const [inStream, inTests] = (await counts()) as [number, number];
        const [real, twin, alone] = [event(), test(), test()];
        twin['data'] = real['data'];
        const { status, body } = await hub.post(textOf([twin, real, alone]), { type: form });
        const receipts = body['receipts'] as Body[];
        expect([status, receipts.map(({ stream, test: isTest }) => [stream, isTest])]).toEqual([
          201,
          [
            ['_simpul.test', true],
            [STREAM, undefined],
            ['_simpul.test', true],
          ],
        ]);
        expect(receipts[0]!['offset']).toBeLessThan(receipts[2]!['offset'] as number);
        expect(await counts()).toEqual([inStream + 1, inTests + 2]);
      }
    });

    it('is refused with the words that a real one gets, and nothing of it is counted', async () => {
      const bad: [string, Body, string?][] = [
        ['a wrong field', { data: { ...event()['data'], jenis: 7 } }],
        ['a source of another unit', { source: 'urn:simpul:unit:SU00300:simkim' }],
        ['another subject', { subject: 'X' }],
        ['an unknown type', { type: 'imigrasi.paspor.tidak-ada' }],
        ['a member of the hub', { position: `${STREAM}/0/1` }],
        ['a key that may not publish the type', {}, 'lapas'],
        ['a key without the role', {}, 'mute'],
        ['an unknown unit', { data: { ...event()['data'], unitPenerbit: 'SU99999' } }],
      ];
      for (const [what, more, key = 'kanim'] of bad) {
        const before = hub.meter.length;
        const tested = await hub.post({ ...event(), ...more, simpultest: true }, { key });
        // The door refuses a key without the role before the body is read.
        if (key !== 'mute') expect([what, hub.meter.length]).toEqual([what, before]);
        const real = await hub.post({ ...event(), ...more }, { key });
        const problem = ({ status, body }: Reply): unknown => [what, status, body['code'], body['errors']];
        expect(problem(tested)).toEqual(problem(real));
        expect(real.status).toBeGreaterThanOrEqual(400);
      }
      const before = await counts();
      const mixed = await hub.post(JSON.stringify([test(), event({ source: 'x' })]), { type: BATCH });
      expect([mixed.status, await counts()]).toEqual([422, before]);
    });

    it('has one mark: any other value of it is refused, so that no test becomes a fact by a slip', async () => {
      const before = await counts();
      for (const mark of [false, 'false', 1, '1', 'TRUE', ' true', 'yes', 'true, true'])
        for (const query of ['', '?dryRun=true']) {
          const { status, body } = await hub.post(event({ simpultest: mark }), { query });
          const errors = query === '' ? body['errors'] : body['problems'];
          expect([mark, query, status, errors[0].pointer, errors[0].code]).toEqual([
            mark,
            query,
            query === '' ? 422 : 200,
            '/simpultest',
            'invalid_attribute',
          ]);
        }
      for (const name of ['SimpulTest', 'simpul-test', 'ce-simpultest']) {
        const { status } = await hub.post(event({ [name]: true }));
        expect([name, status]).toEqual([name, 422]);
      }
      expect(await counts()).toEqual(before);
    });

    it('has no duplicates: sent twice it is two, and the same id as a fact is new before and after it', async () => {
      const e = event();
      const t: Body = { ...e, simpultest: true };
      const first = await hub.post(t);
      const second = await hub.post(t);
      expect([first.status, second.status, second.body['offset'] - first.body['offset']]).toEqual([201, 201, 1]);
      const real = await hub.post(e);
      expect([real.status, real.body['stream'], real.body['duplicate']]).toEqual([201, STREAM, false]);
      const other = { ...t, data: { ...t['data'], nomorPermohonan: 'LAIN' } };
      expect((await hub.post(other)).status).toBe(201);
      expect((await hub.post(e)).body).toEqual({ ...real.body, duplicate: true });
      const twice = await hub.post(JSON.stringify([t, e, t]), { type: BATCH });
      expect([twice.status, twice.body['receipts'].map((r: Body) => [r['test'], r['duplicate']])]).toEqual([
        201,
        [
          [true, false],
          [undefined, true],
          [true, false],
        ],
      ]);
      const query = new URLSearchParams({ source: e['source'], id: e['id'] });
      await until(async () => (await hub.ask(`/v1/receipts?${query}`)).status === 200);
      expect((await hub.ask(`/v1/receipts?${query}`)).body['position']).toBe(real.body['position']);
      const alone = test();
      await hub.post(alone);
      const none = new URLSearchParams({ source: alone['source'], id: alone['id'] });
      expect((await hub.ask(`/v1/receipts?${none}`)).status).toBe(404);
    });

    it('whose outcome is uncertain is 503, and the fact with its id is not taken for a repeat', async () => {
      const e = event();
      hub.appends.loseAnswers = true;
      expect((await hub.post({ ...e, simpultest: true })).status).toBe(503);
      hub.appends.loseAnswers = false;
      expect((await hub.post(e)).status).toBe(201);
    });

    it('that is read and sent again is a test again, with its mark also where it is seen masked', async () => {
      const r = await hub.post(test());
      const inStream = await hub.records(STREAM);
      const { position: _p, recordedtime: _r, digest: _d, ...again } = await shown(r);
      expect((await hub.post(again)).body).toMatchObject({ stream: '_simpul.test', test: true });
      expect(await hub.records(STREAM)).toBe(inStream);
      const masked = await hub.ask(`/v1/events/${r.body['position']}`, { key: 'operator' });
      expect([masked.body['simpultest'], masked.body['digest']]).toEqual(['true', undefined]);
      expect((await hub.ask(`/v1/events/${r.body['position']}`, { key: 'stranger' })).status).toBe(404);
    });

    it('is shown by a dry run for what it is', async () => {
      const before = await counts();
      const { body } = await hub.post(test(), { query: '?dryRun=true' });
      expect(body).toMatchObject({ type: TYPE, stream: '_simpul.test', test: true, problems: [] });
      expect(await counts()).toEqual(before);
    });

    it('has a pseudonym of its own: it tells nothing of the subjects of real events', async () => {
      const e = hub.event(PSEUDONYMOUS, 'kanim');
      const real = await hub.post(e);
      const tested = await hub.post({ ...e, simpultest: true });
      expect([real.status, tested.status]).toEqual([201, 201]);
      let subject: unknown;
      await until(async () => (subject = (await shown(real))['subject']) !== undefined);
      const other = (await shown(tested))['subject'];
      expect([typeof subject, typeof other]).toEqual(['string', 'string']);
      expect(other).not.toBe(subject);
      expect((await shown(await hub.post({ ...e, id: 'lagi', simpultest: true })))['subject']).toBe(other);
    });

    it('has another pseudonym for each unit and stream: nobody learns who is in the test of somebody else by tests of its own', async () => {
      const person = '9971000000004242';
      hub.keys.set('lapas2', caller('lapas2', 'SU00301', 'sdp', 'publisher', 'reader'));
      const subjectOf = async (type: string, key: string): Promise<unknown> => {
        const e = hub.event(type, key, { simpultest: true }, { idOrang: person });
        const r = await hub.post(e, { key });
        expect(r.status).toBe(201);
        return (await hub.ask(`/v1/events/${r.body['position']}`, { key })).body['subject'];
      };
      const first = await subjectOf('pas.penghuni.bebas', 'lapas');
      const others = [
        await subjectOf('pas.penghuni.bebas', 'lapas2'),
        await subjectOf('pas.remisi.diusulkan', 'lapas'),
      ];
      expect([typeof first, new Set([first, ...others]).size]).toEqual(['string', 3]);
      expect(await subjectOf('pas.penghuni.bebas', 'lapas')).toBe(first);
    });

    it('is on pages and live with the filter on types; its list of types holds those that the key may read', async () => {
      const { body } = await hub.ask(TESTS);
      expect(body).toMatchObject({ name: '_simpul.test', partitions: 1 });
      expect(body['types']).toContain(TYPE);
      expect(body['types']).not.toContain('itjen.wbs.laporan-diterima');
      expect((await hub.ask('/v1/streams')).text).not.toContain('_simpul.test');
      const r = await hub.post(test());
      const page = await hub.ask(`${TESTS}/events?type=${TYPE}&from=${r.body['position']}`);
      expect(page.body['events']).toMatchObject([{ position: r.body['position'] }]);
      expect((await hub.ask(`${TESTS}/events?type=${PSEUDONYMOUS}&from=${r.body['position']}`)).body['events']).toEqual(
        [],
      );
      expect((await hub.ask(`${TESTS}/events?type=tidak.ada.apa`)).status).toBe(400);
      expect((await hub.ask(`${TESTS}/events?subject=T-1`)).body['code']).toBe('clear_subject_refused');
      const waiting = hub.ask(`${TESTS}/events?cursor=${page.body['next']}&wait=5`);
      const later = await hub.post(test());
      expect((await waiting).body['events']).toMatchObject([{ position: later.body['position'] }]);
      const stop = new AbortController();
      const live = await fetch(`${hub.server.url}${TESTS}/live?from=${later.body['position']}`, {
        headers: { authorization: 'Bearer kanim' },
        signal: stop.signal,
      });
      const last = await hub.post(test());
      let text = '';
      for await (const chunk of live.body!) {
        text += Buffer.from(chunk as Uint8Array).toString();
        if (text.includes(last.body['position'])) break;
      }
      stop.abort();
      expect(text).toContain(later.body['position']);
    });
  },
);
