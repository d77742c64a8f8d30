import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { connect, createPublisher, createReader, type Step } from '#sdk';
import { nodeArgs, startHub, type HubProcess } from '../../deploy/local/child.js';

const root = join(import.meta.dirname, '..', '..');
const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function hubIn(dir: string, broken?: string): Promise<HubProcess> {
  const { NODE_OPTIONS: _own, ...env } = process.env;
  const started = await startHub(
    'apps/hub/src/main.js',
    {
      ...env,
      SIMPUL_ENGINE: 'embedded',
      SIMPUL_DATA: join(dir, 'data'),
      SIMPUL_PORT: '0',
      ...(broken === undefined
        ? {}
        : { BREAK_HUB: broken, NODE_OPTIONS: `--import file://${join(root, 'test/kit/break-hub.mjs')}` }),
    },
    join(dir, 'hub.log'),
  );
  if ('kind' in started) throw new Error(`${started.code}: ${started.detail}`);
  closing.push(async () => {
    started.child.kill('SIGTERM');
    await started.ended;
  });
  return started;
}

async function keysOf(hub: HubProcess, requests: object[]): Promise<string[]> {
  const admin = readFileSync(hub.adminKeyFile!, 'utf8').trim();
  const keys: string[] = [];
  for (const body of requests) {
    const res = await fetch(`${hub.url}/v1/keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (res.status !== 201) throw new Error(`${res.status} ${await res.text()}`);
    keys.push(((await res.json()) as { key: string }).key);
  }
  return keys;
}

/** Publishes ten daily reports of one prison through the SDK, and writes the history file as the ministry does. */
async function publishReports(url: string, key: string, history: string): Promise<void> {
  const connection = connect({ url });
  closing.push(() => connection.close());
  const lines: string[] = [];
  const note = (s: Step): void => {
    const more = s.kind === 'ok' ? { position: s.receipt.position, digest: s.receipt.digest, status: s.status } : {};
    const head = { f: 'send', process: 'sdp', source: s.event.source, id: s.event.id, evtype: s.event.type };
    lines.push(JSON.stringify({ t: Date.now(), type: s.kind, ...head, ...more }));
  };
  const publisher = createPublisher({ connection, key, owner: 'SU00208', system: 'sdp', report: { step: note } });
  for (let d = 1; d <= 10; d++) {
    const tanggal = `2021-07-${String(d).padStart(2, '0')}`;
    const numbers = {
      kapasitas: 100,
      jumlahTahanan: 10,
      jumlahNarapidana: 90,
      jumlahAnak: 0,
      perempuan: 5,
      warganegaraAsing: 0,
    };
    const moved = { masukHariIni: 0, keluarHariIni: 0, pindahMasuk: 0, pindahKeluar: 0, melewatiMasaPenahanan: 0 };
    await publisher.publish({
      type: 'pas.hunian.dilaporkan',
      data: { unit: 'SU00208', tanggal, ...numbers, ...moved, waktuLaporan: `${tanggal}T03:00:00Z` },
    });
  }
  await publisher.close();
  writeFileSync(history, `${lines.join('\n')}\n`);
}

interface Judged {
  readonly code: number | null;
  readonly verdict: Record<string, unknown>;
  readonly text: string;
}

function check(url: string, key: string, history: string): Promise<Judged> {
  const args = [
    '--url',
    url,
    '--history',
    history,
    '--json',
    '--wait-ms',
    '3000',
    '--views',
    join(root, 'schemas/views'),
  ];
  const child = spawn(process.execPath, nodeArgs('test/kit/checker.js', args), {
    env: { ...process.env, SIMPUL_CHECKER_KEY: key },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let text = '';
  child.stdout.on('data', (b: Buffer) => (out += b.toString()));
  child.stderr.on('data', (b: Buffer) => (text += b.toString()));
  return new Promise((done) => {
    child.on('close', (code) => {
      const verdict = out === '' ? {} : (JSON.parse(out) as Record<string, unknown>);
      done({ code, verdict, text });
    });
  });
}

async function play(broken?: string): Promise<Judged> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-checker-'));
  closing.push(() => rmSync(dir, { recursive: true, force: true }));
  const hub = await hubIn(dir, broken);
  const [unit = '', steward = ''] = await keysOf(hub, [
    { unit: 'SU00208', system: 'sdp', roles: ['publisher', 'reader'] },
    { unit: 'hub', system: 'pemeriksa', roles: ['steward'] },
  ]);
  const history = join(dir, 'history.ndjson');
  await publishReports(hub.url, unit, history);
  if (broken === undefined) {
    const reader = createReader({ url: hub.url, key: steward });
    closing.push(() => reader.close());
    const ids: string[] = [];
    for await (const e of reader.read('pas.hunian')) ids.push(e.id);
    expect(new Set(ids).size).toBe(10);
  }
  return check(hub.url, steward, history);
}

describe('the checker on a real hub', () => {
  it('gives a good verdict when the hub works', async () => {
    const j = await play();
    expect(j.text).toBe('');
    expect(j.verdict).toMatchObject({
      published: 10,
      acknowledged: 10,
      projected: 10,
      lost: 0,
      doubled: 0,
      misordered: 0,
      units: 1,
    });
    expect(j.code).toBe(0);
  });

  it('names the lost events when the hub acknowledges appends that it drops', async () => {
    const j = await play('drop');
    expect(j.verdict).toMatchObject({ published: 10, acknowledged: 10, lost: 2 });
    expect(j.text).toContain('lost: urn:simpul:unit:SU00208:sdp');
    expect(j.code).toBe(1);
  });

  it('names the doubled entry when the hub counts a report twice', async () => {
    const j = await play('count');
    expect(j.verdict).toMatchObject({ lost: 0, doubled: 1 });
    expect(j.text).toContain('state: pas.hunian-');
    expect(j.code).toBe(1);
  });
});
