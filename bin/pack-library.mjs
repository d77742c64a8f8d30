// One library package: its rooms bundled from the build (JavaScript and declarations), without paths of the repository.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { dts } from 'rolldown-plugin-dts';
import { root, stop } from './bootstrap.mjs';
import { LIBRARIES, MAY_BE_COPIED, NODE_OF_LIBRARIES } from './packages.mjs';

const require = createRequire(import.meta.url);
const LAZY = '\0optional:';

/** The file of a subpath in the package: `.` is index, `./outbox` is outbox. */
const fileOf = (subpath) => (subpath === '.' ? 'index' : subpath.slice(2));

/** Where a room can be imported from: package and subpath. undefined: no package publishes it. */
function publicName(room) {
  for (const [name, { exports }] of Object.entries(LIBRARIES))
    for (const [subpath, of] of Object.entries(exports)) if (of === room) return { name, id: name + subpath.slice(1) };
  return undefined;
}

/** Packages of npm by the name in an import: `@nestjs/common/x` is `@nestjs/common`. */
const packageOf = (id) => id.match(/^(@[^/]+\/)?[^/]+/)[0];

/** Resolves `#room` and notes the packages of npm. */
function rooms(library, extension, found) {
  const { optionalPeers, bundled } = LIBRARIES[library];
  return {
    name: 'rooms',
    resolveId(source) {
      if (source.startsWith(LAZY)) return source;
      if (source.startsWith('#')) {
        const room = source.slice(1);
        const known = publicName(room);
        if (known === undefined || known.name === library) return join(root, `dist/libs/${room}/index.${extension}`);
        found.add(known.name);
        return { id: known.id, external: true };
      }
      if (/^[./]/.test(source)) return undefined;
      if (isBuiltin(source)) return { id: source, external: true };
      const name = packageOf(source);
      if (bundled.includes(name)) return undefined;
      found.add(name);
      return extension === 'js' && name in optionalPeers ? LAZY + name : { id: source, external: true };
    },
    // An import of a missing package fails before any code runs, with a stack; require() can say in one line what to install.
    load(id) {
      if (!id.startsWith(LAZY)) return undefined;
      const name = id.slice(LAZY.length);
      const names = Object.keys(require(name)).filter((n) => n !== 'default' && n !== '__esModule');
      const wrong = `${library}: the package ${name} is missing. Install it: npm install ${name}@${optionalPeers[name]}`;
      return `import { createRequire } from 'node:module';
let found;
try {
  found = createRequire(import.meta.url)(${JSON.stringify(name)});
} catch (e) {
  if (e.code !== 'MODULE_NOT_FOUND' || !e.message.includes(${JSON.stringify(`'${name}'`)})) throw e;
  const fault = new Error(${JSON.stringify(wrong)});
  fault.stack = fault.message;
  throw fault;
}
export default found;
export const { ${names.join(', ')} } = found;
`;
    },
  };
}

/** Throws one line, without a stack, on a Node.js that is too old. Evaluated before everything else: dependencies fail there with riddles. */
const nodeCheck = (library) => `const needed = '${NODE_OF_LIBRARIES}'.split('.').map(Number);
const here = process.versions.node.split('.').map(Number);
const differs = needed.findIndex((n, i) => n !== here[i]);
if (differs >= 0 && here[differs] < needed[differs]) {
  const fault = new Error(
    '${library} needs Node.js ${NODE_OF_LIBRARIES} or newer (here ' + process.versions.node + '). Install it from https://nodejs.org',
  );
  fault.stack = fault.message;
  throw fault;
}
export {};
`;

/** The subpaths whose room an earlier package publishes, and which re-export it: subpath and where the room is published. */
const reExported = (library) =>
  Object.entries(LIBRARIES[library].exports)
    .map(([subpath, room]) => [subpath, publicName(room)])
    .filter(([, of]) => of.name !== library);

async function bundle(library, extension, dir, found) {
  const { exports } = LIBRARIES[library];
  const foreign = Object.fromEntries(reExported(library));
  const input = Object.fromEntries(
    Object.entries(exports)
      .filter(([subpath]) => !(subpath in foreign))
      .map(([subpath, room]) => [fileOf(subpath), join(root, `dist/libs/${room}/index.${extension}`)]),
  );
  const declarations = extension === 'd.ts';
  const built = await rolldown({
    input,
    cwd: root,
    platform: 'node',
    experimental: { attachDebugInfo: 'none' },
    // A warning ends the build; how long a busy machine took says nothing of the package.
    checks: { bundlerTimings: false },
    // An import of Node.js without a used name is left out.
    treeshake: { moduleSideEffects: (id) => !isBuiltin(id) },
    ...(declarations ? {} : { transform: { target: `node${NODE_OF_LIBRARIES}` } }),
    plugins: [rooms(library, extension, found), ...(declarations ? [dts({ dtsOnly: true, tsconfig: false })] : [])],
    onLog(level, log) {
      if (level === 'warn') stop(`${library}: ${log.message}`);
    },
  });
  const { output } = await built.write({
    dir,
    format: 'es',
    entryFileNames: declarations ? '[name].d.ts' : '[name].js',
    chunkFileNames: declarations ? 'shared/[name].d.ts' : 'shared/[name].js',
    ...(declarations ? {} : { banner: (chunk) => (chunk.isEntry ? `import './node-version.js';` : '') }),
  });
  await built.close();
  return output.filter((o) => o.type === 'chunk');
}

/** Rooms whose code is in the chunks. */
const roomsIn = (chunks) =>
  new Set(chunks.flatMap((c) => c.moduleIds).flatMap((id) => id.match(/dist\/libs\/([^/]+)\//)?.[1] ?? []));
const packageOfRoom = new Map();

/** What the licences of bundled packages ask for: their text beside the copy. */
const notice = (names) =>
  [
    'Simpul\nCopyright the Simpul authors\n\nLicensed under the Apache License, Version 2.0; see the file LICENSE.\n',
    ...names.map((name) => {
      const text = readFileSync(join(root, 'node_modules', name, 'LICENSE'), 'utf8');
      return `This package contains a copy of ${name}:\n\n${text}`;
    }),
  ].join('\n');

/** Writes the package into a folder of `to`; resolves with that folder. */
export async function stageLibrary(library, to, { version, license, dependencies }) {
  const { folder, description, keywords, exports, bundled, peers, optionalPeers } = LIBRARIES[library];
  const at = join(to, folder);
  mkdirSync(join(at, 'dist'), { recursive: true });
  const found = new Set();
  const chunks = await bundle(library, 'js', join(at, 'dist'), found);
  await bundle(library, 'd.ts', join(at, 'dist'), found);
  writeFileSync(join(at, 'dist/node-version.js'), nodeCheck(library));
  for (const [subpath, { name, id }] of reExported(library)) {
    found.add(name);
    const text = `export * from '${id}';\n`;
    writeFileSync(join(at, `dist/${fileOf(subpath)}.d.ts`), text);
    writeFileSync(join(at, `dist/${fileOf(subpath)}.js`), `import './node-version.js';\n${text}`);
  }
  for (const room of roomsIn(chunks)) {
    const other = packageOfRoom.get(room);
    if (other !== undefined && !MAY_BE_COPIED.includes(room))
      stop(`${room} would be in ${other} and in ${library}: publish it as a subpath in bin/packages.mjs`);
    packageOfRoom.set(room, library);
  }
  const siblings = [...found].filter((name) => name in LIBRARIES);
  const packages = [...found].filter((name) => !(name in LIBRARIES) && !(name in peers) && !(name in optionalPeers));
  const unknown = packages.filter((name) => !(name in dependencies));
  if (unknown.length > 0) stop(`${library} imports ${unknown.join(', ')}, not in "dependencies" of package.json`);
  const manifest = {
    name: library,
    version,
    description,
    keywords,
    license,
    type: 'module',
    sideEffects: false,
    engines: { node: `>=${NODE_OF_LIBRARIES}` },
    exports: {
      ...Object.fromEntries(
        Object.keys(exports).map((subpath) => [
          subpath,
          { types: `./dist/${fileOf(subpath)}.d.ts`, default: `./dist/${fileOf(subpath)}.js` },
        ]),
      ),
      './package.json': './package.json',
    },
    files: ['dist', 'NOTICE'],
    dependencies: Object.fromEntries(packages.sort().map((name) => [name, `^${dependencies[name]}`])),
    // The same instance as the app's: a second copy would have classes and tokens of its own.
    peerDependencies: { ...Object.fromEntries(siblings.map((name) => [name, version])), ...peers, ...optionalPeers },
    peerDependenciesMeta: Object.fromEntries(Object.keys(optionalPeers).map((name) => [name, { optional: true }])),
  };
  for (const field of ['dependencies', 'peerDependencies', 'peerDependenciesMeta'])
    if (Object.keys(manifest[field]).length === 0) delete manifest[field];
  writeFileSync(join(at, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  copyFileSync(join(root, 'LICENSE'), join(at, 'LICENSE'));
  writeFileSync(join(at, 'NOTICE'), notice(bundled));
  copyFileSync(join(root, `deploy/packages/${folder}/README.md`), join(at, 'README.md'));
  return at;
}
