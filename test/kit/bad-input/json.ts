import { BATCH, call, caseList, CE, H, MIB, NDJSON, P, raw, splice, T } from './case.js';

const { cases, group, add, body, spliced } = caseList();

group('Media');
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

group('Bad JSON');
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
body('a JSON syntax error in binary mode', 400, 'invalid_json', '{"a":', {
  type: 'application/json',
  headers: { 'ce-specversion': '1.0', 'ce-id': 'x', 'ce-source': 'x', 'ce-type': P },
});

group('Deep or ambiguous JSON');
body('65 levels', 400, 'json_too_deep', `{"data":${'['.repeat(65)}${']'.repeat(65)}}`);
body('a megabyte of [', 400, 'json_too_deep', '['.repeat(MIB - 10));
body('7 MiB of {"a":', 413, 'body_too_large', '{"a":'.repeat(1_400_000));
body('a megabyte of {"a":', 400, 'json_too_deep', '{"a":'.repeat(MIB / 5 - 2));
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

group('Many names');
const manyNames = (count: number, of = 1): string =>
  Array.from({ length: of }, (_, o) => `{${Array.from({ length: count }, (_, i) => `"n${o * count + i}":1`)}}`).join(
    ',',
  );
body('70,000 names in one object', 413, 'too_many_names', `{"data":${manyNames(70_000)}}`);
body('30,000 names in 10,000 objects', 413, 'too_many_names', `{"data":[${manyNames(3, 10_000)}]}`);
body('1,001 names as data in binary mode', 413, 'too_many_names', manyNames(1_001), {
  type: 'application/json',
  headers: { 'ce-specversion': '1.0', 'ce-id': 'x', 'ce-source': 'x', 'ce-type': P },
});
for (const [form, type, list] of [
  ['a list', BATCH, (event: string) => `[${event}]`],
  ['lines', NDJSON, (event: string) => `${event}\n`],
] as const)
  add(
    `an event with 1,001 names in ${form}: refused alone`,
    422,
    'too_many_names',
    (s) => call(s, '/v1/events', list(`{"data":${manyNames(1_001)}}`), { type }),
    { item: true },
  );

group('Numbers');
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

group('Text');
spliced('the high half of a surrogate pair in the data', 422, 'forbidden_character', P, 'namaLengkap', '"a\\ud800b"');
spliced('the low half of a surrogate pair', 422, 'forbidden_character', P, 'namaLengkap', '"\\udc00"');
spliced('NUL in the data', 422, 'forbidden_character', P, 'namaLengkap', '"a\\u0000b"');
spliced('a bidi override in a name', 422, 'forbidden_character', P, 'namaLengkap', '"a\\u202eb"');
spliced('a bidi isolate in a name', 422, 'forbidden_character', P, 'namaLengkap', '"a\\u2066b"');
for (const [name, text] of [
  ['NUL', '"a\\u0000"'],
  ['a line break', '"a\\r\\nb"'],
  ['half a surrogate pair', '"\\ud800"'],
  ['a bidi override', '"a\\u202e"'],
  ['an escape character', '"\\u001b[31m"'],
  ['U+FFFE', '"a\\ufffe"'],
  ['U+FFFF', '"\\uffffa"'],
  ['U+FDD0, a noncharacter', '"a\\ufdd0"'],
  ['U+1FFFE, a noncharacter beyond 16 bits', '"a\\ud83f\\udffe"'],
  ['U+10FFFF, a noncharacter beyond 16 bits', '"\\udbff\\udfff"'],
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

/** Media types, JSON syntax and limits, numbers and text. */
export const jsonCases = cases;
