import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CloudEvent, HTTP, Kafka, type KafkaMessage, type Message } from 'cloudevents';
import { FRAME_BYTES, parsePosition, type Header } from '#event';
import { HubStage, type Body, type Reply } from '../kit/doors/hub-stage.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
const STREAM = 'imigrasi.paspor';
let hub: HubStage;
beforeAll(async () => {
  hub = await new HubStage().open();
});
afterAll(() => hub.close());

/** An event of the CloudEvents SDK with the attributes that a unit system sets. The SDK validates it against the CloudEvents 1.0 schema. */
const made = (): CloudEvent<Record<string, unknown>> => {
  const { id, source, time, data } = hub.event(TYPE);
  return new CloudEvent({ id, source, type: TYPE, time: String(time), data, korelasi: 'K-1' });
};

function post(message: Message, query = ''): Promise<Reply> {
  const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)]));
  return hub.post(message.body as string | Buffer, { type: headers['content-type']!, headers, query });
}

async function recordAt(position: string): Promise<{ headers: readonly Header[]; key: Buffer; value: Buffer }> {
  const { stream, partition, offset } = parsePosition(position)!;
  const read = await hub.log.read(stream, partition, offset, { maxRecords: 1 });
  if (read.kind !== 'records') throw new Error(read.kind);
  const { headers, key, value } = read.records[0]!;
  return { headers, key: key!, value: value! };
}

describe('an event that the CloudEvents SDK serialises', () => {
  it('is accepted in structured mode, and the same event in binary mode is a duplicate', async () => {
    const e = made();
    const first = await post(HTTP.structured(e));
    expect([first.status, first.body['id']]).toEqual([201, e.id]);
    const again = await post(HTTP.binary(e));
    expect([again.status, again.body]).toEqual([200, { ...first.body, duplicate: true }]);
  });

  it('is a duplicate when its data is sent as Avro (data_base64)', async () => {
    const e = made();
    const first = await post(HTTP.structured(e));
    const type = hub.catalogue.newest(TYPE)!;
    const encoded = type.contract.encode(e.data, type.schemaId);
    if (!encoded.ok) throw new Error('the sample is not valid');
    const avro = e.cloneWith({
      data: undefined,
      datacontenttype: 'application/avro',
      data_base64: Buffer.from(encoded.value).toString('base64'),
    });
    const again = await post(HTTP.structured(avro));
    expect([again.status, again.body]).toEqual([200, { ...first.body, duplicate: true }]);
  });
});

describe('what other writers of CloudEvents send', () => {
  const raw = (headers: Record<string, string>, type = 'application/json') => {
    const e = hub.event(TYPE);
    const attributes = {
      'ce-specversion': '1.0',
      'ce-id': String(e.id),
      'ce-source': String(e.source),
      'ce-type': TYPE,
    };
    return hub.post(JSON.stringify(e.data), { type, headers: { ...attributes, ...headers } });
  };
  const korelasi = async (position: unknown) => (await hub.ask(`/v1/events/${String(position)}`)).body['korelasi'];

  it.each([
    ['a quoted string', '"K 1"', 'K 1'],
    ['escapes in a quoted string', '"say \\"K\\" \\\\"', 'say "K" \\'],
    ['percent codes in a quoted string, decoded once', '"a%20b%2520c"', 'a b%20c'],
    ['percent codes', 'Euro%20%E2%82%AC%20%F0%9F%98%80', 'Euro € 😀'],
    ['a quote inside', 'K"1', 'K"1'],
    ['a comment, which is no comment', 'K (1)', 'K (1)'],
  ])(
    '%s in a header is the attribute that it stands for (CloudEvents HTTP binding 3.1.3.2)',
    async (_what, header, text) => {
      const r = await raw({ 'ce-korelasi': header });
      expect(r.status).toBe(201);
      expect(await korelasi(r.body['position'])).toBe(text);
    },
  );

  it.each(['"K', '"K"1"', '"K\\"'])('the broken quoted string %p is refused', async (header) => {
    const r = await raw({ 'ce-korelasi': header });
    expect([r.status, r.body['code']]).toEqual([400, 'invalid_utf8']);
  });

  it.each(['text/json', 'application/vnd.simkim.v2+json', 'text/x+json; charset=utf-8'])(
    'data of the type %s is JSON, in binary and in structured mode',
    async (type) => {
      expect((await raw({}, type)).status).toBe(201);
      const e = { ...hub.event(TYPE), datacontenttype: type };
      expect((await hub.post(JSON.stringify(e), { type: 'application/cloudevents+json' })).status).toBe(201);
    },
  );

  it.each([-2147483648, 2147483647])('the integer %d of an extension is kept', async (angka) => {
    const e = { ...hub.event(TYPE), angka };
    const r = await hub.post(JSON.stringify(e), { type: 'application/cloudevents+json' });
    expect(r.status).toBe(201);
    expect((await hub.ask(`/v1/events/${String(r.body['position'])}`)).body['angka']).toBe(String(angka));
    const over = { ...hub.event(TYPE), angka: angka + Math.sign(angka) };
    expect((await hub.post(JSON.stringify(over), { type: 'application/cloudevents+json' })).status).toBe(422);
  });
});

describe('an event that the hub returns', () => {
  it('is a valid CloudEvent for the SDK: as one event, in a page, and with Avro data', async () => {
    const e = made();
    const { body: receipt } = await post(HTTP.structured(e));
    const parse = (body: string, type = 'application/cloudevents+json'): CloudEvent<Body>[] =>
      [HTTP.toEvent({ headers: { 'content-type': type }, body }) as CloudEvent<Body> | CloudEvent<Body>[]].flat();
    const one = await hub.ask(`/v1/events/${receipt['position']}`);
    const expected = {
      id: e.id,
      source: e.source,
      type: TYPE,
      specversion: '1.0',
      unitasal: 'SU00123',
      korelasi: 'K-1',
    };
    const [event] = parse(one.text);
    expect(event!.validate()).toBe(true);
    expect(event).toMatchObject({ ...expected, subject: e.data!['nomorPermohonan'], position: receipt['position'] });
    expect(event!.data).toMatchObject({ nomorPermohonan: e.data!['nomorPermohonan'] });

    const page = await hub.ask(`/v1/streams/${STREAM}/events?from=earliest`);
    const events = parse(JSON.stringify(page.body['events']), 'application/cloudevents-batch+json');
    expect(events.length).toBeGreaterThan(0);
    expect(events.map((x) => x.validate())).toEqual(events.map(() => true));
    expect(events.map((x) => x.id)).toContain(e.id);

    const avro = await hub.ask(`/v1/events/${receipt['position']}?encoding=avro`, { key: 'steward' });
    const [framed] = parse(avro.text);
    const data = Buffer.from(framed!.data_base64!, 'base64');
    expect(hub.catalogue.newest(TYPE)!.contract.decode(data, { framed: true })).toMatchObject({
      nomorPermohonan: e.data!['nomorPermohonan'],
    });
  });

  it('is a binary mode event for the SDK in the headers of its Kafka record, with every attribute that readers get', async () => {
    const e = made();
    const { body: receipt } = await post(HTTP.structured(e));
    const { headers, key, value } = await recordAt(receipt['position'] as string);
    const texts = Object.fromEntries(headers.map(([name, bytes]) => [name, bytes?.toString()]));
    const message: KafkaMessage = { headers: texts, key: key.toString(), value, body: value, timestamp: '0' };
    const event = Kafka.toEvent(message);
    if (Array.isArray(event)) throw new Error('one record is one event');
    expect((event as CloudEvent<Buffer>).validate()).toBe(true);
    const shown = (await hub.ask(`/v1/events/${receipt['position']}`)).body;
    expect(event).toMatchObject({
      ...Object.fromEntries(
        [
          'id',
          'source',
          'type',
          'specversion',
          'subject',
          'dataschema',
          'unitasal',
          'unitkode',
          'kelasdata',
          'korelasi',
        ].map((name) => [name, shown[name] as unknown]),
      ),
      datacontenttype: 'avro/binary',
    });
    expect(Date.parse((event as CloudEvent<Buffer>).time!)).toBe(Date.parse(shown['time'] as string));
    const avro = (event as CloudEvent<Buffer>).data!;
    expect(Buffer.from(avro).subarray(FRAME_BYTES)).toEqual(value.subarray(FRAME_BYTES));
  });
});
