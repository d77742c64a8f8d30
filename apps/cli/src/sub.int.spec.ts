import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scriptedHub, type Script } from '../../../test/kit/scripted-hub.js';
import { EXIT } from './refusal.js';
import { runCommand } from './run.js';

const ID = `sub_${'a'.repeat(20)}`;
const OTHER = `sub_${'b'.repeat(20)}`;
const row = (id: string, more: object = {}) => ({
  ...{ id, name: 'payroll', owner: 'SU00123', types: ['sdm.#'], filters: [], status: 'active', version: 3 },
  target: { kind: 'webhook', url: 'https://a.example/h' },
  ...more,
});
const standing = { lag: { events: 17, seconds: 600 }, inFlight: 1, parked: 1, dead: 0, held: 4 };
const letter = {
  ...{ id: 'd-1', subject: 'S-1', position: 'sdm.pegawai/0/4', cause: 'status', tries: 9, lastStatus: 422 },
  ...{ firstAt: '2021-07-14T00:00:00.000Z', lastAt: '2021-07-15T00:00:00.000Z', held: 2 },
};
const attempt = {
  ...{ id: 'd-1', position: 'sdm.pegawai/0/4', subject: 'S-1', try: 2, at: '2021-07-15T00:00:00.000Z', ms: 120 },
  ...{ status: 422, outcome: 'parked', head: 'x' },
};

let asked = 0;
const job = (state: string, done: number): object => ({
  ...{ job: 'job-1', state, done, failed: 0, left: 3 - done, startedAt: '2021-07-15T00:00:00.000Z', why: 'x' },
});

let hub: Awaited<ReturnType<typeof scriptedHub>> | undefined;
afterEach(async () => {
  jest.restoreAllMocks();
  await hub?.close();
  hub = undefined;
});

/** A hub with one subscription, unless `more` answers. */
async function withHub(more: Script = () => undefined): Promise<void> {
  hub = await scriptedHub((req) => {
    const { method, path } = req;
    const own = more(req);
    if (own !== undefined) return own;
    if (path === '/v1/subscriptions' && method === 'GET')
      return { status: 200, body: { subscriptions: req.query.get('name') === 'lain' ? [] : [row(ID)], next: null } };
    if (path === '/v1/subscriptions') return { status: 201, body: { ...row(ID), secret: 'whsec_SATU' } };
    if (method === 'DELETE')
      return { status: 200, body: { id: ID, name: 'payroll', owner: 'SU00123', status: 'removed' } };
    if (method === 'PATCH') return { status: 200, body: { ...row(ID), version: 4, appliesFrom: {} } };
    switch (path.slice(`/v1/subscriptions/${ID}`.length)) {
      case '':
        return { status: 200, body: { ...row(ID), ...standing } };
      case '/pause':
      case '/resume':
        return { status: 200, body: row(ID, { status: path.endsWith('pause') ? 'paused' : 'active' }) };
      case '/seek':
        return {
          status: 200,
          body: { streams: {}, events: -33, again: 7, passedOver: 40, parked: 1, dead: 1, held: 3, dryRun: true },
        };
      case '/rotate-secret':
        return { status: 200, body: { secret: 'whsec_DUA', previousValidUntil: '2021-07-16T00:00:00.000Z' } };
      case '/dead-letters':
        return { status: 200, body: { deadLetters: [letter], next: null } };
      case '/parked':
        return {
          status: 200,
          body: {
            parked: [{ id: 'm-9', subject: 'S-9', position: 'x/0/1', since: 'x', cause: 'timeout', tries: 3, held: 1 }],
            next: null,
          },
        };
      case '/deliveries':
        return { status: 200, body: { deliveries: [attempt], next: null } };
      case '/redrive':
        return { status: 202, body: { count: 3, ...(req.body.includes('"dryRun":true') ? {} : { job: 'job-1' }) } };
      case '/redrives':
        return { status: 200, body: { redrives: [job('running', 1)], next: null } };
      case '/redrives/job-1':
        return { status: 200, body: job(asked++ === 0 ? 'running' : 'done', asked === 1 ? 1 : 3) };
      case '/skip':
        return { status: 200, body: req.body.includes('d-9') ? { skipped: 0, unknown: ['d-9'] } : { skipped: 1 } };
      default:
        return { status: 404, body: { code: 'not_found', status: 404, title: 'Tidak ditemukan' } };
    }
  });
}

async function run(...args: string[]) {
  let out = '';
  let err = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((t) => ((out += String(t)), true));
  jest.spyOn(process.stderr, 'write').mockImplementation((t) => ((err += String(t)), true));
  const code = await runCommand(['--url', hub?.url ?? 'http://127.0.0.1:1', '--key', 'k', '--lang', 'id', ...args]);
  jest.restoreAllMocks();
  return { code, out, err };
}
const lastBody = (): unknown => JSON.parse(hub!.requests.at(-1)!.body) as unknown;

describe('simpul sub', () => {
  it('ls shows each with its lag in events and time, also where its process does not answer', async () => {
    await withHub(({ path, query }) => {
      if (path === '/v1/subscriptions' && !query.has('name'))
        return { status: 200, body: { subscriptions: [row(ID), row(OTHER, { name: 'lain' })], next: null } };
      return path.endsWith(OTHER) ? { status: 503, body: { code: 'no_courier', status: 503 } } : undefined;
    });
    const { code, out } = await run('sub', 'ls');
    expect([code, out]).toEqual([
      EXIT.ok,
      `payroll\tSU00123\tactive\t17 (10 min)\t1\t0\twebhook\t${ID}\nlain\tSU00123\tactive\t-\t-\t-\twebhook\t${OTHER}\n`,
    ]);
    expect(JSON.parse((await run('sub', 'ls', '--json')).out)).toMatchObject([
      { lag: { events: 17, seconds: 600 } },
      {},
    ]);
  });

  it('ls of none says how to make one', async () => {
    await withHub(() => ({ status: 200, body: { subscriptions: [], next: null } }));
    const { code, err } = await run('sub', 'ls');
    expect([code, err]).toEqual([EXIT.nothing, expect.stringContaining('simpul sub create')]);
  });

  it('create prints the secret alone on stdout, and sends what the options say', async () => {
    await withHub();
    const filter = '{"exact":{"source":"urn:x"}}';
    const { code, out, err } = await run(
      ...['sub', 'create', 'payroll', '--types', 'sdm.#, keu.#', '--filter', filter, '--filter', filter],
      ...[
        '--function',
        'kanim',
        '--province',
        '64',
        '--to',
        'https://a.example/h',
        '--mode',
        'binary',
        '--form',
        'avro',
        '--start',
        'earliest',
      ],
    );
    expect([code, out, err]).toEqual([EXIT.ok, 'whsec_SATU\n', expect.stringContaining('tidak ditampilkan lagi')]);
    expect(lastBody()).toEqual({
      ...{ name: 'payroll', types: ['sdm.#', 'keu.#'], start: 'earliest', test: false },
      filters: [JSON.parse(filter), JSON.parse(filter)],
      units: { function: 'kanim', province: '64' },
      target: { kind: 'webhook', url: 'https://a.example/h', mode: 'binary', data: 'avro' },
    });
  });

  it('create and rotate-secret print the public key where that verifies, show has both of a rotation', async () => {
    const publicKeys = [{ key: 'whpk_DUA=' }, { key: 'whpk_SATU=', validUntil: '2021-07-16T00:00:00.000Z' }];
    await withHub(({ path, method }) => {
      if (path === '/v1/subscriptions' && method === 'POST')
        return { status: 201, body: { ...row(ID), secret: 'whsec_SATU', publicKeys: [{ key: 'whpk_SATU=' }] } };
      if (path === `/v1/subscriptions/${ID}`) return { status: 200, body: { ...row(ID), ...standing, publicKeys } };
      return path.endsWith('/rotate-secret')
        ? { status: 200, body: { secret: 'whsec_DUA', previousValidUntil: '2021-07-16T00:00:00.000Z', publicKeys } }
        : undefined;
    });
    const made = await run(
      ...['sub', 'create', 'payroll', '--types', 'sdm.#', '--to', 'https://a.example/h', '--signature', 'v1a'],
    );
    expect([made.out, made.err]).toEqual(['whpk_SATU=\n', expect.stringContaining('bukan rahasia')]);
    expect(lastBody()).toMatchObject({ target: { signature: 'v1a' } });
    const turned = await run('sub', 'rotate-secret', 'payroll');
    expect([turned.out, turned.err]).toEqual(['whpk_DUA=\n', expect.stringContaining('2021-07-16T00:00:00.000Z')]);
    expect(JSON.parse((await run('sub', 'show', 'payroll')).out)).toMatchObject({ publicKeys });
  });

  it('create refuses two targets and a filter that is no JSON object, before it asks the hub', async () => {
    await withHub();
    expect((await run('sub', 'create', 'a', '--pull', '--sse')).code).toBe(EXIT.usage);
    const { code, err } = await run('sub', 'create', 'a', '--pull', '--filter', '[1]');
    expect([code, err]).toEqual([EXIT.usage, '✗ --filter: harus objek JSON\n']);
    expect(hub!.requests).toEqual([]);
  });

  it('edit sends only what changes, with the version that was read', async () => {
    await withHub();
    const { code, err } = await run('sub', 'edit', 'payroll', '--types', 'sdm.pegawai.#', '--why', 'sempit');
    expect([code, err]).toEqual([EXIT.ok, '✔ payroll  sudah diubah, versi 4\n']);
    const { method, headers } = hub!.requests.at(-1)!;
    expect([method, headers['if-match'], lastBody()]).toEqual([
      ...['PATCH', '"3"'],
      { types: ['sdm.pegawai.#'], why: 'sempit' },
    ]);
    await run('sub', 'edit', ID, '--no-filters');
    expect(lastBody()).toEqual({ filters: [] });
    expect((await run('sub', 'edit', ID)).code).toBe(EXIT.usage);
  });

  it('a name that is not there, and one of several units, say what to do', async () => {
    await withHub(({ path, query }) =>
      path === '/v1/subscriptions' && query.get('name') === 'dua'
        ? { status: 200, body: { subscriptions: [row(ID), row(OTHER, { owner: 'SU00124' })], next: null } }
        : undefined,
    );
    const none = await run('sub', 'lag', 'lain');
    expect([none.code, none.err]).toEqual([EXIT.usage, expect.stringContaining('simpul sub ls')]);
    const two = await run('sub', 'lag', 'dua');
    expect([two.code, two.err]).toEqual([EXIT.usage, expect.stringContaining(`${OTHER} (SU00124)`)]);
  });

  it('pause, resume, seek, lag, rotate-secret and rm do it and say what is next', async () => {
    await withHub();
    expect((await run('sub', 'pause', 'payroll', '--why', 'x')).err).toBe(
      '✔ payroll  paused  lanjutkan: simpul sub resume payroll\n',
    );
    expect((await run('sub', 'resume', 'payroll')).err).toContain('active');
    expect((await run('sub', 'seek', 'payroll', 'end', '--dry-run')).err).toBe(
      '✔ payroll  7 kejadian dikirim lagi, 40 yang belum terkirim dilewati  (hanya dihitung, belum dilakukan)\n' +
        '! 5 kejadian terparkir, tak sampai atau tertahan tetap di sana; lihat: simpul dlq ls payroll --parked\n',
    );
    expect(lastBody()).toEqual({ to: 'end', dryRun: true });
    expect((await run('sub', 'lag', 'payroll')).out).toBe('17 (10 min)\n');
    expect((await run('sub', 'rotate-secret', 'payroll')).out).toBe('whsec_DUA\n');
    expect(await run('sub', 'rm', 'payroll', '--why', 'selesai')).toEqual({
      code: EXIT.ok,
      out: '',
      err: '✔ payroll  sudah dihapus\n',
    });
    expect(hub!.requests.at(-1)!.query.get('why')).toBe('selesai');
  });

  it('show --deliveries prints the attempts in the form of listen, without control characters', async () => {
    await withHub(({ path }) =>
      path.endsWith('/deliveries')
        ? { status: 200, body: { deliveries: [{ ...attempt, subject: 'S\u001b[31m' }], next: null } }
        : undefined,
    );
    const { out } = await run('sub', 'show', 'payroll', '--deliveries');
    expect(out).toBe(
      '2021-07-15T00:00:00.000Z  -->  S [31m  sdm.pegawai/0/4  [d-1]\n' +
        '2021-07-15T00:00:00.000Z  <--  [422] POST https://a.example/h  [d-1]  parked  #2  120 ms\n',
    );
  });
});

describe('simpul dlq', () => {
  it('ls shows dead letters and what to do, or parked subjects', async () => {
    await withHub();
    const { code, out, err } = await run('dlq', 'ls', 'payroll');
    expect([code, out]).toEqual([EXIT.ok, '2021-07-15T00:00:00.000Z\td-1\tS-1\tsdm.pegawai/0/4\tstatus\t422\t9\t2\n']);
    expect(err).toContain('simpul dlq redrive payroll');
    expect((await run('dlq', 'ls', 'payroll', '--parked')).out).toBe('x\tm-9\tS-9\tx/0/1\ttimeout\t-\t3\t1\t-\n');
  });

  it('show gives a letter with its attempts; one that is not there says where to look', async () => {
    await withHub();
    expect(JSON.parse((await run('dlq', 'show', 'payroll', 'd-1')).out)).toMatchObject({
      id: 'd-1',
      attempts: [{ try: 2 }],
    });
    expect(JSON.parse((await run('dlq', 'show', 'payroll', 'm-9')).out)).toMatchObject({
      subject: 'S-9',
      attempts: [],
    });
    const { code, err } = await run('dlq', 'show', 'payroll', 'd-9');
    expect([code, err]).toEqual([EXIT.usage, expect.stringContaining('simpul dlq ls payroll')]);
  });

  it('redrive takes ids, a filter or all, and edited data of a file; a dry run only counts', async () => {
    await withHub();
    const dir = mkdtempSync(join(tmpdir(), 'simpul-dlq-'));
    const file = join(dir, 'data.json');
    writeFileSync(file, '{"nik":"9900000000000001"}');
    const done = await run('dlq', 'redrive', 'payroll', 'd-1', '--edited', file, '--why', 'salah NIK', '--rate', '5');
    rmSync(dir, { recursive: true });
    expect([done.code, done.err]).toEqual([EXIT.ok, expect.stringContaining('job-1')]);
    expect(lastBody()).toEqual({
      ...{ ids: ['d-1'], edited: { nik: '9900000000000001' }, rate: 5, why: 'salah NIK', dryRun: false },
    });
    const dry = await run('dlq', 'redrive', 'payroll', '--cause', 'status', '--why', 'x', '--dry-run');
    expect([dry.out, lastBody()]).toEqual([
      '3  (hanya dihitung, belum dilakukan)\n',
      { filter: { cause: 'status' }, rate: 20, why: 'x', dryRun: true },
    ]);
    for (const wrong of [[], ['d-1', '--all'], ['--all', '--subject', 'S']])
      expect((await run('dlq', 'redrive', 'payroll', ...wrong, '--why', 'x')).code).toBe(EXIT.usage);
  });

  it('jobs shows how far redrives are, and redrive --follow stays until the end', async () => {
    await withHub();
    expect((await run('dlq', 'jobs', 'payroll')).out).toBe('2021-07-15T00:00:00.000Z\tjob-1\trunning\t1\t0\t2\tx\n');
    asked = 0;
    const { code, err } = await run('dlq', 'redrive', 'payroll', '--all', '--why', 'x', '--follow');
    expect([code, err]).toEqual([EXIT.ok, expect.stringContaining('simpul dlq jobs payroll')]);
    expect(err).toMatch(/terkirim 1, gagal 0, sisa 2\nterkirim 3, gagal 0, sisa 0\n$/);
  });

  it('skip of ids that are not there is no success', async () => {
    await withHub();
    const { code, err } = await run('dlq', 'skip', 'payroll', 'd-9', '--why', 'x');
    expect([code, err]).toEqual([EXIT.nothing, expect.stringMatching(/^! 0 .*\n! .*d-9\n$/)]);
  });

  it('skip ends letters with a reason', async () => {
    await withHub();
    const { code, err } = await run('dlq', 'skip', 'payroll', 'd-1', '--why', 'ganda');
    expect([code, err, lastBody()]).toEqual([EXIT.ok, '✔ 1 kejadian dilewati\n', { ids: ['d-1'], why: 'ganda' }]);
    expect((await run('dlq', 'skip', 'payroll', 'd-1')).code).toBe(EXIT.usage);
  });
});

describe('the names of subscriptions', () => {
  it('are offered by the completion', async () => {
    await withHub();
    expect((await run('__complete', '--', '--url', hub!.url, '--key', 'k', 'sub', 'pause', 'pay')).out).toBe(
      'payroll\n',
    );
  });
});
