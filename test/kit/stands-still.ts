import { spawnSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';

/** Resolves when every thread of a stopped process (SIGSTOP) stands still: the signal reaches them one after another, and a broker answers meanwhile. */
export async function standsStill(pid: number): Promise<void> {
  for (const end = performance.now() + 10_000; performance.now() < end; await pause(5)) {
    const { stdout } = spawnSync('ps', ['-L', '-p', String(pid), '-o', 'stat='], { encoding: 'utf8' });
    const threads = stdout.trim().split('\n');
    if (threads.every((state) => state.startsWith('T'))) return;
  }
  throw new Error(`process ${pid} does not stand still`);
}
