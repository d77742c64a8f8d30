import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PRELOAD = new URL('./preload.mjs', import.meta.url).href;
/** Put before the code: `arm()` begins the counting of steps. */
const ARM = `import { writeFileSync } from 'node:fs'; const arm = () => writeFileSync(process.env.SIMPUL_TEST_ARMED, '');\n`;

export interface Kill {
  /** Number of the step, from 1, counted over all threads from arm() on. */
  readonly step: number;
  /** `during`: the signal is sent when the step has begun. */
  readonly how: 'before' | 'during';
}

export interface Ended {
  /** The process came to its end before the signal. */
  readonly whole: boolean;
  readonly steps: number;
  /** Lines of its standard output. */
  readonly lines: readonly string[];
}

/**
 * Runs an ES module in a process of its own, which imports the rooms as they are built, and kills it (SIGKILL) before or during one of its steps: calls
 * that change files, and statements of SQLite, in any thread. Without `kill` it runs to its end and tells how many steps there are.
 */
export async function runKilled(code: string, kill?: Kill): Promise<Ended> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-kill-'));
  const counted = join(dir, 'steps');
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--import', PRELOAD, '--input-type=module', '-e', ARM + code],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        SIMPUL_TEST_STEPS: counted,
        SIMPUL_TEST_ARMED: join(dir, 'armed'),
        SIMPUL_TEST_KILL: kill === undefined ? '' : `${kill.step} ${kill.how}`,
      },
    },
  );
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk;
    if (out.includes('\nsimpul-test-step\n')) child.kill('SIGKILL');
  });
  const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  const steps = existsSync(counted) ? statSync(counted).size : 0;
  rmSync(dir, { recursive: true, force: true });
  if (signal === null && status !== 0) throw new Error(`the process ended with ${status}: ${out}`);
  return { whole: signal === null, steps, lines: out.split('\n').filter((line) => line !== '') };
}

/** Which steps of `total` to kill at: all of them, or `some`, spread evenly from the first to the last; each fourth in the middle of the step. */
export function killsAt(total: number, some: number): Kill[] {
  const count = Math.min(total, some);
  return Array.from({ length: count }, (_, i) => ({
    step: count === 1 ? total : 1 + Math.round((i * (total - 1)) / (count - 1)),
    how: i % 4 === 3 ? 'during' : 'before',
  }));
}
