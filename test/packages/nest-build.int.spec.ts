import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, it } from '@jest/globals';

const root = resolve(import.meta.dirname, '../..');
const folder = `.simpul/nest-build-${process.pid}`;
const dir = join(root, folder);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface NestConfig {
  readonly projects: Readonly<
    Record<string, { root: string; sourceRoot: string; entryFile: string; compilerOptions: { tsConfigPath: string } }>
  >;
}
const read = (file: string): unknown => JSON.parse(readFileSync(join(root, file), 'utf8'));

it('nest-cli.json lists every app with its entry file and the TypeScript settings of the build', () => {
  const { projects } = read('nest-cli.json') as NestConfig;
  expect(Object.keys(projects).sort()).toEqual(readdirSync(join(root, 'apps')).sort());
  for (const [name, p] of Object.entries(projects)) {
    expect([name, existsSync(join(root, p.sourceRoot, `${p.entryFile}.ts`))]).toEqual([name, true]);
    expect([name, p.compilerOptions.tsConfigPath]).toEqual([name, 'tsconfig.build.json']);
  }
});

it('nest build compiles the hub to the same JavaScript as npm run build', async () => {
  mkdirSync(dir, { recursive: true });
  // The build before the tests has checked the types; without that check, and in a folder of its own, the Nest CLI takes a few seconds.
  const compilerOptions = {
    noCheck: true,
    incremental: false,
    tsBuildInfoFile: null,
    declaration: false,
    outDir: 'dist',
  };
  writeFileSync(
    join(dir, 'tsconfig.json'),
    JSON.stringify({
      extends: '../../tsconfig.build.json',
      compilerOptions: { ...compilerOptions, rootDir: '../..' },
      include: ['../../apps/hub'],
      exclude: [],
    }),
  );
  const nest = join(root, 'node_modules/@nestjs/cli/bin/nest.js');
  const args = [nest, 'build', 'hub', '--path', `${folder}/tsconfig.json`];
  await promisify(execFile)(process.execPath, args, { cwd: root });
  const files = readdirSync(join(dir, 'dist'), { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.js'));
  expect(files).toEqual(
    expect.arrayContaining([join('apps', 'hub', 'src', 'main.js'), join('libs', 'log', 'index.js')]),
  );
  const differing = files.filter(
    (f) => readFileSync(join(dir, 'dist', f), 'utf8') !== readFileSync(join(root, 'dist', f), 'utf8'),
  );
  expect(differing).toEqual([]);
}, 120_000);
