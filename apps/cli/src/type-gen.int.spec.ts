import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { catalogue } from '../../../bin/gen-catalogue.mjs';
import { scriptedHub } from '../../../test/kit/scripted-hub.js';
import { EXIT } from './refusal.js';
import { runCommand } from './run.js';

const ROOT = join(import.meta.dirname, '../../..');
const SCHEMAS = join(ROOT, 'schemas');
const { types } = catalogue(ROOT);
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-gen-'));
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(dir, { recursive: true, force: true });
});

async function simpul(...args: string[]) {
  let out = '';
  let err = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((t) => ((out += String(t)), true));
  jest.spyOn(process.stderr, 'write').mockImplementation((t) => ((err += String(t)), true));
  const code = await runCommand(args);
  jest.restoreAllMocks();
  return { code, out, err };
}
const gen = (...args: string[]) => simpul('--key', 'k', '--lang', 'en', 'type', 'gen', ...args);
const out = () => join(dir, 'events');
const files = () =>
  Object.fromEntries(readdirSync(out()).map((name) => [name, readFileSync(join(out(), name), 'utf8')]));

/** A hub with the contracts of the repository. */
const hubOfSchemas = () =>
  scriptedHub(({ path }) => {
    const name = decodeURIComponent(path.split('/')[3] ?? '');
    if (name === '')
      return { status: 200, body: { types: types.map((t) => ({ type: t.type, version: 1 })), end: true } };
    const file = types.find(({ type }) => type === name)!.file;
    return {
      status: 200,
      body: { type: name, schema: JSON.parse(readFileSync(join(SCHEMAS, file), 'utf8')) as object },
    };
  });

describe('simpul type gen', () => {
  it('writes the same files from a folder and from a hub, and nothing when they are current', async () => {
    const folder = await gen('--lang', 'ts', '--out', out(), '--from', SCHEMAS);
    expect(folder).toMatchObject({ code: EXIT.ok, err: '' });
    expect(folder.out).toContain(
      `${types.length} event types in ${out()}: ${types.length + 1} files written, 0 removed`,
    );
    const written = files();
    expect(Object.keys(written)).toEqual([...types.map(({ type }) => `${type}.ts`), 'index.ts'].sort());
    const hub = await hubOfSchemas();
    for (const args of [['--from', hub.url], []]) {
      const again = await simpul(
        '--url',
        hub.url,
        '--key',
        'k',
        '--lang',
        'en',
        'type',
        'gen',
        '--out',
        out(),
        ...args,
      );
      expect(again.err).toBe('');
      expect(again.out).toContain('0 files written, 0 removed');
    }
    await hub.close();
    expect(files()).toEqual(written);
  });

  it('takes the types of a stream or domain, with the names that they have among all, and removes files of an earlier run only', async () => {
    await gen('--out', out(), '--from', SCHEMAS, 'imigrasi.paspor');
    writeFileSync(join(out(), 'own.ts'), 'export {};\n');
    const { out: said } = await gen('--out', out(), '--from', SCHEMAS, 'ham', '--sdk', '#sdk', '--longs', 'bigint');
    expect(said).toContain('2 files written, 2 removed');
    expect(Object.keys(files())).toEqual(['ham.pengaduan.diterima.ts', 'index.ts', 'own.ts']);
    expect(files()['ham.pengaduan.diterima.ts']).toMatch(
      /from '#sdk';[^]*const HamPengaduanDiterima = [^]*longs: 'bigint'/,
    );
  });

  it.each([
    [
      'an unknown type',
      () => ['--from', SCHEMAS, 'imigrasi.paspor.diterbitka'],
      /did you mean imigrasi\.paspor\.diterbitkan\?/,
    ],
    ['an unknown version', () => ['--from', SCHEMAS, 'imigrasi.paspor.diterbitkan@9'], /diterbitkan@9.*simpul type ls/],
    ['a folder that does not exist', () => ['--from', join(dir, 'none')], /none: ENOENT.*--from http/],
    ['a folder without contracts', () => ['--from', dir], /no \.avsc file in it/],
    ['another form of longs', () => ['--from', SCHEMAS, '--longs', 'int'], /--longs int: text, bigint/],
    [
      'a file that is no contract',
      () => {
        writeFileSync(join(dir, 'x.avsc'), '{"type": "record"}');
        return ['--from', dir];
      },
      /x\.avsc: no contract of an event type: \/name .*correct the file/,
    ],
    [
      'a version that differs in two files',
      () => {
        cpSync(join(SCHEMAS, 'imigrasi/paspor'), join(dir, 'a'), { recursive: true });
        const text = readFileSync(join(dir, 'a/diterbitkan.v1.avsc'), 'utf8');
        writeFileSync(join(dir, 'b.avsc'), text.replace('afternoons', 'mornings'));
        return ['--from', dir];
      },
      /imigrasi\.paspor\.diterbitkan@1 differs in .*diterbitkan\.v1\.avsc and .*b\.avsc; remove one/,
    ],
    [
      'an out folder that is a file',
      () => {
        writeFileSync(out(), '');
        return ['--from', SCHEMAS];
      },
      /events: EEXIST.*--out/,
    ],
    [
      'a file of somebody in the way',
      () => {
        mkdirSync(out());
        writeFileSync(join(out(), 'index.ts'), 'export const mine = 1;\n');
        return ['--from', SCHEMAS];
      },
      /index\.ts was not made by simpul type gen.*--out/,
    ],
  ])('ends with one line and the remedy for %s, and writes nothing', async (_what, args, line) => {
    const before = args();
    const { code, err } = await gen('--out', out(), ...before);
    expect(err).toMatch(line);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    expect(code).toBe(EXIT.usage);
    expect(
      readdirSync(dir).some((name) => name === 'events' && readdirSync(dir, { recursive: true }).length > 50),
    ).toBe(false);
  });

  it('says how to reach a hub that does not answer, and ends with 6', async () => {
    const hub = await hubOfSchemas();
    await hub.close();
    const { code, err } = await gen('--out', out(), '--from', hub.url);
    expect(code).toBe(EXIT.unreachable);
    expect(err).toContain(hub.url);
  });

  it('refuses the contract of a hub whose name would leave the folder', async () => {
    const text = readFileSync(join(SCHEMAS, 'imigrasi/paspor/diterbitkan.v1.avsc'), 'utf8');
    const schema = { ...(JSON.parse(text) as object), simpul: { type: '../../imigrasi.paspor.diterbitkan' } };
    const hub = await scriptedHub(({ path }) => ({
      status: 200,
      body: path.endsWith('event-types')
        ? { types: [{ type: 'a.b.c', version: 1 }], end: true }
        : { type: 'a.b.c', schema },
    }));
    const { code, err } = await gen('--out', out(), '--from', hub.url);
    await hub.close();
    expect(err).toMatch(/no contract of an event type/);
    expect(code).toBe(EXIT.usage);
  });
});
