import { call, caseList, CE, P, raw, rawRequest } from './case.js';

const { cases, group, add, body, get } = caseList();

group('Login');
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

group('Rights');
get('a receipt of another unit', 404, 'not_found', '/v1/receipts?source=urn:simpul:unit:SU00300:sdp&id=x');
get('a receipt of a source that no event can have', 400, 'invalid_query', '/v1/receipts?source=nonsense&id=x');
get('a receipt of a source without a system', 400, 'invalid_query', '/v1/receipts?source=urn:simpul:unit:SU00300&id=x');
get('a stream without access', 404, 'not_found', '/v1/streams/itjen.wbs');
get('events of a stream without access', 404, 'not_found', '/v1/streams/itjen.wbs/events');
get('live events of a stream without access', 404, 'not_found', '/v1/streams/itjen.wbs/live');
get('a stream of the hub itself', 404, 'not_found', '/v1/streams/_simpul.keys/events');
get('a record of the hub itself', 404, 'not_found', '/v1/events/_simpul.keys/0/0');

group('Cursors');
const EVENTS = '/v1/streams/imigrasi.paspor/events';
for (const cursor of ['x', '%20', 'e30', 'bnVsbA', 'W10', 'eyJzIjoiYSJ9', 'a'.repeat(3_000), '..%2f..%2f'])
  get(`cursor ${cursor.slice(0, 20)}`, 400, 'invalid_cursor', `${EVENTS}?cursor=${cursor}`);
get('a cursor beside from', 400, 'invalid_query', `${EVENTS}?cursor=x&from=latest`);
get('Last-Event-ID of nonsense', 400, 'invalid_cursor', '/v1/streams/imigrasi.paspor/live', {
  headers: { 'last-event-id': 'x' },
});

group('Query');
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
for (const q of ['?kind=quiet', '?state=x', '?unit=SU99999', '?limit=0', '?limit=1001', '?kind=gap&kind=skew', '?x=1'])
  get(`watch${q}`, 400, 'invalid_query', `/v1/watch${q}`);
for (const q of ['?partial=yes', '?dryRun=1', '?partial=true&partial=true', '?x=1'])
  body(`events${q}`, 400, 'invalid_query', (s) => JSON.stringify(s.event(P)), { path: `/v1/events${q}` });
get('a broken percent code', 400, 'bad_request_line', '/v1/streams/%zz');
get(
  'a clear subject of a pseudonym stream',
  400,
  'clear_subject_refused',
  '/v1/streams/pas.penghuni/events?subject=9901010101010001',
);

group('Paths');
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

group('Method');
for (const method of ['DELETE', 'PUT', 'PATCH', 'OPTIONS'])
  add(`${method} /v1/events`, 405, 'method_not_allowed', (s) => call(s, '/v1/events', undefined, { method }));
for (const method of ['TRACE', 'PROPFIND', 'MKCOL'])
  add(`${method} /v1/streams`, 405, 'method_not_allowed', (s) =>
    raw(s, rawRequest(s, 'connection: close\r\n\r\n', `${method} /v1/streams HTTP/1.1`), { hold: true }),
  );
get('an override header', 405, 'method_not_allowed', '/v1/events', {
  headers: { 'x-http-method-override': 'POST', 'x-method-override': 'POST' },
});
add('CONNECT', [0, 400, 404, 405], undefined, (s) => raw(s, `CONNECT example.test:443 HTTP/1.1\r\nhost: a\r\n\r\n`));

/** Keys and rights, cursors, query parameters, paths and methods. */
export const accessCases = cases;
