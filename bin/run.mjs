// The small jobs of package.json: build, check, format, gen, pack, example.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bootstrap, environment, root, sync } from './bootstrap.mjs';
import { CHECKS, FORMAT } from './checks.mjs';

const node = await bootstrap();
const env = environment(node);

function example([name, ...args]) {
  const file = `dist/examples/${name}/main.js`;
  if (name && existsSync(join(root, file)))
    return sync(node, ['--enable-source-maps', '--disable-warning=ExperimentalWarning', file, ...args], env);
  process.stderr.write('usage: npm run example publisher|subscriber|nest-unit-system [FILE]\n');
  return 2;
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
