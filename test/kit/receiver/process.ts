import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ReceiverOptions } from './receiver.js';
import type { Received, Rule } from './script.js';

const MAIN = join(
  import.meta.dirname.replace(/(?<!\/dist)\/test\/kit\/receiver$/, '/dist/test/kit/receiver'),
  'main.js',
);

/** A receiver of webhooks in a process of its own. */
export interface ReceiverProcess {
  readonly url: string;
  /** Where it is controlled over HTTP, see main.ts. */
  readonly control: string;
  rules(rules: readonly Rule[]): Promise<void>;
  keys(keys: readonly string[]): Promise<void>;
  /** What came in since the last start of the process. */
  received(after?: number): Promise<readonly Received[]>;
  counts(): Promise<ReceiverCounts>;
  forget(): Promise<void>;
  /** Cuts every connection and refuses new ones; up() listens again. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** SIGKILL; start() brings it back at the same port, without rules, and without what came in: that is in the history file. */
  kill(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface ReceiverCounts {
  readonly requests: number;
  readonly recorded: number;
  readonly connections: { readonly open: number; readonly made: number };
  readonly cpuMs: number;
}

/** Starts a receiver as a process (built code). */
export async function startReceiver(options: ReceiverOptions = {}): Promise<ReceiverProcess> {
  let child: ChildProcess | undefined;
  let url = '';
  let control = '';
  const start = async (): Promise<void> => {
    const port = url === '' ? (options.port ?? 0) : Number(new URL(url).port);
    const args = ['--enable-source-maps', MAIN, JSON.stringify({ ...options, port })];
    const started = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    child = started;
    const line = await new Promise<string>((done, fail) => {
      createInterface(started.stdout).once('line', done);
      started.once('exit', (code) => fail(new Error(`the receiver ended with ${code}`)));
    });
    ({ url, control } = JSON.parse(line) as { url: string; control: string });
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    const ended = new Promise((done) => ending.once('exit', done));
    ending.kill(signal);
    await ended;
  };
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(control + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  };
  await start();
  return {
    get url() {
      return url;
    },
    get control() {
      return control;
    },
    rules: (rules) => call('PUT', '/rules', rules),
    keys: (keys) => call('PUT', '/keys', keys),
    received: (after = 0) => call('GET', `/received?after=${after}`),
    counts: () => call('GET', '/counts'),
    forget: () => call('POST', '/forget'),
    down: () => call('POST', '/down'),
    up: () => call('POST', '/up'),
    kill: () => end('SIGKILL'),
    start,
    close: () => end('SIGTERM'),
  };
}
