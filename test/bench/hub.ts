import { readFileSync } from 'node:fs';
import { mkdirSync } from 'node:fs';
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

export interface HubWish {
  readonly app: 'hub' | 'gateway' | 'projector';
  readonly engine: BenchEngine;
  readonly dir: string;
  /** Topics and state of this deployment. */
  readonly prefix: string;
  /** The data folder whose admin key and pseudonym key hold, when another process of this deployment made them. */
  readonly first?: string;
}

/** A built app on a free port, with the settings a deployment has. */
export async function openBenchHub(wish: HubWish): Promise<BenchHub> {
  mkdirSync(wish.dir, { recursive: true });
  const env: NodeJS.ProcessEnv = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('SIMPUL_')),
  );
  env['SIMPUL_ENGINE'] = wish.engine;
  env['SIMPUL_DATA'] = wish.dir;
  env['SIMPUL_PORT'] = '0';
  if (wish.engine === 'kafka') {
    const { brokers, redis } = services();
    env['SIMPUL_KAFKA'] = brokers;
    env['SIMPUL_REDIS'] = redis;
    env['SIMPUL_KAFKA_PREFIX'] = wish.prefix;
  }
  if (wish.first !== undefined) env['SIMPUL_PSEUDONYM_KEY_FILE'] = join(wish.first, 'pseudonym.key');
  const logFile = join(wish.dir, 'hub.log');
  const hub = await startHub(`apps/${wish.app}/src/main.js`, env, logFile);
  if ('kind' in hub)
    throw new Error(`${wish.app}: ${hub.code}: ${hub.detail}\n${readFileSync(logFile, 'utf8').slice(-2_000)}`);
  const url = new URL(hub.url);
  const adminKey = wish.first === undefined ? readFileSync(hub.adminKeyFile!, 'utf8').trim() : '';
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

/** A key that may publish the events of the bench and read them. */
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
