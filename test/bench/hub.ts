import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startHub } from '../../deploy/local/child.js';
import { SYSTEM, UNIT } from './case-event.js';
import { services } from './services.js';

export type BenchEngine = 'embedded' | 'kafka';

export interface BenchHub {
  readonly pid: number;
  readonly host: string;
  readonly port: number;
  readonly adminKey: string;
  stop(): Promise<void>;
}

export interface BenchHubOptions {
  readonly app: 'hub' | 'gateway' | 'projector';
  readonly engine: BenchEngine;
  readonly dir: string;
  /** Prefix of the topics and the state of this deployment. */
  readonly prefix: string;
  /** Data folder of the process that started this deployment: its pseudonym key is used, and no admin key is read. */
  readonly first?: string;
}

/** Starts a built app on a free port with the settings of a deployment. */
export async function openBenchHub(options: BenchHubOptions): Promise<BenchHub> {
  mkdirSync(options.dir, { recursive: true });
  const env: NodeJS.ProcessEnv = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('SIMPUL_')),
  );
  env['SIMPUL_ENGINE'] = options.engine;
  env['SIMPUL_DATA'] = options.dir;
  env['SIMPUL_PORT'] = '0';
  env['SIMPUL_WEBHOOK_ALLOW'] = '127.0.0.0/8';
  // All readers of the bench are of one unit.
  env['SIMPUL_LIMIT_LIVE_STREAMS_PER_UNIT'] = '1500';
  env['SIMPUL_LIMIT_LIVE_STREAMS_PER_ADDRESS'] = '1500';
  env['SIMPUL_LIMIT_CONNECTIONS_PER_UNIT'] = '2000';
  env['SIMPUL_SUBSCRIPTIONS_PER_UNIT'] = '1000';
  if (options.engine === 'kafka') {
    const { brokers, redis } = services();
    env['SIMPUL_KAFKA'] = brokers;
    env['SIMPUL_REDIS'] = redis;
    env['SIMPUL_KAFKA_PREFIX'] = options.prefix;
  }
  if (options.first !== undefined) env['SIMPUL_PSEUDONYM_KEY_FILE'] = join(options.first, 'pseudonym.key');
  const logFile = join(options.dir, 'hub.log');
  const hub = await startHub(`apps/${options.app}/src/main.js`, env, logFile);
  if ('kind' in hub)
    throw new Error(`${options.app}: ${hub.code}: ${hub.detail}\n${readFileSync(logFile, 'utf8').slice(-2_000)}`);
  const url = new URL(hub.url);
  const adminKey = options.first === undefined ? readFileSync(hub.adminKeyFile!, 'utf8').trim() : '';
  return {
    pid: hub.child.pid!,
    host: url.hostname,
    port: Number(url.port),
    adminKey,
    async stop() {
      hub.child.kill('SIGTERM');
      await hub.ended;
    },
  };
}

/** Makes a key that may publish and read the events of the bench. */
export async function benchKey(hub: BenchHub): Promise<string> {
  const answer = await fetch(`http://${hub.host}:${hub.port}/v1/keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${hub.adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ unit: UNIT, system: SYSTEM, roles: ['publisher', 'reader'] }),
  });
  const made = (await answer.json()) as { readonly key?: string };
  if (made.key === undefined) throw new Error(`no key for the bench: ${answer.status} ${JSON.stringify(made)}`);
  return made.key;
}
