// The small jobs of package.json: build, check, format, gen, pack, example.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootstrap, environment, root, sync } from './bootstrap.mjs';
import { CHECKS, FORMAT } from './checks.mjs';
import { LIBRARIES } from './packages.mjs';

const node = await bootstrap();
const env = environment(node);

/** Runs an example from the build of this repository, with the built rooms in place of the packages that it installs elsewhere. Its files stay below dist. */
function example([name, ...args]) {
  const at = join(root, 'dist/examples', name ?? '');
  // By the source: tsc leaves the built files of removed sources behind.
  const main = ['main', 'src/main'].find((file) => existsSync(join(root, 'examples', name ?? '', `${file}.ts`)));
  if (!name || main === undefined) {
    process.stderr.write(
      'usage: npm run example publisher|subscriber|reactor|webhook-receiver|nest-unit-system|nest-directorate\n',
    );
    return 2;
  }
  for (const [as, { exports }] of Object.entries(LIBRARIES)) {
    const folder = join(root, 'dist/examples/node_modules', as);
    mkdirSync(folder, { recursive: true });
    const subpaths = Object.entries(exports).map(([subpath, room]) => {
      writeFileSync(join(folder, `${room}.js`), `export * from '../../../../libs/${room}/index.js';\n`);
      return [subpath, `./${room}.js`];
    });
    const manifest = { name: as, type: 'module', exports: Object.fromEntries(subpaths) };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  }
  return sync(node, ['--enable-source-maps', '--disable-warning=ExperimentalWarning', `${main}.js`, ...args], env, at);
}

const jobs = {
  build: () => 0,
  check: () => CHECKS.reduce((bad, [, args]) => bad || sync(node, args, env), 0),
  format: () => sync(node, FORMAT, env),
  gen: () => sync(node, ['bin/gen.mjs'], env),
  pack: () => sync(node, ['bin/pack.mjs', ...process.argv.slice(3)], env),
  example: () => example(process.argv.slice(3)),
};
const job = jobs[process.argv[2]];
if (!job) {
  process.stderr.write(`usage: node bin/run.mjs ${Object.keys(jobs).join('|')}\n`);
  process.exit(2);
}
process.exit(job());
