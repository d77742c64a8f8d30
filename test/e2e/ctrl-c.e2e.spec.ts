import { describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inTerminal, noTerminal } from '../kit/terminal.js';

const reason = noTerminal();
const ours = reason === undefined ? it : it.skip;
const why = reason === undefined ? '' : ` (skipped: ${reason})`;

describe('npm start in a terminal', () => {
  ours(`exits with 0 on Ctrl-C, after the hub has closed its stores${why}`, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'simpul-ctrl-c-'));
    const command = ['npm', 'start', '--', '--no-demo', '--port', '0', '--data', dir, '--lang', 'en'];
    try {
      expect(await inTerminal(command, [['Ctrl-C', '\u0003']])).toMatchObject({ ended: 0 });
      // SQLite removes the write-ahead log when a store is closed.
      expect(existsSync(join(dir, 'state.sqlite'))).toBe(true);
      expect(existsSync(join(dir, 'state.sqlite-wal'))).toBe(false);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
