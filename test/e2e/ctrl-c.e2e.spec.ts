import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs a command in a pseudo-terminal: waits for a word, sends Ctrl-C, and prints how the command ended. */
const IN_A_TERMINAL = `
import os, pty, select, sys, time
word, limit = sys.argv[1].encode(), time.time() + 50
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen, pressed = b'', False
while time.time() < limit:
    if select.select([fd], [], [], 0.2)[0]:
        try:
            some = os.read(fd, 65536)
        except OSError:
            break
        if not some:
            break
        seen += some
    if word in seen and not pressed:
        pressed = True
        os.write(fd, b'\\x03')
state = os.waitpid(pid, 0)[1]
print('exit', os.WEXITSTATUS(state) if os.WIFEXITED(state) else 'by signal %d' % os.WTERMSIG(state))
`;
const python = spawnSync('python3', ['--version']).status === 0;
// Without python3 the test is skipped with its reason; under CI nothing is skipped.
const ours = python || process.env['CI'] === 'true' ? it : it.skip;

describe('npm start in a terminal', () => {
  ours(`exits with 0 on Ctrl-C, after the hub has closed its stores${python ? '' : ' (skipped: no python3)'}`, () => {
    const dir = mkdtempSync(join(tmpdir(), 'simpul-ctrl-c-'));
    try {
      const { stdout, stderr } = spawnSync(
        'python3',
        [
          '-c',
          IN_A_TERMINAL,
          'Ctrl-C',
          'npm',
          'start',
          '--',
          '--no-demo',
          '--port',
          '0',
          '--data',
          dir,
          '--lang',
          'en',
        ],
        { encoding: 'utf8' },
      );
      expect([stdout.trim().split('\n').at(-1), stderr]).toEqual(['exit 0', '']);
      // SQLite removes the write-ahead log when a store is closed.
      expect(existsSync(join(dir, 'state.sqlite'))).toBe(true);
      expect(existsSync(join(dir, 'state.sqlite-wal'))).toBe(false);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
