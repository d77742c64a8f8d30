import { fork, spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const ADDRESS = '127.0.0.1';

const fileOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once('close', done));
  child.kill('SIGKILL');
  await ended;
}

/** A server of the bench in a process of its own: its first line is its port. */
export async function startServer(
  file: string,
  args: readonly string[],
): Promise<{
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}> {
  const child = spawn(process.execPath, [fileOf(file), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<number>((done, fail) => {
    createInterface({ input: child.stdout }).once('line', (line) => done(Number(line)));
    child.once('close', (code) => fail(new Error(`${file} ended with ${code ?? 'a signal'}`)));
  });
  return { pid: child.pid!, port, stop: () => end(child) };
}

/** A worker of the bench in a process of its own, asked one thing at a time. */
export interface Worker<Asked> {
  readonly pid: number;
  ask(asked: Asked): Promise<{ readonly events: number; readonly seconds: number }>;
  stop(): Promise<void>;
}

export function startWorker<Asked extends object>(file: string, args: readonly string[]): Worker<Asked> {
  const child = fork(fileOf(file), [...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  return {
    pid: child.pid!,
    ask: (asked) =>
      new Promise((done, fail) => {
        const gone = (code: number | null): void => fail(new Error(`${file} ended with ${code ?? 'a signal'}`));
        child.once('close', gone);
        child.once('message', (answer) => {
          child.off('close', gone);
          done(answer as { events: number; seconds: number });
        });
        child.send(asked);
      }),
    stop: () => end(child),
  };
}

/** The other side: answers each thing asked. A failure ends the process, which the asker is told. */
export function serve<Asked>(
  work: (asked: Asked) => Promise<{ readonly events: number; readonly seconds: number }>,
): void {
  process.on('message', (asked) => {
    work(asked as Asked).then(
      (answer) => process.send!(answer),
      (e: unknown) => {
        process.stderr.write(`${e instanceof Error ? (e.stack ?? e.message) : String(e)}\n`);
        process.exit(1);
      },
    );
  });
}
