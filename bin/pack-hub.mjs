// The hub as a package: the built apps, the rooms that they load, the launcher and the event contracts, in the folders of the repository.
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import ts from 'typescript';
import { root, stop } from './bootstrap.mjs';
import { NODE_OF_HUB } from './packages.mjs';

/** Built files below a folder of dist whose source still exists: tsc leaves those of removed sources behind. */
function builtFiles(folder) {
  return readdirSync(join(root, 'dist', folder), { recursive: true, encoding: 'utf8' })
    .map((file) => join(folder, file))
    .filter(
      (file) =>
        file.endsWith('.js') && !file.endsWith('.fixture.js') && existsSync(join(root, file.replace(/\.js$/, '.ts'))),
    );
}

/** What a built file imports. Read as TypeScript reads it: a text with an import statement, such as code that a command writes, is no import. */
const importsOf = (file) =>
  ts.preProcessFile(readFileSync(join(root, 'dist', file), 'utf8'), true, true).importedFiles.map((f) => f.fileName);

const roomsOf = (files) => files.flatMap(importsOf).flatMap((name) => (name.startsWith('#') ? [name.slice(1)] : []));

/** The files that a built file imports by a relative path. */
const relativeImports = (file) =>
  importsOf(file).flatMap((name) => (name.startsWith('.') ? [join(dirname(file), name)] : []));

/** Writes the package into a folder of `to`; returns that folder. */
export function stageHub({ name, folder, description, keywords, apps, leftOut }, to, repository) {
  const at = join(to, folder);
  const launcher = builtFiles('deploy/local').filter((f) => !leftOut.includes(f.slice('deploy/local/'.length)));
  const files = [...apps.flatMap((app) => builtFiles(`apps/${app}`)), ...launcher];
  const rooms = new Set();
  for (const open = roomsOf(files); open.length > 0;) {
    const room = open.pop();
    if (rooms.has(room)) continue;
    rooms.add(room);
    const own = builtFiles(`libs/${room}`);
    files.push(...own);
    open.push(...roomsOf(own));
  }
  for (const file of files) {
    mkdirSync(dirname(join(at, 'dist', file)), { recursive: true });
    // The map of a file names a source that is not in the package.
    const text = readFileSync(join(root, 'dist', file), 'utf8').replace(/^\/\/# sourceMappingURL=.*\n?/m, '');
    writeFileSync(join(at, 'dist', file), text);
  }
  const missing = files.flatMap((file) =>
    relativeImports(file).filter((f) => !files.includes(f) && !leftOut.includes(basename(f))),
  );
  if (missing.length > 0) stop(`${name} lacks ${missing.join(', ')}`);
  copyFileSync(join(root, 'deploy/local/kafka-pom.xml'), join(at, 'dist/deploy/local/kafka-pom.xml'));
  cpSync(join(root, 'schemas'), join(at, 'schemas'), { recursive: true, filter: (f) => !f.endsWith('.md') });
  cpSync(join(root, `deploy/packages/${folder}`), at, { recursive: true });
  chmodSync(join(at, 'bin/simpul.mjs'), 0o755);
  for (const file of ['LICENSE', 'NOTICE']) copyFileSync(join(root, file), join(at, file));
  const manifest = {
    name,
    version: repository.version,
    description,
    keywords,
    license: repository.license,
    type: 'module',
    engines: { node: `>=${NODE_OF_HUB}` },
    bin: { simpul: './bin/simpul.mjs' },
    exports: { './package.json': './package.json' },
    imports: { '#*': './dist/libs/*/index.js' },
    files: ['bin', 'dist', 'schemas', 'NOTICE'],
    dependencies: repository.dependencies,
  };
  writeFileSync(join(at, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return at;
}
