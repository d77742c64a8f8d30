import { connect } from 'node:net';

/** What the cases need from the server under test: keys of two offices, valid events, schema ids. */
export interface BadInputSubject {
  readonly url: string;
  /** A kanim (imigrasi.paspor.diterbitkan, keu.pnbp.tagihan-diterbitkan) and a lapas (pas.hunian.dilaporkan). */
  readonly keys: { readonly kanim: string; readonly lapas: string };
  event(type: BadType): Event;
  /** Valid data as Avro with its frame (magic byte 0 and schema id). */
  frame(type: BadType): Buffer;
  schemaId(type: BadType): number;
  /** Request timeout of the server under test, ms. */
  readonly requestMs: number;
}

export type BadType = 'imigrasi.paspor.diterbitkan' | 'keu.pnbp.tagihan-diterbitkan' | 'pas.hunian.dilaporkan';
export type Event = Record<string, unknown> & { data: Record<string, unknown> };

export interface BadAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  readonly allow: string | undefined;
  readonly ms: number;
}

export interface BadCase {
  /** Group of cases in the bad-input catalogue. */
  readonly row: string;
  readonly name: string;
  /** The status, or the statuses of which one is right. */
  readonly status: number | readonly number[];
  /** Code of the problem document; of the error of the first item when `item`. Absent: the request is refused before a problem document can be written. */
  readonly code?: string;
  readonly item?: true;
  /** The refusal takes long on purpose. */
  readonly slow?: true;
  send(s: BadInputSubject): Promise<BadAnswer>;
}

const P = 'imigrasi.paspor.diterbitkan';
const H = 'pas.hunian.dilaporkan';
const T = 'keu.pnbp.tagihan-diterbitkan';
const CE = 'application/cloudevents+json';
const BATCH = 'application/cloudevents-batch+json';
const NDJSON = 'application/x-ndjson';

interface Init {
  readonly method?: string;
  readonly type?: string | undefined;
  readonly headers?: Record<string, string>;
  readonly key?: string | undefined;
}

async function call(s: BadInputSubject, path: string, body?: string | Buffer, init: Init = {}): Promise<BadAnswer> {
  const began = performance.now();
  const key = 'key' in init ? init.key : s.keys.kanim;
  const r = await fetch(`${s.url}${path}`, {
    method: init.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(init.type === undefined ? {} : { 'content-type': init.type }),
      ...init.headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
  });
  return {
    status: r.status,
    contentType: r.headers.get('content-type') ?? '',
    text: await r.text(),
    allow: r.headers.get('allow') ?? undefined,
    ms: performance.now() - began,
  };
}

/** Sends raw bytes. `hold`: keeps the connection open until the server answers. `flood`: sends these bytes again and again until then. */
function raw(
  s: BadInputSubject,
  head: string | Buffer,
  options: { hold?: true; flood?: Buffer } = {},
): Promise<BadAnswer> {
  const began = performance.now();
  return new Promise((resolve) => {
    const { hostname, port } = new URL(s.url);
    const socket = connect(Number(port), hostname, () => {
      socket.write(head);
      const more = options.flood;
      if (more !== undefined) {
        const pump = (): void => {
          while (socket.writable && socket.write(more));
        };
        socket.on('drain', pump);
        pump();
      } else if (options.hold !== true) socket.end();
    });
    let out = '';
    socket.setEncoding('latin1').on('data', (d: string) => {
      out += d;
      if (options.flood !== undefined) socket.end();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const [top = '', ...rest] = out.split('\r\n\r\n');
      resolve({
        status: Number(/^HTTP\/1\.1 (\d{3})/.exec(top)?.[1] ?? 0),
        contentType: /^content-type: (.*)$/im.exec(top)?.[1] ?? '',
        // Only the first answer: bytes after a whole request get an answer of their own.
        text: rest.join('\r\n\r\n').slice(0, Number(/^content-length: (\d+)$/im.exec(top)?.[1] ?? 1e6)),
        allow: /^allow: (.*)$/im.exec(top)?.[1],
        ms: performance.now() - began,
      });
    });
  });
}

const top = (s: BadInputSubject, more: string, line = 'POST /v1/events HTTP/1.1'): string =>
  `${line}\r\nhost: simpul\r\nauthorization: Bearer ${s.keys.kanim}\r\ncontent-type: ${CE}\r\n${more}`;

const cases: BadCase[] = [];
let row = '';
const add = (
  name: string,
  status: BadCase['status'],
  code: string | undefined,
  send: BadCase['send'],
  more: Partial<BadCase> = {},
): void => {
  cases.push({ row, name, status, ...(code === undefined ? {} : { code }), send, ...more });
};
/** A case with this body. */
const body = (
  name: string,
  status: number,
  code: string,
  text: string | Buffer | ((s: BadInputSubject) => string | Buffer),
  init: Init & { path?: string } = {},
): void => {
  add(name, status, code, (s) =>
    call(s, init.path ?? '/v1/events', typeof text === 'function' ? text(s) : text, { type: CE, ...init }),
  );
};
/** A case with a valid event that `change` makes invalid. */
const event = (name: string, status: number, code: string, change: (e: Event) => void, type: BadType = P): void => {
  add(name, status, code, (s) => {
    const e = s.event(type);
    change(e);
    return call(s, '/v1/events', JSON.stringify(e), { type: CE, key: type === H ? s.keys.lapas : s.keys.kanim });
  });
};
/** The text of a valid event with one member replaced by raw text. */
const splice = (s: BadInputSubject, type: BadType, name: string, text: string): string => {
  const e = s.event(type);
  (name in e.data ? e.data : e)[name] = '\u0001here\u0001';
  return JSON.stringify(e).replace('"\\u0001here\\u0001"', text);
};
const spliced = (name: string, status: number, code: string, type: BadType, member: string, text: string): void => {
  add(name, status, code, (s) =>
    call(s, '/v1/events', splice(s, type, member, text), { type: CE, key: type === H ? s.keys.lapas : s.keys.kanim }),
  );
};
const get = (
  name: string,
  status: BadCase['status'],
  code: string | undefined,
  path: string,
  init: Init = {},
): void => {
  add(name, status, code, (s) => call(s, path, undefined, init));
};
const MIB = 1_048_576;

row = 'Body size';
body('one byte over 1 MiB', 413, 'body_too_large', (s) => JSON.stringify(s.event(P)).padEnd(MIB + 1));
body('9 MiB', 413, 'body_too_large', ' '.repeat(9 * MIB));
add('Content-Length 10^12', 413, 'body_too_large', (s) =>
  raw(s, top(s, 'content-length: 1000000000000\r\n\r\n{'), { hold: true }),
);
add(
  'endless chunks',
  413,
  'body_too_large',
  (s) =>
    raw(s, top(s, 'transfer-encoding: chunked\r\n\r\n'), { flood: Buffer.from(`10000\r\n${' '.repeat(0x10000)}\r\n`) }),
  { slow: true },
);
body('10,001 events in a list', 413, 'body_too_large', `[${'{},'.repeat(10_000)}{}]`, { type: BATCH });
body('10,001 lines', 413, 'body_too_large', '{}\n'.repeat(10_001), { type: NDJSON });
add(
  'an event over 1 MiB in a list',
  422,
  'body_too_large',
  (s) => {
    const e = s.event(P);
    e.data['namaLengkap'] = 'x'.repeat(MIB);
    return call(s, '/v1/events', JSON.stringify([e]), { type: BATCH });
  },
  { item: true, slow: true },
);
for (const path of ['/v1/receipts', '/health/live', '/v1/tidak-ada'])
  add(`a body of 9 MiB where none belongs: ${path}`, [404, 405, 413], undefined, (s) =>
    call(s, path, ' '.repeat(9 * MIB), { type: CE }),
  );

row = 'Length lies';
add('a body shorter than it says', 400, 'length_mismatch', (s) =>
  raw(s, top(s, 'content-length: 500\r\n\r\n{"specversion":"1.0"}')),
);
add('a body longer than it says', 400, 'invalid_json', (s) =>
  raw(s, top(s, 'content-length: 10\r\n\r\n{"specversion":"1.0"}')),
);
add('no length at all: an empty body', 400, 'invalid_json', (s) =>
  raw(s, top(s, 'connection: close\r\n\r\n'), { hold: true }),
);
for (const length of ['-1', 'abc', '+5', '0x10', '1,2', '1 2', '99999999999999999999999999'])
  add(`Content-Length ${length}`, 400, 'bad_request_line', (s) =>
    raw(s, top(s, `content-length: ${length}\r\n\r\n{}`)),
  );

row = 'Slowloris';
add(
  'a header that does not end',
  408,
  'request_timeout',
  (s) => raw(s, 'GET /v1/streams HTTP/1.1\r\nhost: a\r\nx', { hold: true }),
  { slow: true },
);
add('a silent socket', 408, 'request_timeout', (s) => raw(s, '', { hold: true }), { slow: true });
add(
  'a body that does not end',
  408,
  'request_timeout',
  (s) => raw(s, top(s, 'content-length: 5000\r\n\r\n{'), { hold: true }),
  { slow: true },
);
add(
  'chunks that do not end',
  408,
  'request_timeout',
  (s) => raw(s, top(s, 'transfer-encoding: chunked\r\n\r\n1\r\n{\r\n'), { hold: true }),
  { slow: true },
);

row = 'Header flood';
add('17 KiB of header', 431, 'header_too_large', (s) => raw(s, top(s, `x: ${'y'.repeat(17_000)}\r\n\r\n`)));
add('1,000 headers', 431, 'header_too_large', (s) =>
  raw(s, top(s, `${Array.from({ length: 1_000 }, (_, i) => `x${i}: y\r\n`).join('')}content-length: 2\r\n\r\n{}`), {
    hold: true,
  }),
);
add('a long name of a header', 431, 'header_too_large', (s) => raw(s, top(s, `${'x'.repeat(17_000)}: y\r\n\r\n`)));
add('a long URI', [414, 431], undefined, (s) => raw(s, `GET /v1/${'a'.repeat(17_000)} HTTP/1.1\r\nhost: a\r\n\r\n`));
for (const [name, line] of [
  ['NUL in a value', 'x: a\0b'],
  ['a control in a value', 'x: a\u0001b'],
  ['a space in a name', 'x y: a'],
  ['a line without a colon', 'nonsense'],
  ['a space before the colon', 'x : a'],
  ['an empty name', ': a'],
  ['a bare CR', 'x: a\rb'],
  ['a byte over 127 in a name', 'x\u00e9: a'],
] as const)
  add(name, 400, 'bad_request_line', (s) =>
    raw(s, Buffer.from(top(s, `${line}\r\ncontent-length: 2\r\n\r\n{}`), 'latin1')),
  );

row = 'Smuggling';
for (const [name, text] of [
  ['length and chunks', 'content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['two lengths', 'content-length: 4\r\ncontent-length: 5\r\n\r\nabcd'],
  ['a folded line', 'x: a\r\n b\r\ncontent-length: 2\r\n\r\n{}'],
  ['chunked twice', 'transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n'],
  ['gzip under chunked', 'transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ['an unknown transfer encoding', 'transfer-encoding: xchunked\r\n\r\n0\r\n\r\n'],
  ['chunked not last', 'transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n'],
  ['a chunk size that is no number', 'transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n'],
  ['a chunk size beyond 64 bits', 'transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n'],
  ['a chunk longer than it says', 'transfer-encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n'],
  ['a negative chunk', 'transfer-encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n'],
] as const)
  add(name, 400, 'bad_request_line', (s) => raw(s, top(s, text), { hold: true }));
add('bare line feeds', 400, 'bad_request_line', (s) =>
  raw(s, `POST /v1/events HTTP/1.1\nhost: a\nauthorization: Bearer ${s.keys.kanim}\ncontent-length: 2\n\n{}`),
);
for (const [name, line] of [
  ['an unknown method', 'FETCH /v1/events HTTP/1.1'],
  ['version 9.9', 'GET /v1/events HTTP/9.9'],
  ['a space in the address', 'GET /v1/ev ents HTTP/1.1'],
  ['not HTTP', '\u0016\u0003\u0001\u0002\u0000'],
] as const)
  add(name, 400, 'bad_request_line', (s) => raw(s, Buffer.from(`${line}\r\nhost: a\r\n\r\n`, 'latin1')));
add('no host', 400, 'bad_request_line', (s) =>
  raw(s, `GET /v1/events HTTP/1.1\r\nauthorization: Bearer ${s.keys.kanim}\r\n\r\n`),
);

for (const [name, twice] of [
  ['two Host', 'host: lain'],
  ['two Authorization', 'Authorization: Bearer lain'],
  ['two Content-Type', 'CONTENT-TYPE: application/json'],
] as const)
  add(name, 400, 'bad_request_line', (s) => raw(s, top(s, `${twice}\r\ncontent-length: 2\r\n\r\n{}`)));
add('no host where nothing lives', 400, 'bad_request_line', (s) => raw(s, 'GET /v1/tidak-ada HTTP/1.1\r\n\r\n'));
add('an expectation nobody knows', 417, 'expectation_failed', (s) =>
  raw(s, top(s, 'expect: foo\r\ncontent-length: 2\r\n\r\n{}')),
);
add('100-continue without a key: no 100 before 401', 401, 'unauthenticated', (s) =>
  raw(
    s,
    `POST /v1/events HTTP/1.1\r\nhost: a\r\ncontent-type: ${CE}\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n`,
  ),
);
add('100-continue before a body that is too large: no 100 before 413', 413, 'body_too_large', (s) =>
  raw(s, top(s, 'expect: 100-continue\r\ncontent-length: 1000000000\r\n\r\n')),
);

row = 'Media';
for (const type of [
  'text/xml',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/octet-stream',
  'application/avro',
  'avro/binary',
  'application/cloudevents+xml',
  'nonsense',
  `${CE}; charset=utf-16`,
  'application/json; charset=iso-8859-1',
])
  body(`content type ${type}`, 415, 'unsupported_media_type', (s) => JSON.stringify(s.event(P)), { type });
add('no content type', 415, 'unsupported_media_type', (s) =>
  raw(
    s,
    `POST /v1/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${s.keys.kanim}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}`,
    { hold: true },
  ),
);
for (const encoding of ['gzip', 'deflate', 'br', 'zstd', 'gzip, gzip', 'zork', 'identity, gzip'])
  body(`content encoding ${encoding}`, 415, 'unsupported_media_type', (s) => JSON.stringify(s.event(P)), {
    headers: { 'content-encoding': encoding },
  });

row = 'Bad JSON';
for (const text of [
  '',
  ' ',
  '{',
  '}',
  '[',
  ']',
  '{]',
  '[}',
  '{"a":1',
  '{"a":1,}',
  '{"a":1,,"b":2}',
  '{,}',
  '{"a"}',
  '{"a":}',
  '{a:1}',
  "{'a':1}",
  '{"a":1}}',
  '{"a":1}{"b":2}',
  '{"a":1} x',
  '// c\n{}',
  '/* c */{}',
  '{"a":tru}',
  '{"a":True}',
  '{"a":nul}',
  '{"a":NaN}',
  '{"a":Infinity}',
  '{"a":-}',
  '{"a":+1}',
  '{"a":01}',
  '{"a":1.}',
  '{"a":.5}',
  '{"a":1e}',
  '{"a":1e+}',
  '{"a":0x10}',
  '{"a":"x}',
  '{"a":"\\x"}',
  '{"a":"\\u12"}',
  '{"a":"\\u12G4"}',
  '{"a":"\t"}',
  '{"a":"\n"}',
  '{"a":"\u0000"}',
  '\u00a0{}',
  '{"a":1]',
  'undefined',
  '<html></html>',
])
  body(JSON.stringify(text), 400, 'invalid_json', text);
body('a byte order mark', 400, 'invalid_json', (s) => `\ufeff${JSON.stringify(s.event(P))}`);
body('UTF-16', 400, 'invalid_json', (s) => Buffer.from(`\ufeff${JSON.stringify(s.event(P))}`, 'utf16le'));
for (const text of ['null', 'true', '1', '"x"', '[]', '[{}]'])
  body(`${text} for an event`, 400, 'invalid_request', text);
body('the same at the binary form', 400, 'invalid_json', '{"a":', {
  type: 'application/json',
  headers: { 'ce-specversion': '1.0', 'ce-id': 'x', 'ce-source': 'x', 'ce-type': P },
});

row = 'Deep or doubtful JSON';
body('65 levels', 400, 'json_too_deep', `{"data":${'['.repeat(65)}${']'.repeat(65)}}`);
body('a megabyte of [', 400, 'json_too_deep', '['.repeat(MIB - 10));
body('7 MiB of {"a":', 400, 'json_too_deep', '{"a":'.repeat(1_400_000));
body('7 MiB of [ in a list', 400, 'json_too_deep', '['.repeat(7 * MIB), { type: BATCH });
for (const [name, text] of [
  ['a name twice', '{"id":"a","id":"b"}'],
  ['a name twice, once escaped', '{"id":"a","\\u0069d":"b"}'],
  ['a name twice, deep in the data', '{"data":{"a":[{"b":1,"b":1}]}}'],
] as const)
  body(name, 400, 'duplicate_key', text);
for (const name of ['__proto__', 'constructor', 'prototype', '\\u005f_proto__']) {
  body(`${name} at the top`, 400, 'forbidden_key', `{"${name}":{"admin":true}}`);
  body(`${name} in the data`, 400, 'forbidden_key', `{"data":{"x":[{"${name}":1}]}}`);
}

row = 'Numbers';
spliced('beyond 32 bits', 422, 'number_out_of_range', H, 'kapasitas', '2147483648');
spliced('below 32 bits', 422, 'number_out_of_range', H, 'kapasitas', '-2147483649');
spliced('2^53 + 1', 422, 'number_out_of_range', H, 'kapasitas', '9007199254740993');
spliced('1e400', 422, 'number_out_of_range', H, 'kapasitas', '1e400');
spliced('400 digits', 422, 'number_out_of_range', H, 'kapasitas', '9'.repeat(400));
spliced('negative zero', 422, 'number_out_of_range', H, 'kapasitas', '-0');
spliced('a fraction for a whole number', 422, 'schema_mismatch', H, 'kapasitas', '1.5');
spliced('text for a whole number', 422, 'schema_mismatch', H, 'kapasitas', '"12"');
spliced('true for a whole number', 422, 'schema_mismatch', H, 'kapasitas', 'true');
spliced('0.1 into a decimal', 422, 'number_out_of_range', T, 'tarif', '0.1');
spliced('more digits than a decimal holds', 422, 'number_out_of_range', T, 'tarif', '"123456789012345678901.00"');
spliced('more places than a decimal holds', 422, 'number_out_of_range', T, 'tarif', '"1.001"');
spliced('text that is no decimal', 422, 'schema_mismatch', T, 'tarif', '"seribu"');
spliced('an exponent in a decimal', 422, 'schema_mismatch', T, 'tarif', '"1e3"');

row = 'Text';
spliced('half a surrogate pair in the data', 422, 'forbidden_character', P, 'namaLengkap', '"a\\ud800b"');
spliced('the other half', 422, 'forbidden_character', P, 'namaLengkap', '"\\udc00"');
spliced('NUL in the data', 422, 'forbidden_character', P, 'namaLengkap', '"a\\u0000b"');
spliced('a bidi override in a name', 422, 'forbidden_character', P, 'namaLengkap', '"a\\u202eb"');
spliced('a bidi isolate in a name', 422, 'forbidden_character', P, 'namaLengkap', '"a\\u2066b"');
for (const [name, text] of [
  ['NUL', '"a\\u0000"'],
  ['a line break', '"a\\r\\nb"'],
  ['half a surrogate pair', '"\\ud800"'],
  ['a bidi override', '"a\\u202e"'],
  ['an escape character', '"\\u001b[31m"'],
] as const) {
  spliced(`${name} in the id`, 422, 'forbidden_character', P, 'id', text);
  spliced(`${name} in the source`, 422, 'forbidden_character', P, 'source', text);
  spliced(`${name} in a subject field`, 422, 'forbidden_character', P, 'nomorPermohonan', text);
}
for (const [name, bytes] of [
  ['a lone continuation byte', [0x80]],
  ['a cut sequence', [0xe2, 0x82]],
  ['an overlong slash', [0xc0, 0xaf]],
  ['a surrogate in UTF-8', [0xed, 0xa0, 0x80]],
  ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ['byte 255', [0xff]],
] as const)
  body(name, 400, 'invalid_utf8', (s) => {
    const [a, b] = splice(s, P, 'namaLengkap', '"@@"').split('@@') as [string, string];
    return Buffer.concat([Buffer.from(a), Buffer.from(bytes), Buffer.from(b)]);
  });

row = 'Envelope';
for (const name of ['specversion', 'id', 'source', 'type']) {
  event(`no ${name}`, 400, 'missing_attribute', (e) => delete e[name]);
  event(`${name} null`, 400, 'missing_attribute', (e) => (e[name] = null));
  event(`${name} empty`, 400, 'missing_attribute', (e) => (e[name] = ''));
  event(`${name} a number`, 422, 'invalid_attribute', (e) => (e[name] = 1));
  event(`${name} an object`, 422, 'invalid_attribute', (e) => (e[name] = {}));
}
for (const v of ['0.3', '2.0', '1']) event(`specversion ${v}`, 422, 'invalid_attribute', (e) => (e['specversion'] = v));
event('an id of 10 KB', 422, 'invalid_attribute', (e) => (e['id'] = 'x'.repeat(10_240)));
event('an id of 256 characters', 422, 'invalid_attribute', (e) => (e['id'] = 'x'.repeat(256)));
for (const [source, code] of [
  ['urn:simpul:unit:SU00300:sdp', 'source_not_yours'],
  ['urn:simpul:unit:SU00123:lain', 'source_not_yours'],
  ['urn:simpul:hub:clock', 'source_not_yours'],
  ['urn:simpul:party:EXT-KEMENLU:x', 'source_not_yours'],
  ['https://example.test/', 'source_not_yours'],
  ['urn:simpul:unit:su00123:simkim', 'source_not_yours'],
  ['kanim', 'source_not_yours'],
] as const)
  event(`source ${source}`, 403, code, (e) => (e['source'] = source));
event('a type of others', 403, 'type_not_yours', (e) => {
  e['type'] = 'pas.hunian.dilaporkan';
});
for (const t of [
  'tidak.ada.jenis',
  'Imigrasi.Paspor.Diterbitkan',
  'imigrasi.paspor',
  'imigrasi.paspor.diterbitkan.v1',
  '../etc/passwd',
  `a.b.${'c'.repeat(300)}`,
  'simpul.tidak.ada',
])
  event(`type ${t.slice(0, 40)}`, 422, 'unknown_type', (e) => (e['type'] = t));
for (const t of [
  'kemarin',
  '2021-07-15',
  '2021-07-15T09:30:00',
  '2021-02-30T00:00:00Z',
  '2021-13-01T00:00:00Z',
  '2021-07-15T25:00:00Z',
  '15/07/2021 09:30',
  '2021-07-15 09:30:00Z',
  '0000-01-01T00:00:00Z',
])
  event(`time ${t}`, 422, 'invalid_attribute', (e) => (e['time'] = t));
event('time a number', 422, 'invalid_attribute', (e) => (e['time'] = 1_626_312_600));
event('another subject', 422, 'subject_mismatch', (e) => (e['subject'] = 'bukan-ini'));
event('a subject over 512 bytes', 422, 'subject_too_long', (e) => (e['subject'] = 'é'.repeat(257)));
event('a subject field over 512 bytes', 422, 'subject_too_long', (e) => (e.data['nomorPermohonan'] = 'x'.repeat(513)));
event('an empty subject field', 422, 'schema_mismatch', (e) => (e.data['nomorPermohonan'] = ''));
for (const d of [
  `urn:simpul:schema:${P}:99`,
  `urn:simpul:schema:${H}:1`,
  'https://example.test/schema',
  `urn:simpul:schema:${P}:0`,
  'x'.repeat(250),
])
  event(`dataschema ${d.slice(0, 50)}`, 422, 'unknown_schema', (e) => (e['dataschema'] = d));
event('datacontenttype XML', 422, 'invalid_attribute', (e) => (e['datacontenttype'] = 'application/xml'));
for (const [name, value] of Object.entries({
  unitasal: 'SU00300',
  unitkode: 'LAPAS-X',
  kelasdata: 'none',
  recordedtime: '2021-07-15T00:00:00Z',
  digest: 'sha-256:00',
  position: 'a.b/0/0',
}))
  event(`${name} of one's own`, 422, 'invalid_attribute', (e) => (e[name] = value));
for (const name of ['Korelasi', 'kore-lasi', 'kore_lasi', 'k'.repeat(21), 'é', 'a b', ''])
  event(`an extension named ${JSON.stringify(name.slice(0, 30))}`, 422, 'invalid_attribute', (e) => (e[name] = 'x'));
for (const [name, value] of [
  ['an object', {}],
  ['a list', []],
  ['a fraction', 1.5],
  ['beyond 32 bits', 2 ** 40],
  ['over 1 KB', 'x'.repeat(1_025)],
] as const)
  event(`an extension that is ${name}`, 422, 'invalid_attribute', (e) => (e['korelasi'] = value));
event('a line break in an extension', 422, 'forbidden_character', (e) => (e['korelasi'] = 'a\nb'));
event('21 extensions', 422, 'invalid_attribute', (e) => {
  for (let i = 0; i < 21; i++) e[`tambahan${i}`] = 'x';
});
for (const t of [
  'x',
  '00-00000000000000000000000000000000-b7ad6b7169203331-01',
  '00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01',
  'ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
])
  event(`traceparent ${t.slice(0, 12)}`, 422, 'invalid_attribute', (e) => (e['traceparent'] = t));

row = 'Data';
event('no data', 422, 'schema_mismatch', (e) => delete (e as Record<string, unknown>)['data']);
for (const [name, value] of [
  ['null', null],
  ['a list', []],
  ['text', 'x'],
  ['a number', 1],
  ['empty', {}],
] as const)
  event(`data ${name}`, 422, 'schema_mismatch', (e) => ((e as Record<string, unknown>)['data'] = value));
event('a field missing', 422, 'schema_mismatch', (e) => delete e.data['nik']);
event('a field null', 422, 'schema_mismatch', (e) => (e.data['nik'] = null));
event('a field that the type does not have', 422, 'schema_mismatch', (e) => (e.data['warnaMata'] = 'x'));
event('a symbol that the list does not have', 422, 'schema_mismatch', (e) => (e.data['jenisKelamin'] = 'X'));
event('the symbol of readers only', 422, 'schema_mismatch', (e) => (e.data['jenisKelamin'] = '_tidak_dikenal'));
for (const d of ['2021-02-30', '2021-13-01', '15-07-2021', '2021-07-15T00:00:00Z', 'kemarin', ''])
  event(`a date ${JSON.stringify(d)}`, 422, 'schema_mismatch', (e) => (e.data['tanggalTerbit'] = d));
event('a date as a number', 422, 'schema_mismatch', (e) => (e.data['tanggalTerbit'] = 18_823));
for (const t of ['2021-07-15', '2021-07-15T09:30:00', 'nanti', 1_626_312_600_000])
  event(`a time ${t}`, 422, 'schema_mismatch', (e) => (e.data['waktuSerah'] = t));
event('data and data_base64', 400, 'invalid_request', (e) => (e['data_base64'] = 'AAAA'));
for (const text of ['*', 'AAA', 'AA=A', 5])
  event(`data_base64 ${text}`, 400, 'invalid_request', (e) => {
    delete (e as Record<string, unknown>)['data'];
    e['data_base64'] = text;
    e['datacontenttype'] = 'application/avro';
  });
event('data_base64 of an unknown kind', 422, 'invalid_attribute', (e) => {
  delete (e as Record<string, unknown>)['data'];
  e['data_base64'] = 'AAAA';
  e['datacontenttype'] = 'image/png';
});

row = 'Batch';
body('an empty list', 422, 'empty_batch', '[]', { type: BATCH });
body('no lines', 422, 'empty_batch', '\n\n', { type: NDJSON });
for (const text of ['{}', 'null', '[', '[{}', '[{}]]', '[{},]', '[,{}]', 'x'])
  add(`a list of ${text}`, [400, 422], undefined, (s) => call(s, '/v1/events', text, { type: BATCH }));
for (const [text, code] of [
  ['[1]', 'invalid_request'],
  ['[[]]', 'invalid_request'],
  ['[null]', 'invalid_request'],
  ['[{"id":"a","id":"b"}]', 'duplicate_key'],
  ['[{"__proto__":1}]', 'forbidden_key'],
  ['[{"a":01}]', 'invalid_json'],
] as const)
  add(`an item ${text}`, 422, code, (s) => call(s, '/v1/events', text, { type: BATCH }), { item: true });
add(
  'one bad of 500',
  422,
  'schema_mismatch',
  (s) => {
    const all = Array.from({ length: 500 }, () => s.event(P));
    all[499]!.data['tanggalTerbit'] = 'x';
    return call(s, '/v1/events', JSON.stringify(all), { type: BATCH });
  },
  { item: true, slow: true },
);
add(
  'one id for two contents',
  422,
  'idempotency_mismatch',
  (s) => {
    const e = s.event(P);
    return call(
      s,
      '/v1/events',
      [e, { ...e, data: { ...e.data, namaLengkap: 'Lain' } }].map((x) => JSON.stringify(x)).join('\n'),
      { type: NDJSON },
    );
  },
  { item: true },
);
add(
  'one of others',
  422,
  'source_not_yours',
  (s) =>
    call(s, '/v1/events', JSON.stringify([s.event(P), { ...s.event(P), source: 'urn:simpul:unit:SU00300:sdp' }]), {
      type: BATCH,
    }),
  { item: true },
);

row = 'Binary form';
const attributes = (s: BadInputSubject, type: BadType): Record<string, string> => {
  const { data: _data, datacontenttype: _type, ...rest } = s.event(type);
  return Object.fromEntries(Object.entries(rest).map(([n, v]) => [`ce-${n}`, String(v)]));
};
const binary = (
  name: string,
  status: number,
  code: string,
  change: (h: Record<string, string>) => void,
  send?: (s: BadInputSubject) => string | Buffer,
  type = 'application/json',
  of: BadType = P,
): void => {
  add(name, status, code, (s) => {
    const headers = attributes(s, of);
    change(headers);
    return call(s, '/v1/events', send?.(s) ?? JSON.stringify(s.event(of).data), { type, headers });
  });
};
for (const name of ['id', 'source', 'type'])
  binary(`no ce-${name}`, 400, 'missing_attribute', (h) => delete h[`ce-${name}`]);
binary('ce-specversion 0.3', 422, 'invalid_attribute', (h) => (h['ce-specversion'] = '0.3'));
binary('ce-datacontenttype', 400, 'invalid_request', (h) => (h['ce-datacontenttype'] = 'application/json'));
binary('ce-data', 400, 'invalid_request', (h) => (h['ce-data'] = '{}'));
binary('a bad percent code', 400, 'invalid_utf8', (h) => (h['ce-korelasi'] = '%zz'));
binary('percent codes that are no UTF-8', 400, 'invalid_utf8', (h) => (h['ce-korelasi'] = '%ff%fe'));
binary('NUL by percent code', 422, 'forbidden_character', (h) => (h['ce-korelasi'] = 'a%00b'));
binary('a name with a dash', 422, 'invalid_attribute', (h) => (h['ce-kore-lasi'] = 'x'));
binary(
  'no data',
  422,
  'schema_mismatch',
  () => undefined,
  () => '',
);
binary(
  'data that is not of the type',
  422,
  'schema_mismatch',
  () => undefined,
  () => '{}',
);
binary(
  'XML',
  415,
  'unsupported_media_type',
  () => undefined,
  () => '<a/>',
  'text/xml',
);
add('ce-id twice', 400, 'invalid_request', (s) =>
  raw(
    s,
    `POST /v1/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${s.keys.kanim}\r\ncontent-type: application/json\r\nce-specversion: 1.0\r\nce-id: a\r\nce-id: b\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}`,
    { hold: true },
  ),
);

row = 'Avro bytes';
const avro = (
  name: string,
  status: number,
  code: string,
  make: (s: BadInputSubject) => Buffer,
  of: BadType = P,
): void => binary(name, status, code, () => undefined, make, 'application/avro', of);
const changed = (s: BadInputSubject, change: (b: Buffer) => Buffer | undefined, of: BadType = P): Buffer => {
  const b = Buffer.from(s.frame(of));
  return change(b) ?? b;
};
const bombed = (s: BadInputSubject, bytes: readonly number[]): Buffer =>
  Buffer.concat([s.frame(P).subarray(0, 5), Buffer.from(bytes)]);
avro('nothing', 400, 'bad_magic', () => Buffer.alloc(0));
avro('four bytes', 400, 'bad_magic', () => Buffer.from([0, 0, 0, 0]));
avro('another magic byte', 400, 'bad_magic', (s) => changed(s, (b) => void (b[0] = 1)));
avro('an Avro file', 400, 'bad_magic', () => Buffer.from('Obj\u0001avro.schema'));
avro('a schema id that nobody has', 422, 'unknown_schema', (s) => changed(s, (b) => void b.writeUInt32BE(999_999, 1)));
avro('the schema of another type', 422, 'unknown_schema', (s) =>
  changed(s, (b) => void b.writeUInt32BE(s.schemaId(H), 1)),
);
avro('cut in the middle', 422, 'avro_decode_failed', (s) => changed(s, (b) => b.subarray(0, b.length >> 1)));
avro('cut by one byte', 422, 'avro_decode_failed', (s) => changed(s, (b) => b.subarray(0, b.length - 1)));
avro('only the frame', 422, 'avro_decode_failed', (s) => changed(s, (b) => b.subarray(0, 5)));
avro('a byte too much', 422, 'avro_decode_failed', (s) => Buffer.concat([s.frame(P), Buffer.from([0])]));
avro('a text of 2 GB', 422, 'avro_decode_failed', (s) => bombed(s, [0xfe, 0xff, 0xff, 0xff, 0x0f]));
avro('a negative length', 422, 'avro_decode_failed', (s) => bombed(s, [0x01]));
avro('a varint without an end', 422, 'avro_decode_failed', (s) =>
  bombed(
    s,
    Array.from({ length: 12 }, () => 0xff),
  ),
);
avro('an overlong varint', 422, 'avro_decode_failed', (s) =>
  bombed(s, [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]),
);
avro('text that is no UTF-8', 422, 'avro_decode_failed', (s) => changed(s, (b) => void (b[7] = 0xff)));
avro('zeros', 422, 'avro_decode_failed', (s) =>
  bombed(
    s,
    Array.from({ length: 300 }, () => 0),
  ),
);
binary(
  'bare Avro without dataschema',
  400,
  'missing_attribute',
  (h) => delete h['ce-dataschema'],
  (s) => s.frame(P).subarray(5),
  'avro/binary',
);
binary(
  'bare Avro cut',
  422,
  'avro_decode_failed',
  (h) => (h['ce-dataschema'] = `urn:simpul:schema:${P}:1`),
  (s) => s.frame(P).subarray(5, 20),
  'avro/binary',
);
binary(
  'a frame as bare Avro',
  422,
  'avro_decode_failed',
  (h) => (h['ce-dataschema'] = `urn:simpul:schema:${P}:1`),
  (s) => s.frame(P),
  'avro/binary',
);

row = 'Login';
for (const [name, header] of [
  ['no key', undefined],
  ['another scheme', 'Basic YWRtaW46YWRtaW4='],
  ['an empty key', 'Bearer '],
  ['only the scheme', 'Bearer'],
  ['a wrong key', `Bearer simpul_00000000_${'A'.repeat(43)}`],
  ['a key of nonsense', 'Bearer x'],
  ['a very long key', `Bearer ${'x'.repeat(8_000)}`],
  ['alg none', 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.'],
] as const)
  for (const [method, path] of [
    ['POST', '/v1/events'],
    ['GET', '/v1/streams'],
    ['GET', '/v1/receipts?source=a&id=b'],
  ] as const)
    add(`${name}: ${method} ${path.split('?')[0]}`, 401, 'unauthenticated', (s) =>
      call(s, path, method === 'POST' ? JSON.stringify(s.event(P)) : undefined, {
        method,
        type: CE,
        key: undefined,
        headers: header === undefined ? {} : { authorization: header },
      }),
    );
get('a key in the address', 401, 'unauthenticated', '/v1/streams?key=x&access_token=x', { key: undefined });
body('bad JSON without a key', 401, 'unauthenticated', '{', { key: undefined });

row = 'Rights';
get('a receipt of others', 404, 'not_found', '/v1/receipts?source=urn:simpul:unit:SU00300:sdp&id=x');
get('a stream of others', 404, 'not_found', '/v1/streams/itjen.wbs');
get('events of others', 404, 'not_found', '/v1/streams/itjen.wbs/events');
get('live events of others', 404, 'not_found', '/v1/streams/itjen.wbs/live');
get('a stream of the hub itself', 404, 'not_found', '/v1/streams/_simpul.keys/events');
get('a record of the hub itself', 404, 'not_found', '/v1/events/_simpul.keys/0/0');

row = 'Cursors';
const EVENTS = '/v1/streams/imigrasi.paspor/events';
for (const cursor of ['x', '%20', 'e30', 'bnVsbA', 'W10', 'eyJzIjoiYSJ9', 'a'.repeat(3_000), '..%2f..%2f'])
  get(`cursor ${cursor.slice(0, 20)}`, 400, 'invalid_cursor', `${EVENTS}?cursor=${cursor}`);
get('a cursor beside from', 400, 'invalid_query', `${EVENTS}?cursor=x&from=latest`);
get('Last-Event-ID of nonsense', 400, 'invalid_cursor', '/v1/streams/imigrasi.paspor/live', {
  headers: { 'last-event-id': 'x' },
});

row = 'Query';
for (const q of [
  'limit=0',
  'limit=-1',
  'limit=1001',
  'limit=1000000000',
  'limit=abc',
  'limit=1.5',
  'limit=1&limit=2',
  'a[]=1',
  'limit[]=1',
  'tidakada=1',
  'sort=data.nik',
  'from=kemarin',
  'from=2021-07-15',
  'from=2021-07-15T00:00:00+07:00',
  'until=x',
  'from=layanan.kasus/0/0',
  'from=imigrasi.paspor/99/0',
  'from=imigrasi.paspor/0/-1',
  'type=tidak.ada.jenis',
  'type=.*',
  'wait=31',
  'wait=-1',
  'wait=x',
  'encoding=xml',
  'copies=ya',
  'subject=%00',
  'subject=a%0d%0ab',
  'subject=',
  'unit=%ff',
  `subject=${'x'.repeat(600)}`,
])
  get(`?${q.slice(0, 60)}`, 400, 'invalid_query', `${EVENTS}?${q}`);
for (const q of [
  '',
  '?source=a',
  '?id=a',
  '?source=&id=',
  '?source=a&id=b&id=c',
  `?source=a&id=${'x'.repeat(300)}`,
  '?source=a&id=%00',
])
  get(`receipts${q.slice(0, 40)}`, 400, 'invalid_query', `/v1/receipts${q}`);
for (const q of ['?from=x', '?limit=0', '?unit=a&unit=b', '?x=1'])
  get(`refusals${q}`, 400, 'invalid_query', `/v1/refusals${q}`);
for (const q of ['?partial=yes', '?dryRun=1', '?partial=true&partial=true', '?x=1'])
  body(`events${q}`, 400, 'invalid_query', (s) => JSON.stringify(s.event(P)), { path: `/v1/events${q}` });
get('a broken percent code', 400, 'bad_request_line', '/v1/streams/%zz');
get(
  'a clear subject of a pseudonym stream',
  400,
  'clear_subject_refused',
  '/v1/streams/pas.penghuni/events?subject=9901010101010001',
);

row = 'Paths';
for (const path of [
  '/v1/events/imigrasi.paspor/0/-1',
  '/v1/events/imigrasi.paspor/0/abc',
  '/v1/events/imigrasi.paspor/0/01',
  '/v1/events/imigrasi.paspor/0/99999999999999999999999',
  '/v1/events/imigrasi.paspor/999/0',
  '/v1/events/imigrasi.paspor/x/0',
  '/v1/events/..%2f..%2fetc/0/0',
  '/v1/streams/..%2f..%2fetc%2fpasswd',
  '/v1/streams/a%00b',
  '/',
  '/v2/events',
  '/v1//events',
  '/v1/events/',
  '/V1/EVENTS',
])
  get(path, 404, 'not_found', path);
get('a long part of a path', [404, 414], undefined, `/v1/streams/${'a'.repeat(3_000)}`);

row = 'Method';
for (const method of ['DELETE', 'PUT', 'PATCH', 'OPTIONS'])
  add(`${method} /v1/events`, 405, 'method_not_allowed', (s) => call(s, '/v1/events', undefined, { method }));
add('HEAD /v1/streams', 405, undefined, (s) => call(s, '/v1/streams', undefined, { method: 'HEAD' }));
for (const method of ['TRACE', 'PROPFIND', 'MKCOL'])
  add(`${method} /v1/streams`, 405, 'method_not_allowed', (s) =>
    raw(s, top(s, 'connection: close\r\n\r\n', `${method} /v1/streams HTTP/1.1`), { hold: true }),
  );
get('an override header', 405, 'method_not_allowed', '/v1/events', {
  headers: { 'x-http-method-override': 'POST', 'x-method-override': 'POST' },
});
add('CONNECT', [0, 400, 404, 405], undefined, (s) => raw(s, `CONNECT example.test:443 HTTP/1.1\r\nhost: a\r\n\r\n`));

/** Every case of bad input for publishing and reading. No case may change the log. */
export const BAD_INPUT: readonly BadCase[] = cases;
