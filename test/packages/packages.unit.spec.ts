import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from '@jest/globals';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
interface Manifest {
  readonly license: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}
const manifest = JSON.parse(read('package.json')) as Manifest;

/** Packages that appear in no import and no script, and what loads them. */
const LOADED_BY: Readonly<Record<string, string>> = {
  '@swc/core': '@swc/jest',
  '@types/node': 'TypeScript, by "types" of tsconfig.json',
  '@types/pg': 'TypeScript, for the import of pg in specs',
  'oxlint-tsgolint': 'oxlint, for rules that need types',
};

const code = ['apps', 'bin', 'deploy', 'examples', 'libs', 'test'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|mjs)$/.test(file) && !file.endsWith('packages.unit.spec.ts'))
    .map((file) => read(`${folder}/${file}`)),
);
const text = [...code, read('jest.config.mjs')].join('\n');
const used = (name: string): boolean => text.includes(`'${name}`) || text.includes(`node_modules/${name}/`);

it('every package in package.json is imported, or is listed with what loads it', () => {
  const names = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
  expect(names.filter((name) => !used(name) && LOADED_BY[name] === undefined)).toEqual([]);
  expect(Object.keys(LOADED_BY).filter((name) => !names.includes(name) || used(name))).toEqual([]);
});

it('the licence is Apache-2.0 in package.json (SPDX) and in the file LICENSE', () => {
  expect(manifest.license).toBe('Apache-2.0');
  expect(read('LICENSE')).toMatch(/^\s+Apache License\n\s+Version 2\.0, January 2004\n/);
});
