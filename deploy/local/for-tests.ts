import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { innermostMessage } from '#faults';
import { provisionKafka } from './provision-kafka.js';
import { provisionRedis } from './redis.js';

/**
 * Runs a command with a Kafka and a Redis of its own (addresses in SIMPUL_TEST_KAFKA and SIMPUL_TEST_REDIS), stops both afterwards, and exits with the
 * code of the command. Given addresses are used as they are. Without Kafka or Redis the command still runs, except under CI.
 */
async function main(): Promise<number> {
  const [command, ...args] = process.argv.slice(2);
  if (command === undefined) throw new Error('usage: for-tests COMMAND [ARG …]');
  const dir = mkdtempSync(join(tmpdir(), 'simpul-test-'));
  const log = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  const kafka = provisionKafka({
    dir: join(dir, 'kafka'),
    cache: '.simpul/kafka',
    given: process.env['SIMPUL_TEST_KAFKA'],
    log,
  });
  const redis = provisionRedis({
    dir: join(dir, 'redis'),
    cache: '.simpul/redis',
    given: process.env['SIMPUL_TEST_REDIS'],
    log,
  });
  const [k, r] = await Promise.allSettled([kafka, redis]);
  const env = { ...process.env };
  if (k.status === 'fulfilled') env['SIMPUL_TEST_KAFKA'] = k.value.bootstrap;
  else log(`no Kafka: ${innermostMessage(k.reason)}`);
  if (r.status === 'fulfilled') env['SIMPUL_TEST_REDIS'] = r.value.url;
  else log(`no Redis: ${innermostMessage(r.reason)}`);
  const stop = async (): Promise<void> => {
    await Promise.allSettled([k, r].map((s) => (s.status === 'fulfilled' ? s.value.stop() : Promise.resolve())));
    rmSync(dir, { recursive: true, force: true });
  };
  if (process.env['CI'] === 'true' && (k.status === 'rejected' || r.status === 'rejected')) {
    await stop();
    log('CI=true: nothing may be skipped');
    return 1;
  }
  const child = spawn(command, args, { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const code = await new Promise<number>((done) => {
    child.on('error', () => done(1));
    child.on('close', (c) => done(c ?? 1));
  });
  await stop();
  return code;
}

main().then(
  (code) => process.exit(code),
  (e: unknown) => {
    process.stderr.write(`✗ ${innermostMessage(e)}\n`);
    process.exit(1);
  },
);
