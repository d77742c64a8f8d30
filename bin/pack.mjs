// npm run pack [-- FOLDER]: makes the packages of bin/packages.mjs from the build, as FOLDER/<package>/ and FOLDER/*.tgz. @default dist/packages
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { npmCli, root, run, step, stop } from './bootstrap.mjs';
import { stageHub } from './pack-hub.mjs';
import { stageLibrary } from './pack-library.mjs';
import { HUB, LIBRARIES } from './packages.mjs';

const to = resolve(process.argv[2] ?? join(root, 'dist/packages'));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

async function tarball(folder) {
  const got = await run(
    process.execPath,
    [npmCli(), 'pack', folder, '--pack-destination', to, '--ignore-scripts', '--loglevel', 'error'],
    { cwd: to },
  );
  if (got.code !== 0) stop(got.tail);
  return join(to, got.tail.trim().split('\n').at(-1));
}

mkdirSync(to, { recursive: true });
for (const { folder } of [...Object.values(LIBRARIES), HUB]) rmSync(join(to, folder), { recursive: true, force: true });
const done = step('packages');
const folders = [];
for (const name of Object.keys(LIBRARIES)) folders.push(await stageLibrary(name, to, manifest));
folders.push(stageHub(HUB, to, manifest));
const files = await Promise.all(folders.map(tarball));
done();
for (const file of files) process.stdout.write(`${relative(process.cwd(), file)}\n`);
