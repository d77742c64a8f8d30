import { existsSync, readFileSync, rmSync } from 'node:fs';
import { pause } from '#concurrency';

export interface Orphan {
  /** Holds the process id, and after a blank the port where the server has written it. */
  readonly pidFile: string;
  /** Whether the process is the server of this data folder: the id may have been given to another process since. `port` is 0 when the file has none. */
  readonly isOurs: (pid: number, port: number) => boolean | Promise<boolean>;
  readonly isRunning: (pid: number) => boolean;
  readonly stopMs: number;
  /** Called again and again while the process still runs after `stopMs`. What it throws rejects `endOrphan`. */
  readonly late: (pid: number) => void;
}

/** Stops a server that still runs because its launcher was killed (two servers on one data folder would destroy it), and removes its pid file. */
export async function endOrphan({ pidFile, isOurs, isRunning, stopMs, late }: Orphan): Promise<void> {
  if (!existsSync(pidFile)) return;
  const [pid = 0, port = 0] = readFileSync(pidFile, 'utf8').split(' ').map(Number);
  if (pid > 0 && (await isOurs(pid, port))) {
    process.kill(pid, 'SIGCONT');
    process.kill(pid, 'SIGTERM');
    for (const end = Date.now() + stopMs; isRunning(pid); await pause(50)) if (Date.now() > end) late(pid);
  }
  rmSync(pidFile, { force: true });
}
