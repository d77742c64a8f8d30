import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

interface Line {
  readonly what: string;
  readonly code: string;
  readonly ms: number;
}

/** Runs in a child process with a small heap, because without the guard these bytes end the process. */
function decodeBombs(): { status: number | null; signal: string | null; lines: Line[] } {
  const sources = new URL('../log/conformance/sources.mjs', import.meta.url).href;
  const fixture = join(import.meta.dirname, 'bombs.fixture.ts');
  const args = [
    '--disable-warning=ExperimentalWarning',
    '--experimental-transform-types',
    '-C',
    'simpul-source',
    '--import',
    sources,
  ];
  const { status, signal, stdout } = spawnSync(process.execPath, ['--max-old-space-size=128', ...args, fixture], {
    encoding: 'utf8',
    timeout: 30_000,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const lines = stdout.trim().split('\n').filter(Boolean);
  return { status, signal, lines: lines.map((line) => JSON.parse(line) as Line) };
}

describe('bytes that would end the process if avsc read them without the guard', () => {
  it('are refused by Contract.decode within 50 ms each: bare, framed and for another reader', () => {
    const run = decodeBombs();
    expect([run.status, run.signal, run.lines.length]).toEqual([0, null, 48]);
    for (const line of run.lines) {
      expect([line.what, line.code]).toEqual([
        line.what,
        expect.stringMatching(/^avro_(limit_exceeded|decode_failed)$/),
      ]);
      expect([line.what, line.ms < 50]).toEqual([line.what, true]);
    }
  });
});
