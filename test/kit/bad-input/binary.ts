import { call, caseList, H, P, raw, type BadInputSubject, type BadType } from './case.js';

const { cases, group, add } = caseList();

group('Binary mode');
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
for (const name of ['id', 'korelasi', 'subject'])
  for (const [what, code] of [
    ['U+FFFE', '%EF%BF%BE'],
    ['U+FFFF', '%EF%BF%BF'],
    ['U+FDEF', '%EF%B7%AF'],
    ['U+2FFFF', '%F0%AF%BF%BF'],
  ] as const)
    binary(`${what} by percent code in ce-${name}`, 422, 'forbidden_character', (h) => (h[`ce-${name}`] = `a${code}`));
binary('half a surrogate pair by percent code', 400, 'invalid_utf8', (h) => (h['ce-id'] = 'a%ED%A0%80'));
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

group('Avro bytes');
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
avro('an unknown schema id', 422, 'unknown_schema', (s) => changed(s, (b) => void b.writeUInt32BE(999_999, 1)));
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

/** The binary mode of CloudEvents and Avro data. */
export const binaryCases = cases;
