import { spawnSync } from 'node:child_process';
import { pause } from '#concurrency';

/** Resolves when every thread of a process that got SIGSTOP has stopped. The signal reaches the threads one after another, and a broker can still answer meanwhile. */
export async function standsStill(pid: number): Promise<void> {
  for (const end = performance.now() + 10_000; performance.now() < end; await pause(5)) {
    const { stdout } = spawnSync('ps', ['-L', '-p', String(pid), '-o', 'stat='], { encoding: 'utf8' });
    const threads = stdout.trim().split('\n');
    if (threads.every((state) => state.startsWith('T'))) return;
  }
  throw new Error(`process ${pid} has threads that did not stop`);
}
