// Small jobs that package.json names: build, check, format, gen, example.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bootstrap, environment, root, sync } from './bootstrap.mjs';

const node = await bootstrap();
const env = environment(node);
const code = ['apps', 'libs', 'deploy', 'test', 'examples', 'bin', 'jest.config.mjs'];
export const CHECKS = {
  format: ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', ...code],
  lint: ['node_modules/oxlint/bin/oxlint', '--tsconfig', 'tsconfig.lint.json', '--deny-warnings', ...code.slice(0, 5)],
  types: ['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.json'],
};
function example([name, ...args]) {
  const file = `dist/examples/${name}/main.js`;
  if (name && existsSync(join(root, file)))
    return sync(node, ['--enable-source-maps', '--disable-warning=ExperimentalWarning', file, ...args], env);
  process.stderr.write('usage: npm run example publisher|subscriber|nest-unit-system [FILE]\n');
  return 2;
}

const jobs = {
  build: () => 0,
  check: () => Object.values(CHECKS).reduce((bad, args) => bad || sync(node, args, env), 0),
  format: () => sync(node, ['node_modules/prettier/bin/prettier.cjs', '--write', '--log-level', 'warn', ...code], env),
  gen: () => sync(node, ['bin/gen.mjs'], env),
  example: () => example(process.argv.slice(3)),
};
const job = jobs[process.argv[2]];
if (!job) {
  process.stderr.write(`usage: node bin/run.mjs ${Object.keys(jobs).join('|')}\n`);
  process.exit(2);
}
process.exit(job());
