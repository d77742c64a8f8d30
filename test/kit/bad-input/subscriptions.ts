import { subscriptionId } from '#subscriptions';
import { call, caseList, type BadCase } from './case.js';

const { cases, group, add } = caseList();

/** The subscription that the cases are about: of the unit of the key, with the target pull. */
export const SUBSCRIPTION = { name: 'payroll', types: ['sdm.#'], target: { kind: 'pull' } } as const;
export const SUBSCRIPTION_ID = subscriptionId('SU00123', SUBSCRIPTION.name);

const ROOT = '/v1/subscriptions';
const HERE = `${ROOT}/${SUBSCRIPTION_ID}`;
const JSON_TYPE = 'application/json';

/** Doors with a body: a good one, and for each member what is wrong there. */
const DOORS: readonly (readonly [string, string, Record<string, unknown>, Record<string, readonly unknown[]>])[] = [
  [
    'POST',
    ROOT,
    { ...SUBSCRIPTION, name: 'lain' },
    {
      name: [7, null, {}, 'x'.repeat(300), 'A', 'a\u0000'],
      types: ['sdm.#', [7], [[]], ['x'.repeat(300)], Array(1_001).fill('sdm.#'), ['#.sdm']],
      filters: [{}, ['x'], [{ exact: { type: 1 } }], [{ sql: 'x' }]],
      units: [7, [], { lain: 'x' }, { function: 7 }, { below: 'x'.repeat(100) }],
      start: [7, 'kemarin', 'x'.repeat(300), 'sdm.pegawai/0/99999999999999999999'],
      test: ['ya', 1],
      temporary: ['ya', true],
      target: [7, {}, { kind: 'email' }, { kind: 'pull', url: 'x' }, { kind: 'webhook', url: 7 }],
    },
  ],
  [
    'PATCH',
    HERE,
    { types: ['sdm.#'] },
    { types: [7, []], filters: [7], target: [7, {}], why: [7, '', 'x'.repeat(600)] },
  ],
  ['POST', `${HERE}/pause`, { why: 'x' }, { why: [7, '', 'x'.repeat(600), null] }],
  ['POST', `${HERE}/resume`, { why: 'x' }, { why: [7, '', 'x'.repeat(600)] }],
  [
    'POST',
    `${HERE}/seek`,
    { to: 'end' },
    { to: [7, null, 'kemarin', 'x'.repeat(300), 'a/0/-1'], dryRun: ['ya', 1], why: [7] },
  ],
  [
    'POST',
    `${HERE}/redrive`,
    { all: true, why: 'x' },
    { rate: [0, -1, 1e9, '20'], why: [7, ''], all: [false, 'ya'], dryRun: [1], edited: [7, [], { a: 1 }] },
  ],
  ['POST', `${HERE}/skip`, { ids: ['x'], why: 'x' }, { ids: [[], 'x', [7], Array(1_001).fill('x')], why: [7, ''] }],
  [
    'POST',
    `${HERE}/commit`,
    { token: 'x', through: 'sdm.pegawai/0/1' },
    { token: [7, '', 'x'.repeat(33_000)], through: [7, [], 'x', ['sdm.pegawai/0/1', 'x']], except: ['x', ['x']] },
  ],
  ['POST', `${HERE}/release`, { token: 'x' }, { token: [7, ''], failed: [7, '', 'Huruf Besar'] }],
];

const briefly = (value: unknown): string => {
  const text = JSON.stringify(value);
  return text.length > 50 ? `${text.slice(0, 40)}… (${text.length})` : text;
};

for (const [method, path, good, wrong] of DOORS) {
  const door = `${method} ${path.replace(SUBSCRIPTION_ID, '{id}')}`;
  group(door);
  const bad = (
    name: string,
    status: number,
    code: string,
    body: string | Buffer,
    more: Partial<BadCase> & { readonly type?: string; readonly query?: string } = {},
  ): void => {
    const { type = JSON_TYPE, query = '', ...about } = more;
    add(
      name,
      status,
      code,
      (s) => call(s, `${path}${query}`, body, { method, type, headers: { 'if-match': '"1"' } }),
      about,
    );
  };
  const text = JSON.stringify(good);
  const within = (member: string): string => `${text.slice(0, -1)},${member}}`;
  bad('half of JSON', 400, 'invalid_json', text.slice(0, -1));
  for (const other of ['[]', 'null', '"x"', '7']) bad(`${other} for an object`, 400, 'invalid_request', other);
  bad('no body type', 415, 'unsupported_media_type', text, { type: 'text/plain' });
  bad(
    'bytes that are no UTF-8',
    400,
    'invalid_utf8',
    Buffer.concat([Buffer.from('{"why":"'), Buffer.from([0xff, 0x22, 0x7d])]),
  );
  bad('65 levels', 400, 'json_too_deep', within(`"lain":${'['.repeat(65)}${']'.repeat(65)}`));
  bad('a name twice', 400, 'duplicate_key', within('"lain":1,"lain":2'));
  bad('__proto__', 400, 'forbidden_key', within('"__proto__":{"a":1}'));
  bad('an unknown member', 400, 'invalid_request', within('"lain":1'), { pointer: '/lain' });
  bad('2 MB', 413, 'body_too_large', within(`"lain":"${'x'.repeat(2_000_000)}"`));
  bad('an unknown parameter', 400, 'invalid_query', text, { query: '?lain=1', pointer: '?lain' });
  for (const [member, values] of Object.entries(wrong))
    for (const value of values)
      bad(`${member} ${briefly(value)}`, 400, 'invalid_request', JSON.stringify({ ...good, [member]: value }), {
        pointer: `/${member}`,
      });
}

group('Queries of subscriptions');
for (const [method, path, queries] of [
  ['GET', ROOT, ['limit=0', 'limit=1001', 'name=a&name=b', 'owner=%00', 'lain=1', 'limit=1e3x']],
  [
    'POST',
    `${HERE}/pull`,
    ['limit=0', 'limit=1001', 'limit=x', 'wait=-1', 'wait=31', 'lease=0.1', 'lease=61', 'lain=1'],
  ],
  ['GET', `${HERE}/deliveries`, ['state=hilang', 'subject=', `subject=${'x'.repeat(600)}`, 'limit=0', 'lain=1']],
  ['GET', `${HERE}/parked`, ['limit=0', 'lain=1']],
  ['GET', `${HERE}/dead-letters`, ['limit=-1', 'lain=1']],
  ['GET', `${HERE}/live`, ['lain=1']],
  [
    'GET',
    '/v1/attempts',
    [
      'limit=0',
      'limit=1001',
      'limit=x',
      'from=kemarin',
      'from=sdm.pegawai/0/1',
      'from=_simpul.attempts/16/0',
      'from=_simpul.attempts/0/999999999',
      'from=a&from=b',
      'subject=x',
      'lain=1',
    ],
  ],
  ['DELETE', HERE, ['why=', `why=${'x'.repeat(600)}`, 'lain=1']],
] as const)
  for (const query of queries)
    add(
      `${method} ${path.replace(SUBSCRIPTION_ID, '{id}')}?${query.slice(0, 30)}`,
      400,
      'invalid_query',
      (s) => call(s, `${path}?${query}`, undefined, { method }),
      { pointer: `?${query.slice(0, query.indexOf('='))}` },
    );

group('Ids of subscriptions');
for (const id of ['x', 'sub_', `sub_${'a'.repeat(20)}`, `sub_${'A'.repeat(20)}`, '%00', '..%2f..', 'a'.repeat(2_000)])
  for (const [method, below] of [
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/pull'],
    ['GET', '/dead-letters'],
    ['GET', '/redrives/x'],
  ] as const)
    add(`${method} ${id.slice(0, 30)}${below}`, [404, 414], undefined, (s) =>
      call(s, `${ROOT}/${id}${below}`, undefined, { method }),
    );
add('a job of nonsense', 404, 'not_found', (s) => call(s, `${HERE}/redrives/${'x'.repeat(500)}`));
for (const cursor of ['x', '%7b', '-1', 'a'.repeat(3_000)])
  for (const list of [ROOT, '/v1/attempts'])
    add(`cursor ${cursor.slice(0, 20)} at ${list}`, 400, 'invalid_cursor', (s) => call(s, `${list}?cursor=${cursor}`));
add(
  'from= beside a cursor at /v1/attempts',
  400,
  'invalid_query',
  (s) => call(s, '/v1/attempts?from=earliest&cursor=x'),
  {
    pointer: '?from',
  },
);
add('PATCH without If-Match', 428, 'version_missing', (s) =>
  call(s, HERE, '{"types":["sdm.#"]}', { method: 'PATCH', type: JSON_TYPE }),
);
for (const tag of ['x', '*', '"1e3"', 'W/"1"'])
  add(`If-Match ${tag}`, 400, 'invalid_request', (s) =>
    call(s, HERE, '{"types":["sdm.#"]}', { method: 'PATCH', type: JSON_TYPE, headers: { 'if-match': tag } }),
  );

/** Bodies, queries, ids and versions at the doors of subscriptions. */
export const subscriptionCases = cases;
