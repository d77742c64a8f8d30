import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { catalogue } from '../../bin/gen-catalogue.mjs';

const ROOT = join(import.meta.dirname, '../..');
const VERSION = '1.12.0';
const PACKAGE = join(ROOT, `.simpul/python/avro-${VERSION}`);

function runs(...args: string[]): boolean {
  return spawnSync('python3', args, { stdio: 'ignore' }).status === 0;
}

const missing = !runs('--version')
  ? 'python3'
  : existsSync(join(PACKAGE, 'avro')) || runs('-m', 'pip', '--version')
    ? ''
    : 'pip of python3';
const skip = missing !== '' && process.env['CI'] === undefined;
if (skip) process.stderr.write(`skipped: golden bytes against Apache Avro (no ${missing})\n`);

const run = promisify(execFile);

/** Beside its place, then renamed: a run that was stopped in between leaves no half of a package, and two runs at once do no harm. */
async function install(): Promise<void> {
  if (existsSync(join(PACKAGE, 'avro'))) return;
  const fresh = `${PACKAGE}.${process.pid}`;
  mkdirSync(dirname(PACKAGE), { recursive: true });
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-deps'];
  await run('python3', ['-m', 'pip', 'install', ...quiet, '--target', fresh, `avro==${VERSION}`]);
  if (existsSync(join(PACKAGE, 'avro'))) rmSync(fresh, { recursive: true });
  else {
    rmSync(PACKAGE, { recursive: true, force: true });
    renameSync(fresh, PACKAGE);
  }
}

interface Line {
  readonly data: unknown;
  readonly again: string;
}

(skip ? describe.skip : describe)('golden bytes against Apache Avro for Python', () => {
  const { types } = catalogue(ROOT);
  const lines: Line[] = [];

  beforeAll(async () => {
    await install();
    const input = types
      .map((t) =>
        JSON.stringify({ schema: join(ROOT, 'schemas', t.file), avro: join(ROOT, 'schemas/golden', `${t.type}.avro`) }),
      )
      .join('\n');
    const running = run('python3', [join(ROOT, 'test/kit/golden.py'), PACKAGE], { maxBuffer: 64 * 1024 * 1024 });
    running.child.stdin!.end(input);
    for (const line of (await running).stdout.trim().split('\n')) lines.push(JSON.parse(line) as Line);
    expect(lines).toHaveLength(types.length);
  }, 300_000);

  it.each(types.map((t, i) => [t.type, i] as const))(
    '%s: Apache Avro decodes our bytes to our data, and encodes the same bytes',
    (type, i) => {
      const base = join(ROOT, 'schemas/golden', type);
      expect(lines[i]!.data).toEqual(JSON.parse(readFileSync(`${base}.json`, 'utf8')));
      expect(lines[i]!.again).toBe(readFileSync(`${base}.avro`).toString('base64'));
    },
  );
});
