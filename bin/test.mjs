// npm test: every check, also on a fresh machine. --campaign: the long fault runs. --bench: the measurements. Other words go to Jest.
import { join } from 'node:path';
import { bootstrap, bringNode, environment, root, step, sync } from './bootstrap.mjs';
import { CHECKS, GENERATED } from './checks.mjs';

const words = process.argv.slice(2);
const campaign = words.includes('--campaign');
const bench = words.includes('--bench');
const rest = words.filter((w) => w !== '--campaign' && w !== '--bench');
const node = await bootstrap();
const env = { ...environment(node), FORCE_COLOR: process.stdout.isTTY ? '1' : '0' };
if (campaign) {
  env.SIMPUL_TEST_CAMPAIGN = '1';
  const kafka = ['dead-line', 'failover', 'truncation'].map((name) => `libs/log-kafka/${name}`);
  const embedded = ['libs/log-embedded/kill', 'libs/backup'];
  if (rest.length === 0)
    rest.push(
      'test/fault',
      ...kafka,
      ...embedded,
      'libs/state-redis/trust',
      'libs/table',
      'libs/consuming',
      'test/e2e/packages',
    );
}

// The packages for unit systems run on these too; a run that does not bring them takes those of the machine.
if (campaign || process.env.CI === 'true') for (const version of ['20.18.1', '22.13.0']) await bringNode(version);

if (!campaign && !bench && rest.length === 0) {
  for (const [name, args] of [...CHECKS, GENERATED]) {
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
