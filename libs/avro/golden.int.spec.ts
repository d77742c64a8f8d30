import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
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

interface Line {
  readonly data: unknown;
  readonly again: string;
}

(skip ? describe.skip : describe)('golden bytes against Apache Avro for Python', () => {
  const { types } = catalogue(ROOT);
  const lines: Line[] = [];

  beforeAll(() => {
    if (!existsSync(join(PACKAGE, 'avro'))) {
      execFileSync(
        'python3',
        [
          '-m',
          'pip',
          'install',
          '--quiet',
          '--disable-pip-version-check',
          '--no-deps',
          '--target',
          PACKAGE,
          `avro==${VERSION}`,
        ],
        {
          stdio: ['ignore', 'ignore', 'inherit'],
          timeout: 120_000,
        },
      );
    }
    const input = types
      .map((t) =>
        JSON.stringify({ schema: join(ROOT, 'schemas', t.file), avro: join(ROOT, 'schemas/golden', `${t.type}.avro`) }),
      )
      .join('\n');
    const out = execFileSync('python3', [join(ROOT, 'test/kit/golden.py'), PACKAGE], {
      input,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
    for (const line of out.trim().split('\n')) lines.push(JSON.parse(line) as Line);
  }, 180_000);

  it.each(types.map((t, i) => [t.type, i] as const))(
    '%s: Apache Avro decodes our bytes to our data, and encodes the same bytes',
    (type, i) => {
      const base = join(ROOT, 'schemas/golden', type);
      expect(lines[i]!.data).toEqual(JSON.parse(readFileSync(`${base}.json`, 'utf8')));
      expect(lines[i]!.again).toBe(readFileSync(`${base}.avro`).toString('base64'));
    },
  );
});
