// npm test: every check, on a fresh machine. --campaign: the long runs. --bench: the figures. Words after them go to Jest.
import { join } from 'node:path';
import { bootstrap, environment, root, step, sync } from './bootstrap.mjs';

const words = process.argv.slice(2);
const campaign = words.includes('--campaign');
const bench = words.includes('--bench');
const rest = words.filter((w) => w !== '--campaign' && w !== '--bench');
const node = await bootstrap();
const env = { ...environment(node), FORCE_COLOR: process.stdout.isTTY ? '1' : '0' };
if (campaign) {
  env.SIMPUL_TEST_CAMPAIGN = '1';
  if (rest.length === 0) rest.push('test/fault', 'libs/log-kafka/failover');
}
const code = ['apps', 'libs', 'deploy', 'test', 'examples', 'bin', 'jest.config.mjs'];

if (!campaign && !bench && rest.length === 0) {
  const checks = [
    ['format', ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', ...code]],
    [
      'lint and room rules',
      ['node_modules/oxlint/bin/oxlint', '--tsconfig', 'tsconfig.lint.json', '--deny-warnings', ...code.slice(0, 5)],
    ],
    ['types', ['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.json']],
    ['generated files', ['bin/gen.mjs', '--check']],
  ];
  for (const [name, args] of checks) {
    const done = step(name);
    const bad = sync(node, args, env) !== 0;
    done(!bad);
    if (bad) process.exit(1);
  }
}

const flags = ['--enable-source-maps', '--disable-warning=ExperimentalWarning'];
const services = [...flags, join(root, 'dist/deploy/local/for-tests.js'), node];
if (bench) process.exit(sync(node, [...services, ...flags, 'dist/test/bench/main.js', ...rest], env));
process.exit(
  sync(
    node,
    [...services, '--experimental-vm-modules', ...flags, 'node_modules/jest/bin/jest.js', '-w', '2', ...rest],
    env,
  ),
);
