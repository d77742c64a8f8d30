import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startHub, type HubProcess } from '../../deploy/local/child.js';

export interface Deployment {
  readonly dir: string;
  readonly url: string;
  readonly adminKey: string;
  /** 0: it does not run. */
  readonly pid: number;
  /** Resolves when the process has ended, however. */
  readonly ended: Promise<unknown>;
  /** SIGKILL, wait for the exit, start again on the same port. */
  crash(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  start(): Promise<void>;
  /** Makes an API key with the admin key. */
  key(unit: string, system: string, roles: readonly string[]): Promise<string>;
  /** Stops the app and removes its data. */
  close(): Promise<void>;
}

/** Starts a built app with a data folder of its own. `env` adds settings (engine, addresses, prefix). */
export async function deploy(
  env: Readonly<Record<string, string>> = {},
  app = 'apps/hub/src/main.js',
): Promise<Deployment> {
  const home = mkdtempSync(join(tmpdir(), 'simpul-hub-'));
  const dir = env['SIMPUL_DATA'] ?? home;
  let hub: HubProcess | undefined;
  let port = 0;
  const start = async (): Promise<void> => {
    const settings = {
      SIMPUL_ENGINE: 'embedded',
      SIMPUL_DATA: dir,
      SIMPUL_PORT: String(port),
      SIMPUL_LOG_LEVEL: 'warn',
      ...env,
    };
    const started = await startHub(app, { PATH: process.env['PATH'] ?? '', ...settings }, join(home, 'hub.log'));
    if ('kind' in started)
      throw new Error(
        `${started.code}: ${started.detail}\n${readFileSync(join(home, 'hub.log'), 'utf8').slice(-2000)}`,
      );
    hub = started;
    port = Number(new URL(started.url).port);
  };
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    const ending = hub;
    hub = undefined;
    ending?.child.kill(signal);
    return (await ending?.ended) ?? null;
  };
  await start();
  const deployment: Deployment = {
    dir,
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    get adminKey() {
      return readFileSync(join(dir, 'admin.key'), 'utf8').trim();
    },
    get pid() {
      return hub?.child.pid ?? 0;
    },
    get ended() {
      return hub?.ended ?? Promise.resolve(null);
    },
    start,
    stop,
    async crash() {
      await stop('SIGKILL');
      await start();
    },
    async key(unit, system, roles) {
      const answer = await fetch(`${deployment.url}/v1/keys`, {
        method: 'POST',
        headers: { authorization: `Bearer ${deployment.adminKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ unit, system, roles }),
      });
      const body = (await answer.json()) as { key: string };
      if (answer.status !== 201) throw new Error(`POST /v1/keys: ${answer.status} ${JSON.stringify(body)}`);
      return body.key;
    },
    async close() {
      await stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
  return deployment;
}
