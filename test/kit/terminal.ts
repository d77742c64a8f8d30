import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** Runs a command in a pseudo-terminal: waits for a text behind the former one, types keys, and so on; then prints how the command ended and what was on the screen. */
const IN_A_TERMINAL = `
import fcntl, json, os, pty, select, signal, struct, sys, termios, time
steps, limit = json.loads(sys.argv[1]), time.time() + float(sys.argv[2])
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[3], sys.argv[3:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 200, 0, 0))
seen, behind, late = b'', 0, False
while True:
    if time.time() > limit:
        late = True
        os.kill(pid, signal.SIGKILL)
        break
    if select.select([fd], [], [], 0.2)[0]:
        try:
            some = os.read(fd, 65536)
        except OSError:
            break
        if not some:
            break
        seen += some
    while steps:
        at = seen.find(steps[0][0].encode(), behind)
        if at < 0:
            break
        behind = at + len(steps[0][0].encode())
        os.write(fd, steps.pop(0)[1].encode())
state = os.waitpid(pid, 0)[1]
ended = os.WEXITSTATUS(state) if os.WIFEXITED(state) else 'by signal %d' % os.WTERMSIG(state)
print(json.dumps({'ended': 'too late' if late else ended, 'screen': seen.decode(errors='replace'), 'left': steps}))
`;

/** Waited for, then typed. */
export type Step = readonly [text: string, keys: string];

export interface TerminalRun {
  /** The exit code, `by signal N`, or `too late`. */
  readonly ended: number | string;
  readonly screen: string;
  /** Steps whose text never came. */
  readonly left: readonly Step[];
}

/** A reason why this machine has no pseudo-terminal; undefined: it has. Under CI nothing is skipped. */
export const noTerminal = (): string | undefined =>
  process.env['CI'] === 'true' || spawnSync('python3', ['--version']).status === 0 ? undefined : 'no python3';

/** Runs a command as a person does at a terminal of 200 columns. Rejects when the pseudo-terminal itself fails. */
export async function inTerminal(
  command: readonly string[],
  steps: readonly Step[],
  { env = process.env, cwd, seconds = 50 }: { env?: NodeJS.ProcessEnv; cwd?: string; seconds?: number } = {},
): Promise<TerminalRun> {
  const args = ['-c', IN_A_TERMINAL, JSON.stringify(steps), String(seconds), ...command];
  const child = spawn('python3', args, {
    env,
    ...(cwd === undefined ? {} : { cwd }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err] = ['', ''].map((text) => ({ text }));
  child.stdout.on('data', (chunk: Buffer) => (out!.text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err!.text += chunk.toString()));
  await once(child, 'close');
  if (err!.text !== '') throw new Error(err!.text);
  return JSON.parse(out!.text) as TerminalRun;
}
