import { BATCH, call, caseList, H, NDJSON, P } from './case.js';

const { cases, group, add, body, event } = caseList();

group('Envelope');
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
event('a type of another unit', 403, 'type_not_yours', (e) => {
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
  copyof: 'a.b/0/0',
  stale: 'false',
  next: 'x',
  incomplete: 'true',
  damaged: 'a.b/0/0',
  atasnama: 'urn:simpul:unit:SU00300:uji',
}))
  event(`${name} set by the publisher`, 422, 'invalid_attribute', (e) => (e[name] = value));
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

group('Data');
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
event('a symbol that the enum does not have', 422, 'schema_mismatch', (e) => (e.data['jenisKelamin'] = 'X'));
event(
  'the default symbol, which only readers may use',
  422,
  'schema_mismatch',
  (e) => (e.data['jenisKelamin'] = '_tidak_dikenal'),
);
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

group('Batch');
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
  'one invalid event of 500',
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
  'one id with two contents',
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
  'one event of another unit',
  422,
  'source_not_yours',
  (s) =>
    call(s, '/v1/events', JSON.stringify([s.event(P), { ...s.event(P), source: 'urn:simpul:unit:SU00300:sdp' }]), {
      type: BATCH,
    }),
  { item: true },
);

/** Attributes of the envelope, data of the contract, batches. */
export const eventsCases = cases;
