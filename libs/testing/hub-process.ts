import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TestHubFault } from './fault.js';

export interface HubProcessOptions {
  /** Event contracts (Avro schemas with the members of Simpul) beside those that come with the hub. */
  readonly contracts: readonly string[];
  readonly partitions: number;
  /** The node that runs the hub. @default that of this process */
  readonly node?: string;
}

export interface HubProcess {
  readonly url: string;
  readonly adminKey: string;
  stop(): Promise<void>;
}

type Message =
  | { readonly kind: 'ready'; readonly url: string; readonly adminKeyFile?: string }
  | { readonly kind: 'failed'; readonly code: string; readonly detail: string };

const APP = 'dist/apps/hub/src/main.js';

/** The folder of the package `simpul`: a dependency of the project that runs the tests, or the repository itself. */
export function findHub(from: readonly string[] = [join(process.cwd(), '_'), fileURLToPath(import.meta.url)]): string {
  for (const file of from) {
    try {
      return dirname(createRequire(file).resolve('simpul/package.json'));
    } catch {
      // Looked for at the next place.
    }
  }
  for (const file of from)
    for (let dir = dirname(file); dir !== dirname(dir); dir = dirname(dir))
      if (existsSync(join(dir, APP)) && nameOf(join(dir, 'package.json')) === 'simpul') return dir;
  throw new TestHubFault('test_hub_missing');
}

function nameOf(manifest: string): unknown {
  try {
    return (JSON.parse(readFileSync(manifest, 'utf8')) as { name?: unknown }).name;
  } catch {
    return undefined;
  }
}

/** The folder that packages are installed in: that of the hub's package, or of the repository. */
const modulesOf = (hub: string): string =>
  basename(dirname(hub)) === 'node_modules' ? dirname(hub) : join(hub, 'node_modules');

const OLDER = (is: string, than: string): boolean => {
  const [a = [], b = []] = [is, than].map((v) => v.split('.').map(Number));
  const at = b.findIndex((n, i) => n !== (a[i] ?? 0));
  return at >= 0 && (a[at] ?? 0) < b[at]!;
};

/** Starts a hub with the embedded engine in a folder of its own. It ends with this process, and the folder is removed. Faults `TestHubFault`. */
export async function startProcess({ contracts, partitions, node }: HubProcessOptions): Promise<HubProcess> {
  const hub = findHub();
  const { engines } = JSON.parse(readFileSync(join(hub, 'package.json'), 'utf8')) as { engines?: { node?: string } };
  const needed = /\d[\d.]*/.exec(engines?.node ?? '')?.[0] ?? '24.15.0';
  if (node === undefined && OLDER(process.versions.node, needed)) throw new TestHubFault('test_hub_node', needed);
  const home = mkdtempSync(join(tmpdir(), 'simpul-test-hub-'));
  const remove = (): void => rmSync(home, { recursive: true, force: true });
  const env: NodeJS.ProcessEnv = {
    SIMPUL_ENGINE: 'embedded',
    SIMPUL_DATA: join(home, 'data'),
    SIMPUL_PORT: '0',
    SIMPUL_PARTITIONS: String(partitions),
    SIMPUL_LOG_LEVEL: 'warn',
    // A fifth of a start is compiling: from the second one on Node finds its work done. In node_modules and not in the folder for all users, because it is code.
    NODE_COMPILE_CACHE: join(modulesOf(hub), '.cache/simpul'),
    ...(contracts.length === 0 ? {} : { SIMPUL_CONTRACTS: written(join(home, 'contracts'), contracts) }),
  };
  const child = spawn(node ?? process.execPath, ['--disable-warning=ExperimentalWarning', join(hub, APP)], {
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let log = '';
  for (const out of [child.stdout!, child.stderr!])
    out.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-2_000)));
  const closed = once(child, 'close');
  // A test run that ends without stop() leaves no hub and no folder behind.
  const onExit = (): void => {
    child.kill('SIGKILL');
    remove();
  };
  process.on('exit', onExit);
  const failed = (detail: string): Message => ({ kind: 'failed', code: 'internal', detail });
  const message = await Promise.race([
    new Promise<Message>((done) => {
      child.on('message', (m) => done(m as Message));
      child.on('error', (e) => done(failed(e.message)));
    }),
    closed.then(
      () => failed('it ended'),
      (e: Error) => failed(e.message),
    ),
  ]);
  const stop = async (): Promise<void> => {
    process.off('exit', onExit);
    child.ref();
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) await closed;
    remove();
  };
  if (message.kind === 'failed') {
    await stop();
    throw new TestHubFault('test_hub_failed', `${message.code} ${message.detail} ${log}`.replaceAll('\n', ' ').trim());
  }
  // A hub that nobody stops must not keep a test run alive.
  child.unref();
  child.channel?.unref();
  for (const out of [child.stdout, child.stderr]) (out as unknown as { unref?(): void }).unref?.();
  return { url: message.url, adminKey: readFileSync(message.adminKeyFile ?? '', 'utf8').trim(), stop };
}

function written(folder: string, contracts: readonly string[]): string {
  mkdirSync(folder);
  for (const [i, schema] of contracts.entries()) writeFileSync(join(folder, `${i}.avsc`), schema);
  return folder;
}
