import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { scriptedHub } from '../../../test/kit/scripted-hub.js';
import { EXIT } from './refusal.js';
import { runCommand } from './run.js';

const letter = (n: number) => ({
  position: `imigrasi.paspor/0/${n}`,
  type: 'imigrasi.paspor.diterbitkan',
  cause: { code: 'E_UJI', message: 'baris\nkedua\u001b[31m' },
  attempts: 3,
  lasttime: '2026-01-01T00:00:00Z',
  recordedtime: '2026-01-01T00:00:01.000Z',
  system: 'simkim',
});
const LETTERS = 1_203;
let hub: Awaited<ReturnType<typeof scriptedHub>> | undefined;
afterEach(async () => {
  jest.restoreAllMocks();
  await hub?.close();
  hub = undefined;
});

async function run(...args: string[]) {
  let out = '';
  let err = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((t) => ((out += String(t)), true));
  jest.spyOn(process.stderr, 'write').mockImplementation((t) => ((err += String(t)), true));
  const code = await runCommand(['--url', hub?.url ?? 'http://127.0.0.1:1', '--key', 'k', '--lang', 'en', ...args]);
  jest.restoreAllMocks();
  return { code, out, err };
}
/** A hub with so many letters, in pages. */
async function withLetters(count = LETTERS): Promise<void> {
  hub = await scriptedHub(({ query }) => {
    const from = Number(query.get('cursor') ?? 0);
    const end = Math.min(count, from + Number(query.get('limit') ?? 100));
    const letters = [];
    for (let n = from; n < end; n++) letters.push(letter(n));
    return { status: 200, body: { letters, next: end === count ? null : String(end) } };
  });
}
async function withProblem(status: number, code: string, detail: string): Promise<void> {
  hub = await scriptedHub(() => ({
    status,
    body: { status, code, title: code, detail },
    headers: { 'content-type': 'application/problem+json' },
  }));
}

describe('simpul dead ls', () => {
  it('prints a line for each letter of all pages, without control characters', async () => {
    await withLetters();
    const { code, out, err } = await run('dead', 'ls', 'su00123.loket');
    expect([code, err]).toEqual([EXIT.ok, '']);
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(LETTERS);
    expect(lines[1]!.split('\t').slice(0, 4)).toEqual([
      '2026-01-01T00:00:01.000Z',
      'imigrasi.paspor.diterbitkan',
      'imigrasi.paspor/0/1',
      '3',
    ]);
    expect(lines[1]).toContain('E_UJI');
    expect(out).not.toContain('\u001b');
    expect(hub!.requests[0]!.path).toBe('/v1/dead-letters/su00123.loket');
  });

  it('-o json gives the letters as the hub has them', async () => {
    await withLetters(2);
    const { code, out } = await run('-o', 'json', 'dead', 'ls', 'su00123.loket');
    expect([code, JSON.parse(out)]).toEqual([EXIT.ok, [letter(0), letter(1)]]);
  });

  it('a group without letters is no failure', async () => {
    await withLetters(0);
    expect(await run('dead', 'ls', 'su00123.loket')).toEqual({ code: EXIT.ok, out: '', err: '' });
  });

  it('asks for the group as one part of the path', async () => {
    await withLetters(0);
    await run('dead', 'ls', 'su00123/../../keys?x=1#y');
    expect(hub!.requests[0]!.path).toBe('/v1/dead-letters/su00123/../../keys?x=1#y');
  });

  it('ends with 1 for the group of another unit and says which names are its own, 4 without a valid key, 6 without a hub, 2 without a group', async () => {
    await withProblem(403, 'forbidden', 'su00123.…');
    const refused = await run('dead', 'ls', 'su00124.loket');
    expect([refused.code, refused.out]).toEqual([EXIT.failed, '']);
    expect(refused.err).toContain('su00123.…');
    await hub!.close();
    await withProblem(401, 'unauthenticated', '');
    expect((await run('dead', 'ls', 'su00123.loket')).code).toBe(EXIT.login);
    await hub!.close();
    hub = undefined;
    expect((await run('dead', 'ls', 'su00123.loket')).code).toBe(EXIT.unreachable);
    expect((await run('dead', 'ls')).code).toBe(EXIT.usage);
  });
});
