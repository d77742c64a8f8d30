import { describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeArgs } from '../../deploy/local/child.js';
import { until } from '../kit/projection/stage.js';
import { scriptedHub } from '../kit/scripted-hub.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
const event = (n: number): string =>
  `id: c${n}\ndata: ${JSON.stringify({ specversion: '1.0', id: `E-${n}`, source: 's', type: TYPE, subject: `N-${n}`, position: `imigrasi.paspor/0/${n}`, recordedtime: '2021-07-15T03:00:00Z', data: {} })}\n\n`;

const SUB = `sub_${'a'.repeat(20)}`;

/** A hub with one stream, whose live readers get events until they leave, and which breaks the connection of the first. `roles`: of every key. */
async function hubWithEvents(...roles: string[]): ReturnType<typeof scriptedHub> {
  let sent = 0;
  let readers = 0;
  return scriptedHub(({ path, method, body, res }) => {
    if (path === '/v1/me')
      return { status: 200, body: { keyId: 'k', unit: 'SU00123', system: 'uji', source: 'urn:x', roles } };
    if (method === 'POST') {
      const spec = JSON.parse(body) as object;
      return { status: 201, body: { ...spec, id: SUB, owner: 'SU00123', status: 'active', version: 1 } };
    }
    if (method === 'DELETE') return { status: 200, body: { id: SUB, status: 'removed' } };
    if (!path.endsWith('/live'))
      return { status: 200, body: { streams: [{ name: 'imigrasi.paspor', types: [TYPE] }] } };
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.write(event(++sent));
    if (++readers === 1) setImmediate(() => res.destroy());
    const more = setInterval(() => res.write(event(++sent)), 20);
    res.on('close', () => clearInterval(more));
    return undefined;
  });
}

function simpul(config: string, args: readonly string[]): ChildProcess {
  const env = { ...process.env, XDG_CONFIG_HOME: config, SIMPUL_URL: '', SIMPUL_KEY: '', SIMPUL_CTX: '' };
  return spawn(process.execPath, nodeArgs('apps/cli/src/main.js', args), { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

describe('simpul listen as a process', () => {
  it('on a temporary subscription goes on over a broken connection, and removes it at Ctrl-C', async () => {
    const config = mkdtempSync(join(tmpdir(), 'simpul-e2e-cli-'));
    const hub = await hubWithEvents('reader');
    const child = simpul(config, ['--url', hub.url, '--key', 'k', '--lang', 'en', 'listen', 'imigrasi.#']);
    try {
      let out = '';
      const exit = once(child, 'exit');
      child.stdout!.on('data', (text: Buffer) => (out += text.toString()));
      await until(async () => out.split('\n').length > 5);
      child.kill('SIGINT');
      expect(await exit).toEqual([0, null]);
      const asked = hub.requests.filter(({ path }) => path.startsWith('/v1/subscriptions'));
      expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
        'POST /v1/subscriptions',
        `GET /v1/subscriptions/${SUB}/live`,
        `GET /v1/subscriptions/${SUB}/live`,
        `DELETE /v1/subscriptions/${SUB}`,
      ]);
      expect(JSON.parse(asked[0]!.body)).toEqual({
        name: expect.stringMatching(/^listen-[0-9a-f]{12}$/),
        ...{ types: ['imigrasi.#'], start: 'now', test: false, temporary: true, target: { kind: 'sse' } },
      });
      expect(asked[2]!.headers['last-event-id']).toBe('c1');
    } finally {
      child.kill('SIGKILL');
      await hub.close();
      rmSync(config, { recursive: true, force: true });
    }
  });

  it.each([
    ['Ctrl-C', (child: ChildProcess) => child.kill('SIGINT')],
    ['a pipe whose reader has left', (child: ChildProcess) => child.stdout!.destroy()],
  ])('goes on over a broken connection, and ends with 0 on %s', async (_how, end) => {
    const config = mkdtempSync(join(tmpdir(), 'simpul-e2e-cli-'));
    const hub = await hubWithEvents();
    const child = simpul(config, ['--url', hub.url, '--key', 'k', '--lang', 'en', 'listen', 'imigrasi.#']);
    try {
      let out = '';
      let err = '';
      child.stderr!.on('data', (text: Buffer) => (err += text.toString()));
      const exit = once(child, 'exit');
      child.stdout!.on('data', (text: Buffer) => (out += text.toString()));
      await until(async () => out.split('\n').length > 5);
      end(child);
      expect(await exit).toEqual([0, null]);
      const ids = out
        .split('\n')
        .slice(0, 4)
        .map((line) => (JSON.parse(line) as { id: string }).id);
      expect(ids).toEqual(['E-1', 'E-2', 'E-3', 'E-4']);
      expect(err.split('\n').slice(0, 3)).toEqual([
        '· listening to 1 event types in 1 streams; stop: Ctrl-C',
        '· imigrasi.paspor: connection lost, connecting again',
        '· imigrasi.paspor: connected again',
      ]);
      expect(
        hub.requests.filter(({ path }) => path.endsWith('/live')).map(({ headers }) => headers['last-event-id']),
      ).toEqual([undefined, 'c1']);
    } finally {
      child.kill('SIGKILL');
      await hub.close();
      rmSync(config, { recursive: true, force: true });
    }
  });
});
