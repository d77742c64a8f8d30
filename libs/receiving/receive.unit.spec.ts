import { describe, expect, it } from '@jest/globals';
import { CloudEvent, HTTP } from 'cloudevents';
import { PasporDiterbitkan } from '#event-types';
import { eventText } from '#reading';
import { defineEvent, type EventToken } from '#sdk';
import { newSeed, publicKeyOf, signatureOf } from '#standard-webhooks';
import { receiveWebhook, type Received } from './index.js';
import {
  KEY,
  made,
  OTHER_SECRET,
  readEvent,
  SECRET,
  signed,
  signedByOthers,
  SUBSCRIPTION,
  type Made,
} from './requests.fixture.js';

const NOW_S = Math.floor(Date.now() / 1_000);
const receive = (request: Made, more: object = {}): Promise<Received> =>
  receiveWebhook(request, { secrets: SECRET, tokens: [PasporDiterbitkan], ...more });
const eventsOf = (received: Received) => (received.ok ? received.events : []);
const reasonOf = (received: Received) => (received.ok ? 'ok' : `${received.status} ${received.reason}`);

const event = readEvent({ id: 'P "1" – 50%', unitkode: 'KNM 1', extensions: { urutanunit: '7', korelasi: 'Pañji' } });
const masked = readEvent({}, 'masked');
const shown = JSON.parse(eventText(event, 'json')) as Record<string, unknown>;

describe('a webhook of the hub', () => {
  it.each(['structured', 'batch'] as const)(
    'in the form %s gives the event as the read door shows it',
    async (mode) => {
      for (const data of ['json', 'avro'] as const) {
        const request = made(mode, [event], { data, id: 'msg_x', try: 3 });
        const { datacontenttype: _, ...attributes } = shown;
        expect(eventsOf(await receive(request))).toEqual([
          {
            event: expect.objectContaining(attributes),
            ...{ position: event.position, try: 3, webhookId: 'msg_x', subscription: SUBSCRIPTION },
          },
        ]);
      }
    },
  );

  it('in the form binary gives the same attributes and data, JSON and Avro', async () => {
    for (const data of ['json', 'avro'] as const) {
      const [{ event: received } = { event: undefined }] = eventsOf(await receive(made('binary', [event], { data })));
      const type = data === 'json' ? 'application/json' : 'application/avro';
      expect(received).toEqual({ ...shown, datacontenttype: type });
    }
  });

  it('that carries a batch gives its events in their order, masked ones as they are', async () => {
    const received = eventsOf(await receive(made('batch', [event, masked, readEvent()], { data: 'avro' })));
    expect(received.map(({ position }) => position)).toHaveLength(3);
    expect(received[0]!.event.data).toEqual(event.data);
    expect(received[1]!.event.data).toEqual(masked.data);
    expect(received[1]!.event.digest).toBeUndefined();
  });

  it('that npm standardwebhooks has signed is taken, and what npm cloudevents writes is read', async () => {
    const { specversion: _, data, ...rest } = shown;
    const foreign = new CloudEvent({ ...rest, data } as never);
    const structured = HTTP.structured(foreign);
    const headers = { 'webhook-id': 'msg_1', ...(structured.headers as Record<string, string>) };
    const [first] = eventsOf(await receive(signedByOthers(headers, structured.body as string)));
    expect(first!.event).toMatchObject({ id: event.envelope.id, data: event.data, korelasi: 'Pañji' });
    const binary = HTTP.binary(foreign);
    const inHeaders = { 'webhook-id': 'msg_1', ...(binary.headers as Record<string, string>) };
    const plain = Object.fromEntries(
      Object.entries(inHeaders).map(([name, value]) => [name, encodeURI(String(value))]),
    );
    const [second] = eventsOf(await receive(signedByOthers(plain, binary.body as string)));
    expect(second!.event).toMatchObject({ id: event.envelope.id, data: event.data });
  });

  it('that is signed with v1a is taken with the public key of its subscription, and with no other', async () => {
    const [seed, other] = [newSeed(), newSeed()];
    const { headers, body } = made('structured');
    const at = Number(headers['webhook-timestamp']);
    const signature = signatureOf([{ kind: 'v1a', seed }], headers['webhook-id']!, at, body);
    const request = { headers: { ...headers, 'webhook-signature': signature }, body };
    const ok = async (...secrets: string[]) => (await receive(request, { secrets })).ok;
    expect([
      await ok(publicKeyOf(seed)),
      await ok(publicKeyOf(other), publicKeyOf(seed)),
      await ok(publicKeyOf(other)),
      await ok(SECRET),
    ]).toEqual([true, true, false, false]);
  });

  it('is taken with either secret while it is rotated, and with header names in any spelling', async () => {
    const request = made('structured');
    expect((await receive(request, { secrets: [OTHER_SECRET, SECRET] })).ok).toBe(true);
    const upper = Object.entries(request.headers).map(
      ([name, value]) => [name.toUpperCase(), value] as [string, string],
    );
    for (const headers of [upper, Object.fromEntries(upper), new Headers(upper)])
      expect((await receive({ ...request, headers } as never)).ok).toBe(true);
  });
});

describe('data of a webhook', () => {
  const data = { nomor: 'N-1', besar: '9007199254740993' };
  const schemaOf = (version: number, fields: readonly object[]): EventToken =>
    defineEvent({
      ...{ type: 'uji.kasus.lahir', stream: 'uji.kasus', version },
      schema: JSON.stringify({ type: 'record', name: 'Lahir', fields: [{ name: 'nomor', type: 'string' }, ...fields] }),
    });
  const long = { name: 'besar', type: 'long' };
  const V1 = schemaOf(1, [long]);
  const V2 = schemaOf(2, [long, { name: 'baru', type: 'string', default: '-' }]);
  const written = (version: number, members: object): Made =>
    signed(
      { 'webhook-id': 'msg_1', 'content-type': 'application/cloudevents+json' },
      JSON.stringify({
        ...{ specversion: '1.0', id: 'a', source: 'urn:x', type: V1.type, subject: 's', position: 'uji.kasus/0/1' },
        ...{ recordedtime: '2021-07-15T02:30:00.000Z', dataschema: `urn:simpul:schema:${V1.type}:${version}` },
        ...members,
      }),
    );
  /** V0 frame of `data` in version 1: nomor, then besar as a zigzag varint. */
  const zigzag = (n: bigint): number[] => {
    const out: number[] = [];
    for (let rest = n << 1n; ; rest >>= 7n) {
      if (rest < 128n) return [...out, Number(rest)];
      out.push(Number(rest & 127n) | 128);
    }
  };
  const frame = Buffer.from([0, 0, 0, 0, 9, 6, ...Buffer.from('N-1'), ...zigzag(9_007_199_254_740_993n)]);
  const avro = { datacontenttype: 'application/avro', data_base64: frame.toString('base64') };

  it('has the form of the token: an older version gets the defaults of the newer, longs are bigint if it says so', async () => {
    const bigints = { ...V2, longs: 'bigint' as const };
    for (const members of [{ data }, avro]) {
      const plain = await receive(written(1, members), { tokens: [V1] });
      expect(eventsOf(plain)[0]!.event.data).toEqual(data);
      const newer = await receive(written(1, members), { tokens: [V1, bigints] });
      expect(eventsOf(newer)[0]!.event.data).toEqual({ nomor: 'N-1', besar: 9_007_199_254_740_993n, baru: '-' });
    }
  });

  it('as Avro of a version that no token has is read with the schema that schemaOf gives, and refused without one', async () => {
    const asked: unknown[] = [];
    const schemaOf = (...of: unknown[]) => (asked.push(of), Promise.resolve(V1.schema));
    const received = await receive(written(1, avro), { tokens: [V2], schemaOf });
    expect(eventsOf(received)[0]!.event.data).toEqual({ ...data, baru: '-' });
    expect(asked).toEqual([[V1.type, 1]]);
    expect(reasonOf(await receive(written(1, avro), { tokens: [V2] }))).toBe('422 schema_unknown');
    expect(reasonOf(await receive(written(1, avro), { tokens: [] }))).toBe('422 schema_unknown');
  });

  it('as Avro that another schema has written is refused, also when the schema that is named reads some of it', async () => {
    const bytes = (...values: number[]): object => ({ ...avro, data_base64: Buffer.from(values).toString('base64') });
    const foreign: object[] = [
      bytes(0, 0, 0, 0, 9, 6, 78),
      bytes(0, 0, 0, 0, 9, ...frame.subarray(5), 1),
      bytes(1, 0, 0, 0, 9, ...frame.subarray(5)),
      bytes(0, 0),
      bytes(),
      bytes(0, 0, 0, 0, 9, 255, 255, 255, 255, 255, 255, 255, 255, 255, 127),
      { ...avro, dataschema: 'urn:simpul:schema:uji.kasus.lain:1' },
      { ...avro, dataschema: 'https://example.org/schema' },
    ];
    for (const members of foreign)
      expect(reasonOf(await receive(written(1, members), { tokens: [V1] }))).toBe('422 data_unreadable');
  });

  it('that does not fit the token names the field and no value', async () => {
    const received = await receive(written(2, { data: { nomor: 'rahasia' } }), { tokens: [V1] });
    expect(received).toMatchObject({ ok: false, reason: 'version_not_readable', status: 422 });
    expect(JSON.stringify(received)).toContain('/data/besar');
    expect(JSON.stringify(received)).not.toContain('rahasia');
  });
});

describe('a request that is refused', () => {
  const refusedFor = async (request: Made, more: object = {}): Promise<string> =>
    reasonOf(await receive(request, more));
  const without = (request: Made, name: string): Made => {
    const { [name]: _, ...headers } = request.headers;
    return { ...request, headers };
  };
  const withHeaders = (request: Made, headers: object): Made =>
    ({ ...request, headers: { ...request.headers, ...headers } }) as Made;

  it('was signed with another secret, or its body was exchanged, or its id or time', async () => {
    const request = made('structured');
    const other = made('structured');
    const wrong = [
      made('structured', undefined, { key: Buffer.alloc(32, 1) }),
      { ...request, body: other.body },
      { ...request, body: Buffer.concat([request.body, Buffer.from(' ')]) },
      { ...request, body: Buffer.alloc(0) },
      withHeaders(request, { 'webhook-id': 'msg_other' }),
      withHeaders(request, { 'webhook-timestamp': String(Number(request.headers['webhook-timestamp']) + 1) }),
      withHeaders(request, { 'webhook-signature': 'v1,' }),
      withHeaders(request, { 'webhook-signature': request.headers['webhook-signature']!.replace('v1,', 'v1a,') }),
      withHeaders(request, { 'webhook-signature': request.headers['webhook-signature']!.replace('v1,', 'v2,') }),
    ];
    for (const each of wrong) expect(await refusedFor(each)).toBe('401 no_signature_fits');
  });

  it('is older or newer than five minutes, or has no time', async () => {
    const at = (seconds: number) =>
      refusedFor(made('structured', undefined, { at: NOW_S + seconds }), { now: () => NOW_S * 1_000 });
    expect([await at(-300), await at(300)]).toEqual(['ok', 'ok']);
    expect([await at(-301), await at(301)]).toEqual(['401 timestamp_too_old', '401 timestamp_too_new']);
    expect(await refusedFor(made('structured', undefined, { at: NOW_S - 20 }), { tolerance: 10 })).toBe(
      '401 timestamp_too_old',
    );
    for (const time of ['', 'now', '-1', '1e9', ' 1', '99999999999999'])
      expect(await refusedFor(withHeaders(made('structured'), { 'webhook-timestamp': time }))).toMatch(
        /^401 (timestamp_invalid|headers_missing)$/,
      );
  });

  it.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])('lacks %s, or has it twice', async (name) => {
    const request = made('structured');
    const value = request.headers[name]!;
    expect(await refusedFor(without(request, name))).toBe('401 headers_missing');
    expect(await refusedFor(withHeaders(request, { [name]: [value, value] }))).toBe('401 headers_missing');
    expect(await refusedFor(withHeaders(request, { [name.toUpperCase()]: value }))).toBe('401 headers_missing');
  });

  it('has a thousand signatures: only the first sixteen are looked at', async () => {
    const request = made('structured');
    const right = request.headers['webhook-signature']!;
    const wrong = `v1,${Buffer.alloc(32).toString('base64')}`;
    const list = (before: number) =>
      [...Array<string>(before).fill(wrong), right, ...Array<string>(984).fill(wrong)].join(' ');
    expect(await refusedFor(withHeaders(request, { 'webhook-signature': list(15) }))).toBe('ok');
    expect(await refusedFor(withHeaders(request, { 'webhook-signature': list(16) }))).toBe('401 no_signature_fits');
  });

  it('is larger than the limit, before a signature is computed', async () => {
    const large = signed(
      { 'webhook-id': 'm', 'content-type': 'application/cloudevents+json' },
      Buffer.alloc(10_000_000, ' '),
    );
    expect(await refusedFor(large)).toBe('413 body_too_large');
    expect(await refusedFor(made('structured'), { maxBytes: 100 })).toBe('413 body_too_large');
  });

  it('is a batch with more events than the limit, before one of them is looked at', async () => {
    const batch = (count: number): Made =>
      signed(
        { 'webhook-id': 'm', 'content-type': 'application/cloudevents-batch+json' },
        `[${Array(count).fill('1').join()}]`,
      );
    expect(await refusedFor(batch(10_000))).toBe('413 too_many_events');
    expect(await refusedFor(batch(1_000))).toBe('400 not_an_event');
    expect(await refusedFor(batch(0))).toBe('ok');
  });

  it('has a form that the receiver does not take', async () => {
    const plain = signed({ 'webhook-id': 'm', 'content-type': 'application/json' }, '{}');
    expect(await refusedFor(plain)).toBe('415 unknown_form');
    expect(await refusedFor(made('binary'), { forms: ['structured', 'batch'] })).toBe('415 unknown_form');
    expect(await refusedFor(made('batch'), { forms: ['structured', 'batch'] })).toBe('ok');
  });

  it('is no CloudEvent, however well it is signed', async () => {
    const text = (body: string | Buffer, type = 'application/cloudevents+json'): Promise<string> =>
      refusedFor(signed({ 'webhook-id': 'm', 'content-type': type }, body));
    const whole = shown;
    for (const body of ['', '{', '\xff{}', '\xef\xbb\xbf{}', 'NaN', '"\xff"'])
      expect(await text(Buffer.from(body, 'latin1'))).toBe('400 not_json');
    const wrong: unknown[] = [
      ...[null, 1, [], 'x', {}],
      ...['id', 'source', 'type', 'position', 'specversion', 'recordedtime'].map((name) => ({
        ...whole,
        [name]: undefined,
      })),
      ...['id', 'source', 'type', 'position', 'subject', 'digest'].map((name) => ({ ...whole, [name]: 7 })),
      { ...whole, specversion: '0.3' },
      { ...whole, Besar: 'x' },
      { ...whole, data_base64: 'AAAA' },
      { ...whole, data: undefined, data_base64: 7 },
      JSON.parse('{"__proto__": {"id": "a"}}'),
    ];
    for (const each of wrong) expect(await text(JSON.stringify(each))).toBe('400 not_an_event');
    expect(await text(JSON.stringify(whole), 'application/cloudevents-batch+json')).toBe('400 not_an_event');
    for (const data of [undefined, null, 1, 'x', []])
      expect(await text(JSON.stringify({ ...whole, data }))).toBe('422 data_unreadable');
  });

  it('in the form binary has an attribute twice, or one that is not percent-encoded UTF-8', async () => {
    const request = made('binary');
    expect(await refusedFor(withHeaders(request, { 'CE-ID': 'other' }))).toBe('400 not_an_event');
    expect(await refusedFor(withHeaders(request, { 'ce-id': '%ff' }))).toBe('400 not_an_event');
    expect(await refusedFor(withHeaders(request, { 'ce-__proto__': 'x' }))).toBe('400 not_an_event');
  });
});

it('a secret that is none is an error of the settings, not of a request', async () => {
  for (const secrets of [[], 'whsec_', 'geheim', `whsec_${KEY.subarray(0, 8).toString('base64')}`])
    await expect(receive(made('structured'), { secrets })).rejects.toThrow(TypeError);
});
