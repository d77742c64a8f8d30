import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SCRIPTS } from '../../apps/cli/src/completion-scripts.js';
import { inTerminal, noTerminal, type Step } from '../kit/terminal.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'simpul-completion-'));
  mkdirSync(join(home, 'bin'));
  // Asked for words, it says one and notes what it was asked; run as a command, it notes its words.
  const simpul = `#!/bin/sh
case "$1" in
  __complete) printf '%s\\n' "$@" > '${home}/asked'; printf '%s\\n' '${TYPE}' ;;
  *) printf '%s\\n' "$@" > '${home}/ran' ;;
esac
`;
  writeFileSync(join(home, 'bin/simpul'), simpul, { mode: 0o755 });
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const note = (name: string): string[] => readFileSync(join(home, name), 'utf8').trimEnd().split('\n');

/** How a shell is started without the settings of this machine, and where its script stands. */
const SHELLS: Readonly<
  Record<string, { readonly args: readonly string[]; readonly script: string; readonly prompt: string }>
> = {
  bash: { args: ['--noprofile', '--norc', '-i'], script: 'script', prompt: 'PS1="tanya""> "; source ~/script' },
  zsh: {
    args: ['-f', '-i'],
    script: 'script',
    prompt: 'PS1="tanya""> "; autoload -Uz compinit; compinit -u -D; source ~/script',
  },
  fish: {
    args: ['-i'],
    script: '.config/fish/completions/simpul.fish',
    prompt: 'function fish_prompt; echo "tanya""> "; end',
  },
};

describe('words after Tab, typed in a terminal', () => {
  for (const [shell, { args, script, prompt }] of Object.entries(SHELLS)) {
    const missing = process.env['CI'] !== 'true' && spawnSync(shell, ['--version']).status !== 0;
    const reason = missing ? `no ${shell}` : noTerminal();
    const ours = reason === undefined ? it : it.skip;
    ours(
      `come to ${shell} by its script: the begun word is completed, the words before it are kept${reason === undefined ? '' : ` (skipped: ${reason})`}`,
      async () => {
        mkdirSync(join(home, '.config/fish/completions'), { recursive: true });
        writeFileSync(join(home, script), SCRIPTS[shell]!);
        const env = {
          PATH: `${join(home, 'bin')}${delimiter}${process.env['PATH']}`,
          ...{ HOME: home, TERM: 'xterm', LANG: 'C.UTF-8', XDG_CONFIG_HOME: join(home, '.config') },
        };
        const steps: Step[] = [
          ['', `${prompt}\r`],
          ['tanya> ', "simpul trigger 'a b' imi\t"],
          [TYPE, '\r'],
          ['tanya> ', 'exit\r'],
        ];
        const run = await inTerminal([shell, ...args], steps, { env, cwd: home, seconds: 40 });
        expect([run.ended, run.left, run.ended === 0 ? '' : run.screen]).toEqual([0, [], '']);
        expect(note('asked')).toEqual(['__complete', '--', 'trigger', 'a b', 'imi']);
        expect(note('ran')).toEqual(['trigger', 'a b', TYPE]);
      },
    );
  }
});
