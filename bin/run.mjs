// Small jobs that package.json names: build, check, format, gen.
import { bootstrap, environment, sync } from './bootstrap.mjs';

const node = await bootstrap();
const env = environment(node);
const code = ['apps', 'libs', 'deploy', 'test', 'bin', 'jest.config.mjs'];
export const CHECKS = {
  format: ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', ...code],
  lint: ['node_modules/oxlint/bin/oxlint', '--tsconfig', 'tsconfig.lint.json', '--deny-warnings', ...code.slice(0, 4)],
  types: ['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.json'],
};
const jobs = {
  build: () => 0,
  check: () => Object.values(CHECKS).reduce((bad, args) => bad || sync(node, args, env), 0),
  format: () => sync(node, ['node_modules/prettier/bin/prettier.cjs', '--write', '--log-level', 'warn', ...code], env),
  gen: () => sync(node, ['bin/gen.mjs'], env),
};
const job = jobs[process.argv[2]];
if (!job) {
  process.stderr.write(`usage: node bin/run.mjs ${Object.keys(jobs).join('|')}\n`);
  process.exit(2);
}
process.exit(job());
