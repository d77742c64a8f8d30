import { BATCH, call, caseList, CE, MIB, NDJSON, P, raw, rawRequest } from './case.js';

const { cases, group, add, body } = caseList();

group('Body size');
body('one byte over 1 MiB', 413, 'body_too_large', (s) => JSON.stringify(s.event(P)).padEnd(MIB + 1));
body(
  '8 MiB of JSON that is one event, however it would be refused: not parsed',
  413,
  'body_too_large',
  '{'.repeat(8 * MIB),
);
body('9 MiB', 413, 'body_too_large', ' '.repeat(9 * MIB));
add('Content-Length 10^12', 413, 'body_too_large', (s) =>
  raw(s, rawRequest(s, 'content-length: 1000000000000\r\n\r\n{'), { hold: true }),
);
add(
  'endless chunks',
  413,
  'body_too_large',
  (s) =>
    raw(s, rawRequest(s, 'transfer-encoding: chunked\r\n\r\n'), {
      flood: Buffer.from(`10000\r\n${' '.repeat(0x10000)}\r\n`),
    }),
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
add(
  'a line of 2 MiB in a list, however it would be refused: not parsed',
  422,
  'body_too_large',
  (s) => call(s, '/v1/events', `{"id":[${'0,'.repeat(MIB)}`, { type: NDJSON }),
  { item: true, slow: true },
);
for (const path of ['/v1/receipts', '/health/live', '/v1/tidak-ada'])
  add(`a body of 9 MiB on a route without a body: ${path}`, [404, 405, 413], undefined, (s) =>
    call(s, path, ' '.repeat(9 * MIB), { type: CE }),
  );

group('Wrong length');
add('a body shorter than its Content-Length', 400, 'length_mismatch', (s) =>
  raw(s, rawRequest(s, 'content-length: 500\r\n\r\n{"specversion":"1.0"}')),
);
add('a body longer than its Content-Length', 400, 'invalid_json', (s) =>
  raw(s, rawRequest(s, 'content-length: 10\r\n\r\n{"specversion":"1.0"}')),
);
add('no length at all: an empty body', 400, 'invalid_json', (s) =>
  raw(s, rawRequest(s, 'connection: close\r\n\r\n'), { hold: true }),
);
for (const length of ['-1', 'abc', '+5', '0x10', '1,2', '1 2', '99999999999999999999999999'])
  add(`Content-Length ${length}`, 400, 'bad_request_line', (s) =>
    raw(s, rawRequest(s, `content-length: ${length}\r\n\r\n{}`)),
  );

group('Slowloris');
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
  (s) => raw(s, rawRequest(s, 'content-length: 5000\r\n\r\n{'), { hold: true }),
  { slow: true },
);
add(
  'chunks that do not end',
  408,
  'request_timeout',
  (s) => raw(s, rawRequest(s, 'transfer-encoding: chunked\r\n\r\n1\r\n{\r\n'), { hold: true }),
  { slow: true },
);

group('Header flood');
add('17 KiB of header', 431, 'header_too_large', (s) => raw(s, rawRequest(s, `x: ${'y'.repeat(17_000)}\r\n\r\n`)));
add('1,000 headers', 431, 'header_too_large', (s) =>
  raw(
    s,
    rawRequest(s, `${Array.from({ length: 1_000 }, (_, i) => `x${i}: y\r\n`).join('')}content-length: 2\r\n\r\n{}`),
    {
      hold: true,
    },
  ),
);
add('a long name of a header', 431, 'header_too_large', (s) =>
  raw(s, rawRequest(s, `${'x'.repeat(17_000)}: y\r\n\r\n`)),
);
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
    raw(s, Buffer.from(rawRequest(s, `${line}\r\ncontent-length: 2\r\n\r\n{}`), 'latin1')),
  );

group('Smuggling');
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
  ['a chunk longer than its size', 'transfer-encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n'],
  ['a negative chunk', 'transfer-encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n'],
] as const)
  add(name, 400, 'bad_request_line', (s) => raw(s, rawRequest(s, text), { hold: true }));
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
  add(name, 400, 'bad_request_line', (s) => raw(s, rawRequest(s, `${twice}\r\ncontent-length: 2\r\n\r\n{}`)));
add('no Host header on an unknown path', 400, 'bad_request_line', (s) => raw(s, 'GET /v1/tidak-ada HTTP/1.1\r\n\r\n'));
add('CONNECT: the hub is no proxy', 405, 'method_not_allowed', (s) =>
  raw(s, 'CONNECT example.test:443 HTTP/1.1\r\nhost: example.test:443\r\n\r\n'),
);
add('an unknown expectation', 417, 'expectation_failed', (s) =>
  raw(s, rawRequest(s, 'expect: foo\r\ncontent-length: 2\r\n\r\n{}')),
);
add('100-continue without a key: no 100 before 401', 401, 'unauthenticated', (s) =>
  raw(
    s,
    `POST /v1/events HTTP/1.1\r\nhost: a\r\ncontent-type: ${CE}\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n`,
  ),
);
add('100-continue before a body that is too large: no 100 before 413', 413, 'body_too_large', (s) =>
  raw(s, rawRequest(s, 'expect: 100-continue\r\ncontent-length: 1000000000\r\n\r\n')),
);

/** Sizes, timeouts, header limits and request smuggling: what the HTTP server must refuse. */
export const framingCases = cases;
