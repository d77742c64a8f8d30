import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Fault } from '#faults';
import { subscriptionId } from '#subscriptions';
import {
  CALLER_NAMES,
  MOST_SUBSCRIPTIONS,
  SubscriptionEdge,
  type Answer,
} from '../../../test/kit/doors/subscription-edge.js';

const SPEC = { name: 'payroll', types: ['sdm.#'], target: { kind: 'webhook', url: 'https://a.example/h' } };
const NOWHERE = 'sub_00000000000000000000';

let edge: SubscriptionEdge;
beforeEach(async () => {
  edge = await new SubscriptionEdge().open();
  edge.table.ownAll(edge.url);
});
afterEach(() => edge.close());

const dead = (id: string) => ({
  id,
  subject: 'S-1',
  position: 'imigrasi.paspor/0/4',
  cause: 'status',
  tries: 9,
  lastStatus: 422,
  firstAt: '2021-07-14T00:00:00.000Z',
  lastAt: '2021-07-15T00:00:00.000Z',
  held: 2,
});
const codes = (answers: readonly Answer[]): unknown[] => answers.map(({ status, body }) => [status, body?.code]);

describe('a subscription', () => {
  it('is made with its defaults, its version as ETag, and its secret in this answer only', async () => {
    const { status, headers, body } = await edge.ask('POST', '', 'own', SPEC);
    expect([status, headers.get('etag'), headers.get('cache-control')]).toEqual([201, '"1"', 'no-store']);
    expect(body).toMatchObject({
      id: expect.stringMatching(/^sub_[a-z0-9]{20}$/),
      ...{ name: 'payroll', owner: 'SU00123', types: ['sdm.#'], filters: [], start: 'now', test: false },
      target: { kind: 'webhook', url: 'https://a.example/h', mode: 'structured', data: 'json' },
      ...{ status: 'active', version: 1, secret: 'whsec_BARU' },
    });
    expect(body).not.toHaveProperty('secrets');
    const again = await edge.ask('GET', `/${body.id}`, 'own');
    expect(JSON.stringify(again.body)).not.toMatch(/whsec_|SEALED/);
    expect(again.body).toMatchObject({ lag: { events: 3, seconds: 12 }, inFlight: 1, parked: 0, dead: 0, held: 0 });
  });

  it('that is signed with v1a shows what verifies it in every answer, also above, and both keys of a rotation', async () => {
    const target = { ...SPEC.target, signature: 'v1a' };
    const { body } = await edge.ask('POST', '', 'own', { ...SPEC, target });
    const first = [{ key: 'whpk_SEALED' }];
    expect(body.publicKeys).toEqual(first);
    expect((await edge.ask('GET', `/${body.id}`, 'aboveadmin')).body.publicKeys).toEqual(first);
    expect((await edge.ask('GET', '', 'own')).body.subscriptions[0].publicKeys).toEqual(first);
    const both = [{ key: 'whpk_LATER' }, { key: 'whpk_SEALED', validUntil: '2021-07-16T00:00:00.000Z' }];
    expect((await edge.ask('POST', `/${body.id}/rotate-secret`, 'own')).body.publicKeys).toEqual(both);
    const patched = await edge.ask('PATCH', `/${body.id}`, 'own', { types: ['sdm.pegawai.#'] }, { 'if-match': '1' });
    expect([patched.status, patched.body.publicKeys]).toEqual([200, both]);
    const other = await edge.ask('PATCH', `/${body.id}`, 'own', { target: SPEC.target }, { 'if-match': '2' });
    expect(other.body).not.toHaveProperty('publicKeys');
  });

  it('whose secret cannot be opened is shown without a key', async () => {
    await edge.close();
    const unread = () => {
      throw new Fault('control_record_unreadable', { detail: 'x' });
    };
    edge = await new SubscriptionEdge(edge.table).open({ publicKeys: unread });
    edge.table.ownAll(edge.url);
    const id = await edge.made();
    const { status, body } = await edge.ask('GET', `/${id}`, 'own');
    expect([status, body.publicKeys]).toEqual([200, undefined]);
  });

  it('may be temporary with the target sse, and its audit record says so', async () => {
    const sse = { ...SPEC, target: { kind: 'sse' } };
    const { status, body } = await edge.ask('POST', '', 'own', { ...sse, temporary: true });
    expect([status, body.temporary]).toEqual([201, true]);
    expect(edge.audit.at(-1)).toMatchObject({ after: { name: 'payroll', temporary: true } });
    const lasting = await edge.ask('POST', '', 'own', { ...sse, name: 'lama', temporary: false });
    expect([lasting.status, lasting.body]).toEqual([
      201,
      expect.not.objectContaining({ temporary: expect.anything() }),
    ]);
    const pulled = await edge.ask('PATCH', `/${body.id}`, 'own', { target: { kind: 'pull' } }, { 'if-match': '1' });
    expect([pulled.status, pulled.body.errors[0].pointer]).toEqual([400, '/temporary']);
  });

  it('is only previewed by a dry run: nothing is made, nothing is on record', async () => {
    const { status, body } = await edge.ask('POST', '?dryRun=true', 'own', SPEC);
    expect([status, body]).toEqual([
      200,
      { matched: 2, since: '2021-07-08T00:00:00.000Z', examples: [{ id: 'satu' }] },
    ]);
    expect([edge.table.rows.size, edge.audit]).toEqual([0, []]);
  });

  it('is refused for a name that is taken, a rule that its content breaks, and beyond 100 of one owner', async () => {
    await edge.made();
    const taken = await edge.ask('POST', '', 'own', SPEC);
    const broken = await edge.ask('POST', '', 'own', { ...SPEC, name: 'b', types: ['tidak.ada'] });
    expect(codes([taken, broken])).toEqual([
      [409, 'conflict'],
      [400, 'invalid_request'],
    ]);
    expect(broken.body.errors[0].pointer).toBe('/types/0');
    const [row] = edge.table.all();
    for (let n = 1; n < MOST_SUBSCRIPTIONS; n++)
      edge.table.rows.set(`sub_${n}`, { ...row!, id: `sub_${n}`, name: `n${n}` });
    const many = await edge.ask('POST', '', 'own', { ...SPEC, name: 'lagi' });
    expect([...codes([many]), many.body.limit]).toEqual([[409, 'too_many_subscriptions'], MOST_SUBSCRIPTIONS]);
    expect((await edge.ask('POST', '', 'beside', { ...SPEC, name: 'lagi' })).status).toBe(201);
  });

  it('is redriven with other data of at most one event', async () => {
    const id = await edge.made();
    edge.table.held.get(id)!.dead = [dead('d-1')];
    const redrive = (bytes: number): Promise<Answer> =>
      edge.ask('POST', `/${id}/redrive`, 'own', { ids: ['d-1'], edited: { a: 'x'.repeat(bytes - 8) }, why: 'x' });
    const large = await redrive(1_048_577);
    expect([...codes([large]), large.body.errors.map((e: { pointer: string }) => e.pointer)]).toEqual([
      [400, 'invalid_request'],
      ['/edited'],
    ]);
    expect((await redrive(1_048_576)).status).toBe(202);
  });

  it('is changed only with its version, and says from where the change holds', async () => {
    const id = await edge.made();
    const change = { types: ['sdm.pegawai.#'] };
    const patch = (match: string | undefined, body: unknown = change): Promise<Answer> =>
      edge.ask('PATCH', `/${id}`, 'own', body, match === undefined ? {} : { 'if-match': match });
    expect(codes([await patch(undefined), await patch('"2"'), await patch('*'), await patch('"1"', {})])).toEqual([
      [428, 'version_missing'],
      [412, 'version_changed'],
      [400, 'invalid_request'],
      [400, 'invalid_request'],
    ]);
    const done = await patch('"1"');
    expect([done.status, done.headers.get('etag'), done.body.types, done.body.appliesFrom]).toEqual([
      ...[200, '"2"', ['sdm.pegawai.#']],
      { 'imigrasi.paspor': ['imigrasi.paspor/0/17'] },
    ]);
    expect(codes([await patch('"1"'), await patch('"2"', { types: ['tidak.ada'] })])).toEqual([
      [412, 'version_changed'],
      [400, 'invalid_request'],
    ]);
  });

  it('pauses, resumes, seeks, rotates its secret and is removed', async () => {
    const id = await edge.made();
    const paused = await edge.ask('POST', `/${id}/pause`, 'own', { why: 'pindah server' });
    expect(paused.body).toMatchObject({ status: 'paused', why: 'pindah server' });
    expect((await edge.ask('POST', `/${id}/resume`, 'own')).body).toMatchObject({ status: 'active' });
    const seek = {
      streams: { 'imigrasi.paspor': ['imigrasi.paspor/0/0'] },
      events: 17,
      again: 17,
      passedOver: 0,
      parked: 1,
      dead: 1,
      held: 3,
    };
    const before = edge.audit.length;
    expect((await edge.ask('POST', `/${id}/seek`, 'own', { to: 'earliest', dryRun: true })).body).toEqual({
      ...seek,
      dryRun: true,
    });
    expect(edge.audit.length).toBe(before);
    expect((await edge.ask('POST', `/${id}/seek`, 'own', { to: 'earliest' })).body).toEqual({ ...seek, dryRun: false });
    const rotated = await edge.ask('POST', `/${id}/rotate-secret`, 'own');
    expect([rotated.headers.get('cache-control'), rotated.body]).toEqual([
      'no-store',
      { secret: 'whsec_LAIN', previousValidUntil: '2021-07-16T00:00:00.000Z' },
    ]);
    const removed = await edge.ask('DELETE', `/${id}?why=selesai`, 'own');
    expect([removed.status, removed.body]).toEqual([200, { id, name: 'payroll', owner: 'SU00123', status: 'removed' }]);
    expect((await edge.ask('GET', `/${id}`, 'own')).status).toBe(404);
  });

  it('shows what it could not deliver, and delivers it again or skips it', async () => {
    const id = await edge.made();
    const held = edge.table.held.get(id)!;
    held.dead = ['d-1', 'd-2', 'd-3'].map(dead);
    held.parked = [
      {
        id: 'm-9',
        subject: 'S-9',
        position: 'imigrasi.paspor/0/9',
        since: '2021-07-15T00:00:00.000Z',
        cause: 'timeout',
        tries: 3,
        held: 1,
      },
    ];
    const page = await edge.ask('GET', `/${id}/dead-letters?limit=2`, 'own');
    expect(page.body).toEqual({ deadLetters: held.dead.slice(0, 2), next: '2' });
    expect((await edge.ask('GET', `/${id}/dead-letters?limit=2&cursor=2`, 'own')).body).toEqual({
      deadLetters: [held.dead[2]],
      next: null,
    });
    expect((await edge.ask('GET', `/${id}/parked`, 'own')).body).toEqual({ parked: held.parked, next: null });
    expect((await edge.ask('GET', `/${id}/deliveries?state=dead`, 'own')).body).toEqual({ deliveries: [], next: null });
    const dry = await edge.ask('POST', `/${id}/redrive`, 'own', { all: true, why: 'diperbaiki', dryRun: true });
    expect([dry.status, dry.body, edge.table.orders]).toEqual([200, { count: 3 }, []]);
    const order = { ids: ['d-1'], edited: { nik: '9900000000000002' }, why: 'diperbaiki' };
    const redriven = await edge.ask('POST', `/${id}/redrive`, 'own', order);
    expect([redriven.status, redriven.body]).toEqual([202, { job: 'job-1', count: 1 }]);
    expect(edge.table.orders).toEqual([{ ...order, rate: 20 }]);
    expect((await edge.ask('GET', `/${id}/redrives/job-1`, 'own')).body).toMatchObject({
      state: 'running',
      done: 0,
      failed: 0,
      left: 1,
    });
    expect((await edge.ask('GET', `/${id}/redrives`, 'own')).body).toMatchObject({
      redrives: [{ job: 'job-1', startedAt: expect.any(String), why: 'diperbaiki' }],
      next: null,
    });
    expect((await edge.ask('GET', `/${id}/redrives/lain`, 'own')).status).toBe(404);
    expect((await edge.ask('POST', `/${id}/skip`, 'own', { ids: ['d-1', 'd-2'], why: 'ganda' })).body).toEqual({
      skipped: 2,
    });
    expect((await edge.ask('GET', `/${id}`, 'own')).body).toMatchObject({ parked: 1, dead: 1, held: 3 });
  });
});

describe('who may do what with a subscription', () => {
  /** The status of each request, by the name of the key. */
  const table = async (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
    Object.fromEntries(
      await Promise.all(
        CALLER_NAMES.map(async (name) => [name, (await edge.ask(method, path, name, body, headers)).status] as const),
      ),
    );
  const others = { publisher: 403, beside: 404, abovereader: 404 };

  it('a reader key of its owner manages it; operators and admins above look, pause and resume; to all others it is missing', async () => {
    const id = await edge.made();
    const above = (status: number) => ({ ownadmin: status, aboveadmin: status, aboveoperator: status, hub: status });
    expect(await table('GET', `/${id}`)).toEqual({ ...others, own: 200, ...above(200) });
    expect(await table('POST', `/${id}/pause`, { why: 'x' })).toEqual({ ...others, own: 200, ...above(200) });
    expect(await table('POST', `/${id}/resume`, { why: 'x' })).toEqual({ ...others, own: 200, ...above(200) });
    expect(await table('POST', `/${id}/resume`)).toEqual({ ...others, own: 200, ...above(400) });
    for (const path of ['parked', 'dead-letters', 'deliveries'])
      expect([path, await table('GET', `/${id}/${path}`)]).toEqual([path, { ...others, own: 200, ...above(403) }]);
    const all = { all: true, why: 'x' };
    expect(await table('POST', `/${id}/redrive`, all)).toEqual({ ...others, own: 202, ...above(403) });
    expect(await table('POST', `/${id}/skip`, { ids: ['x'], why: 'x' })).toEqual({
      ...others,
      own: 200,
      ...above(403),
    });
    expect(await table('POST', `/${id}/seek`, { to: 'end' })).toEqual({ ...others, own: 200, ...above(403) });
    expect(await table('POST', `/${id}/rotate-secret`)).toEqual({ ...others, own: 200, ...above(403) });
    expect(await table('PATCH', `/${id}`, { types: ['sdm.pegawai.#'] }, { 'if-match': '1' })).toEqual({
      ...others,
      own: 200,
      ...above(403),
    });
    expect(await table('DELETE', `/${id}`)).toEqual({
      ...others,
      own: expect.anything(),
      ...above(expect.anything() as never),
    });
  });

  it('one of others is answered word for word like one that is not there', async () => {
    const id = await edge.made();
    const paths: [string, string, unknown?][] = [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/pause', { why: 'x' }],
      ['GET', '/dead-letters'],
      ['POST', '/redrive', { all: true, why: 'x' }],
    ];
    const withoutRequest = ({ status, body }: Answer): unknown => [status, { ...body, instance: '' }];
    for (const [method, path, body] of paths) {
      const there = await edge.ask(method, `/${id}${path}`, 'beside', body);
      const missing = await edge.ask(method, `/${NOWHERE}${path}`, 'beside', body);
      expect([there.status, withoutRequest(there)]).toEqual([404, withoutRequest(missing)]);
    }
    expect((await edge.ask('GET', '/bukan-id', 'own')).status).toBe(404);
  });

  it('lists to everybody the subscriptions that it may see, with a place to go on', async () => {
    const ids = [await edge.made('a'), await edge.made('b'), await edge.made('c')].sort();
    const listed = async (as: string, query = ''): Promise<string[]> =>
      ((await edge.ask('GET', query, as)).body.subscriptions as { id: string }[]).map(({ id }) => id);
    for (const as of ['own', 'ownadmin', 'aboveadmin', 'aboveoperator', 'hub'])
      expect([as, await listed(as)]).toEqual([as, ids]);
    for (const as of ['beside', 'abovereader']) expect([as, await listed(as)]).toEqual([as, []]);
    expect(await listed('own', '?name=b')).toHaveLength(1);
    expect(await listed('hub', '?owner=SU00124')).toEqual([]);
    const first = await edge.ask('GET', '?limit=2', 'own');
    expect(first.body.next).not.toBeNull();
    expect(await listed('own', `?limit=2&cursor=${first.body.next}`)).toEqual(ids.slice(2));
  });

  it('a unit above sees no token of a URL and no value of a filter over data; its owner does', async () => {
    const id = await edge.made();
    for (const path of [`/${id}`, '']) {
      expect(JSON.stringify((await edge.ask('GET', path, 'own')).body)).toMatch(/RAHASIA.*|9900000000000001/);
      const seen = JSON.stringify((await edge.ask('GET', path, 'aboveadmin')).body);
      expect(seen).toContain('https://a.example/h?…');
      expect(seen).not.toMatch(/RAHASIA|9900000000000001/);
    }
  });
});

describe('every change of a subscription', () => {
  it('is on record with who, what, which and why, before and after it, without secrets, tokens, subjects and data', async () => {
    const id = await edge.made();
    const held = edge.table.held.get(id)!;
    held.dead = [dead('d-1')];
    const filters = [{ all: [{ exact: { 'data.nik': '9900000000000003' } }, { not: { prefix: { source: 'urn:' } } }] }];
    await edge.ask('PATCH', `/${id}`, 'own', { filters, why: 'lebih sempit' }, { 'if-match': '"1"' });
    await edge.ask('POST', `/${id}/pause`, 'aboveadmin', { why: 'pemeliharaan' });
    await edge.ask('POST', `/${id}/resume`, 'own');
    await edge.ask('POST', `/${id}/seek`, 'own', { to: 'end', why: 'lama' });
    await edge.ask('POST', `/${id}/rotate-secret`, 'own');
    await edge.ask('POST', `/${id}/redrive`, 'own', {
      ids: ['d-1'],
      edited: { nik: '9900000000000002' },
      why: 'salah NIK',
    });
    await edge.ask('POST', `/${id}/redrive`, 'own', { filter: { subject: 'S-1' }, why: 'lagi' });
    await edge.ask('POST', `/${id}/skip`, 'own', { ids: ['d-1'], why: 'ganda' });
    await edge.ask('DELETE', `/${id}?why=selesai`, 'own');
    const done = edge.audit.filter(({ phase }) => phase === 'done') as unknown as Record<string, never>[];
    expect(done.map(({ what }) => what)).toEqual([
      ...['create', 'change', 'pause', 'resume', 'seek', 'rotate-secret', 'redrive', 'redrive', 'skip', 'remove'].map(
        (what) => `subscription.${what}`,
      ),
    ]);
    expect(edge.audit.filter(({ phase }) => phase === 'intent')).toHaveLength(done.length);
    expect(done[1]).toMatchObject({
      who: { keyId: 'own', owner: 'SU00123' },
      target: id,
      why: 'lebih sempit',
      before: { owner: 'SU00123', name: 'payroll', version: 1, filters: [{ exact: { 'data.nik': '…' } }] },
      after: {
        owner: 'SU00123',
        version: 2,
        filters: [{ all: [{ exact: { 'data.nik': '…' } }, { not: { prefix: { source: 'urn:' } } }] }],
      },
    });
    expect(done[2]).toMatchObject({ who: { keyId: 'aboveadmin' }, why: 'pemeliharaan', after: { state: 'paused' } });
    expect(done[6]).toMatchObject({
      why: 'salah NIK',
      after: { ids: ['d-1'], edited: true, rate: 20, job: 'job-1', count: 1 },
    });
    expect(done[7]).toMatchObject({ after: { filter: { subject: '…' } } });
    expect(JSON.stringify(edge.audit)).not.toMatch(/whsec_|SEALED|RAHASIA|99000000|S-1/);
  });

  it('that is refused is on record as failed, and one that cannot be recorded is not done', async () => {
    await edge.made();
    await edge.ask('POST', '', 'own', SPEC);
    expect(edge.audit.at(-1)).toMatchObject({
      what: 'subscription.create',
      phase: 'failed',
      code: 'conflict',
      target: subscriptionId('SU00123', 'payroll'),
    });
    await edge.close();
    const full = () => Promise.resolve({ kind: 'refused', code: 'disk_full' } as never);
    edge = await new SubscriptionEdge(edge.table).open({ log: { append: full } });
    edge.table.ownAll(edge.url);
    const [row] = edge.table.all();
    const answer = await edge.ask('DELETE', `/${row!.id}`, 'own');
    expect([codes([answer]), edge.table.rows.size]).toEqual([[[503, 'not_durable']], 1]);
  });
});

describe('a bad request about subscriptions', () => {
  const spec = (more: object): string => JSON.stringify({ ...SPEC, ...more });
  const deep = (levels: number): object => (levels === 0 ? { exact: { type: 'x' } } : { not: deep(levels - 1) });
  it.each<
    [string, string, string, unknown, number, string] | [string, string, string, unknown, number, string, string]
  >([
    ['no JSON', 'POST', '', '{', 400, 'invalid_json'],
    ['an empty body', 'POST', '', '', 400, 'invalid_json'],
    ['no name', 'POST', '', '{"types":["a"],"target":{"kind":"pull"}}', 400, 'invalid_request', '/name'],
    ['an unknown member', 'POST', '', spec({ lain: 1 }), 400, 'invalid_request', '/lain'],
    ['a name with capitals', 'POST', '', spec({ name: 'Payroll' }), 400, 'invalid_request', '/name'],
    ['a name of 64 letters', 'POST', '', spec({ name: 'a'.repeat(64) }), 400, 'invalid_request', '/name'],
    ['no types', 'POST', '', spec({ types: [] }), 400, 'invalid_request', '/types'],
    ['51 types', 'POST', '', spec({ types: Array<string>(51).fill('a') }), 400, 'invalid_request', '/types'],
    ['an unknown target', 'POST', '', spec({ target: { kind: 'email' } }), 400, 'invalid_request', '/target/kind'],
    ['a webhook without URL', 'POST', '', spec({ target: { kind: 'webhook' } }), 400, 'invalid_request', '/target/url'],
    [
      'a pull with URL',
      'POST',
      '',
      spec({ target: { kind: 'pull', url: 'x' } }),
      400,
      'invalid_request',
      '/target/url',
    ],
    ['a filter of no dialect', 'POST', '', spec({ filters: [{ sql: '1=1' }] }), 400, 'invalid_request', '/filters/0'],
    [
      'a filter of two dialects',
      'POST',
      '',
      spec({ filters: [{ exact: { a: 'b' }, prefix: { a: 'b' } }] }),
      400,
      'invalid_request',
      '/filters/0',
    ],
    [
      'a filter over a number',
      'POST',
      '',
      spec({ filters: [{ exact: { a: 1 } }] }),
      400,
      'invalid_request',
      '/filters/0/exact/a',
    ],
    [
      'a filter of 9 levels',
      'POST',
      '',
      spec({ filters: [deep(8)] }),
      400,
      'invalid_request',
      '/filters/0/not/not/not/not/not',
    ],
    [
      'units of a wrong province',
      'POST',
      '',
      spec({ units: { province: 'Kaltara' } }),
      400,
      'invalid_request',
      '/units/province',
    ],
    ['a start of nonsense', 'POST', '', spec({ start: 'kemarin' }), 400, 'invalid_request', '/start'],
    [
      'a start at a time without zone',
      'POST',
      '',
      spec({ start: '2021-07-15T00:00:00' }),
      400,
      'invalid_request',
      '/start',
    ],
    ['a start at the end', 'POST', '', spec({ start: 'end' }), 400, 'invalid_request', '/start'],
    ['test as text', 'POST', '', spec({ test: 'ya' }), 400, 'invalid_request', '/test'],
    ['a body of 65 KiB', 'POST', '', spec({ lain: 'x'.repeat(66_000) }), 413, 'body_too_large'],
    ['a prototype', 'POST', '', '{"__proto__":{}}', 400, 'forbidden_key'],
    ['a dry run of nonsense', 'POST', '?dryRun=ya', spec({}), 400, 'invalid_query', '?dryRun'],
    ['an unknown parameter', 'GET', '?lain=1', undefined, 400, 'invalid_query', '?lain'],
    ['limit 0', 'GET', '?limit=0', undefined, 400, 'invalid_query', '?limit'],
    ['a cursor of nonsense', 'GET', '?cursor=x', undefined, 400, 'invalid_cursor'],
    ['an unknown method', 'PUT', '', spec({}), 405, 'method_not_allowed'],
    ['PATCH of a name', 'PATCH', '/ID', '{"name":"b"}', 400, 'invalid_request', '/name'],
    ['PATCH of a start', 'PATCH', '/ID', '{"start":"now"}', 400, 'invalid_request', '/start'],
    ['a pause without why', 'POST', '/ID/pause', '{}', 400, 'invalid_request', '/why'],
    ['a pause with an empty why', 'POST', '/ID/pause', '{"why":""}', 400, 'invalid_request', '/why'],
    ['a resume with nonsense', 'POST', '/ID/resume', '{"because":"x"}', 400, 'invalid_request', '/because'],
    ['a seek nowhere', 'POST', '/ID/seek', '{"to":"kemarin"}', 400, 'invalid_request', '/to'],
    ['a seek to now', 'POST', '/ID/seek', '{"to":"now"}', 400, 'invalid_request', '/to'],
    ['deliveries of no state', 'GET', '/ID/deliveries?state=hilang', undefined, 400, 'invalid_query', '?state'],
    ['dead letters with a cursor of nonsense', 'GET', '/ID/dead-letters?cursor=x', undefined, 400, 'invalid_cursor'],
    ['a redrive of nothing', 'POST', '/ID/redrive', '{"why":"x"}', 400, 'invalid_request', ''],
    [
      'a redrive of two choices',
      'POST',
      '/ID/redrive',
      '{"all":true,"ids":["a"],"why":"x"}',
      400,
      'invalid_request',
      '',
    ],
    ['a redrive without why', 'POST', '/ID/redrive', '{"all":true}', 400, 'invalid_request', '/why'],
    ['a redrive at rate 0', 'POST', '/ID/redrive', '{"all":true,"why":"x","rate":0}', 400, 'invalid_request', '/rate'],
    [
      'edited data for all',
      'POST',
      '/ID/redrive',
      '{"all":true,"why":"x","edited":{}}',
      400,
      'invalid_request',
      '/edited',
    ],
    [
      'edited data for two',
      'POST',
      '/ID/redrive',
      '{"ids":["a","b"],"why":"x","edited":{}}',
      400,
      'invalid_request',
      '/edited',
    ],
    ['a skip of nothing', 'POST', '/ID/skip', '{"ids":[],"why":"x"}', 400, 'invalid_request', '/ids'],
    ['a skip without why', 'POST', '/ID/skip', '{"ids":["a"]}', 400, 'invalid_request', '/why'],
  ])('%s', async (...given) => {
    const [, method, path, body, status, code, pointer] = given;
    const id = await edge.made();
    const answer = await edge.ask(method, path.replace('ID', id), 'own', body, {
      'content-type': 'application/json',
      'if-match': '"1"',
    });
    expect(codes([answer])).toEqual([[status, code]]);
    if (pointer !== undefined) expect(answer.body.errors.map((e: { pointer: string }) => e.pointer)).toContain(pointer);
    expect(edge.table.rows.size).toBe(1);
  });
});
