import { describe, expect, it } from '@jest/globals';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Text } from './index.js';

const root = join(import.meta.dirname, '../..');
/** Every table of texts in the repository: a new room is found by the name of its file. */
const tables = globSync('{libs,apps,deploy}/**/texts.ts', { cwd: root }).sort();

/** The sources beside and below a table, as one text. */
const sourcesBeside = (table: string): string =>
  globSync(join(dirname(table), '**/*.ts'), { cwd: root, exclude: (f) => /\.spec\.ts$/.test(f) })
    .map((f) => readFileSync(join(root, f), 'utf8'))
    .join('\n');

describe('the tables of texts', () => {
  it.each(tables)('%s: codes are snake_case, and every code is used', async (table) => {
    const { texts } = (await import(join(root, table))) as { texts: Record<string, (args: object) => Text> };
    const sources = sourcesBeside(table);
    for (const code of Object.keys(texts)) expect(code).toMatch(/^[a-z][a-z0-9_]*$/);
    expect(Object.keys(texts).filter((code) => !new RegExp(`\\btexts\\.${code}\\b`).test(sources))).toEqual([]);
  });

  it('are the only place with texts: at least the rooms that refuse requests have one', () => {
    expect(tables).toEqual(
      expect.arrayContaining(
        ['access', 'avro', 'http', 'projection', 'publishing', 'units'].map((room) => `libs/${room}/texts.ts`),
      ),
    );
  });
});
