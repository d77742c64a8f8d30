import { describe, expect, it } from '@jest/globals';
import type { Command } from 'commander';
import { CHEAT, cheatSheet } from './cheat-sheet.js';
import { buildProgram, type Run } from './program.js';

const built = (): Command =>
  buildProgram(Object.assign(async () => undefined, { local: async () => undefined }) as Run);

function textOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (t) => (text += t), getOutHasColors: () => false });
  command.outputHelp();
  return text;
}

/** All commands with the words that call them, also groups. */
function walk(command: Command, path: readonly string[] = []): readonly (readonly [string, Command])[] {
  return [[['simpul', ...path].join(' '), command], ...command.commands.flatMap((c) => walk(c, [...path, c.name()]))];
}

/** Words of a line as a shell reads them, up to a redirection or a comment. */
const wordsOf = (line: string): string[] =>
  [...line.split(/\s[<>#]\s/)[0]!.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((m) => m[1] ?? m[2] ?? m[3]!);

/** The command that the program runs for these words; undefined: it takes them not, by an option or the number of arguments. */
async function commandOf(words: readonly string[]): Promise<string | undefined> {
  const program = built();
  let ran: string | undefined;
  const quiet = (c: Command): void => {
    c.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
    c.commands.forEach(quiet);
  };
  quiet(program);
  program.hook('preAction', (_program, command) => {
    const names: string[] = [];
    for (let c: Command | null = command; c !== null; c = c.parent) names.unshift(c.name());
    ran = names.join(' ');
    // Known is enough: nothing is started.
    throw new Error('known');
  });
  await program.parseAsync(words, { from: 'user' }).catch(() => undefined);
  return ran;
}

describe('the help', () => {
  it.each(walk(built()))('of %s has an example, which the program takes', async (path, command) => {
    const [, example] = textOf(command).split('Example:\n');
    expect(example).toBeDefined();
    const calls = example!.split(/\n|\s(?:\||&&)\s/).filter((call) => call.includes('simpul '));
    expect(calls.length).toBeGreaterThan(0);
    const ran: string[] = [];
    for (const line of calls) {
      const called = await commandOf(wordsOf(line.slice(line.indexOf('simpul ') + 7).replace(/\)"?$/, '')));
      expect([line, called]).toEqual([line, expect.any(String)]);
      ran.push(called!);
    }
    // Of a group: one of its commands.
    expect(ran.filter((called) => called === path || command.commands.length > 0).length).toBeGreaterThan(0);
  });
});

describe('simpul cheat', () => {
  it.each(['id', 'en'] as const)('has one screen of 24 lines and 80 columns in %s', (lang) => {
    const lines = cheatSheet(lang).trimEnd().split('\n');
    expect(lines.length).toBeLessThan(24);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  });

  it('names commands that the program takes', async () => {
    for (const [command] of CHEAT.flatMap(({ rows }) => rows))
      expect([command, await commandOf(wordsOf(command).slice(1))]).toEqual([command, expect.any(String)]);
  });
});
