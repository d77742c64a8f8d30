import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { hubEnvironment } from '#settings';

/** Where the built apps lie, also when this file runs from its source (tests). */
const dist = new URL(import.meta.url.includes('/dist/') ? '../../' : '../../dist/', import.meta.url);

/** What a hub process tells its launcher. */
export type HubNews =
  /** Without a file: an admin key exists, but not in this data folder. */
  | { readonly kind: 'ready'; readonly url: string; readonly adminKeyFile?: string }
  | { readonly kind: 'failed'; readonly code: string; readonly detail: string };

export interface HubProcess {
  readonly child: ChildProcess;
  readonly url: string;
  readonly adminKeyFile: string | undefined;
  /** Settles when the process has ended. */
  readonly ended: Promise<number | null>;
}

/**
 * How Node runs an app. V8 sizes its young generation by the memory of the machine: 64 MB twice on a large one, for a hub that is as fast with a
 * quarter of it.
 */
export const nodeArgs = (app: string, args: readonly string[] = []): string[] => [
  '--enable-source-maps',
  '--max-semi-space-size=16',
  '--disable-warning=ExperimentalWarning',
  fileURLToPath(new URL(app, dist)),
  ...args,
];

/**
 * Starts a built hub app and waits until it says that its doors are open. Its log lines go to `logFile`.
 * The answer is the failure it told, when it could not start.
 */
export async function startHub(
  app: string,
  env: NodeJS.ProcessEnv,
  logFile: string,
): Promise<HubProcess | Extract<HubNews, { kind: 'failed' }>> {
  const out = openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, nodeArgs(app), {
    env: hubEnvironment(env),
    stdio: ['ignore', out, out, 'ipc'],
  });
  closeSync(out);
  const ended = new Promise<number | null>((done) => {
    child.on('close', (code) => done(code));
  });
  const news = await Promise.race([
    new Promise<HubNews>((done) => {
      child.on('message', (m) => done(m as HubNews));
      child.on('error', (e) => done({ kind: 'failed', code: 'internal', detail: e.message }));
    }),
    ended.then((code): HubNews => ({
      kind: 'failed',
      code: 'internal',
      detail: `ended with ${code ?? 'a signal'} before it was ready; see ${logFile}`,
    })),
  ]);
  if (news.kind === 'failed') {
    await ended;
    return news;
  }
  return { child, url: news.url, adminKeyFile: news.adminKeyFile, ended };
}
