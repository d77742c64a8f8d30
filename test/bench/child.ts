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

/** Starts a server of the bench in a process of its own. The server prints its port as the first line. */
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

/** A worker of the bench in a process of its own. It runs one request at a time. */
export interface Worker<Request, Answer> {
  readonly pid: number;
  ask(request: Request): Promise<Answer>;
  stop(): Promise<void>;
}

export interface Worked {
  readonly events: number;
  readonly seconds: number;
}

export function startWorker<Request extends object, Answer extends Worked = Worked>(
  file: string,
  args: readonly string[],
): Worker<Request, Answer> {
  const child = fork(fileOf(file), [...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  return {
    pid: child.pid!,
    ask: (request) =>
      new Promise((done, fail) => {
        const gone = (code: number | null): void => fail(new Error(`${file} ended with ${code ?? 'a signal'}`));
        child.once('close', gone);
        child.once('message', (answer) => {
          child.off('close', gone);
          done(answer as Answer);
        });
        child.send(request);
      }),
    stop: () => end(child),
  };
}

/** The worker side: answers each request. A failure ends the process, and `ask` rejects. */
export function serve<Request>(work: (request: Request) => Promise<Worked>): void {
  process.on('message', (request) => {
    work(request as Request).then(
      (answer) => process.send!(answer),
      (e: unknown) => {
        process.stderr.write(`${e instanceof Error ? (e.stack ?? e.message) : String(e)}\n`);
        process.exit(1);
      },
    );
  });
}
