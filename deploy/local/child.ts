import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { hubEnvironment } from '#settings';

/** Folder of the built apps, also when this file runs from source (tests). */
const dist = new URL(import.meta.url.includes('/dist/') ? '../../' : '../../dist/', import.meta.url);

/** Message of a hub process to its launcher, over IPC. */
export type HubMessage =
  /** `adminKeyFile` is absent when an admin key exists, but not in this data folder. */
  | { readonly kind: 'ready'; readonly url: string; readonly adminKeyFile?: string }
  | { readonly kind: 'failed'; readonly code: string; readonly detail: string };

export interface HubProcess {
  readonly child: ChildProcess;
  readonly url: string;
  readonly adminKeyFile: string | undefined;
  /** The exit code when the process has ended; null when a signal ended it. */
  readonly ended: Promise<number | null>;
}

/**
 * Threads in which V8 marks and moves garbage beside the one that serves requests. V8 takes four whatever the machine has: on two cores they used both for
 * some 70 ms of each collection of the whole heap, and publishing waited for as long.
 */
const COLLECTORS = Math.max(1, Math.min(4, availableParallelism() - 1));

/**
 * Arguments of node for an app. V8 sizes the young generation by the memory of the machine (twice 64 MB on a large one); a hub is as fast with a
 * quarter of that. By default V8 lets the heap grow to several times what a collection left before it collects again, the more so the less time its threads are
 * given: on a machine with other work a hub beside attacks passed 700 MB. With 40 % it stays some 90 MB below, and its deliveries cost the same.
 */
export const nodeArgs = (app: string, args: readonly string[] = []): string[] => [
  '--enable-source-maps',
  '--max-semi-space-size=16',
  '--heap-growing-percent=40',
  `--v8-pool-size=${COLLECTORS}`,
  '--disable-warning=ExperimentalWarning',
  fileURLToPath(new URL(app, dist)),
  ...args,
];

/**
 * Buffers of 128 KiB and more are given back to the system when they are freed. By default glibc raises this bound to the largest buffer that was ever freed,
 * and keeps those below it for itself: bodies and pages that have passed would stay some 50 MB of the process for ever. Other allocators ignore it.
 */
export const MEMORY_ENVIRONMENT: Readonly<Record<string, string>> = { MALLOC_MMAP_THRESHOLD_: '131072' };

/**
 * Starts a built hub app and waits for its message that it is ready. Its log lines go to `logFile`.
 * Returns the message of the app with code and detail when it could not start.
 */
export async function startHub(
  app: string,
  env: NodeJS.ProcessEnv,
  logFile: string,
): Promise<HubProcess | Extract<HubMessage, { kind: 'failed' }>> {
  const out = openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, nodeArgs(app), {
    env: { ...MEMORY_ENVIRONMENT, ...hubEnvironment(env) },
    stdio: ['ignore', out, out, 'ipc'],
  });
  closeSync(out);
  const ended = new Promise<number | null>((done) => {
    child.on('close', (code) => done(code));
  });
  const message = await Promise.race([
    new Promise<HubMessage>((done) => {
      child.on('message', (m) => done(m as HubMessage));
      child.on('error', (e) => done({ kind: 'failed', code: 'internal', detail: e.message }));
    }),
    ended.then((code): HubMessage => ({
      kind: 'failed',
      code: 'internal',
      detail: `ended with ${code ?? 'a signal'} before it was ready; see ${logFile}`,
    })),
  ]);
  if (message.kind === 'failed') {
    await ended;
    return message;
  }
  return { child, url: message.url, adminKeyFile: message.adminKeyFile, ended };
}
