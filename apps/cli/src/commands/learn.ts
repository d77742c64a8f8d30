import type { Command } from 'commander';
import { verbatim } from '#faults';
import { cheatSheet } from '../cheat-sheet.js';
import { candidates } from '../complete.js';
import { SCRIPTS } from '../completion-scripts.js';
import { EXIT } from '../refusal.js';
import type { Run } from '../program.js';
import { Usage } from '../usage.js';

/** What helps to use the command line itself. */
export function learningCommands(program: Command, run: Run): void {
  program
    .command('cheat')
    .description('the commands that are used most, on one screen')
    .addHelpText('after', '\nExample:\n  simpul cheat')
    .action(() =>
      run.local(({ lang }) => {
        process.stdout.write(cheatSheet(lang));
        return EXIT.ok;
      }),
    );
  program
    .command('completion <shell>')
    .description('words after Tab, with the names of the hub: for bash, zsh or fish')
    .addHelpText('after', '\nExample:\n  source <(simpul completion bash)')
    .action((shell: string) =>
      run.local(() => {
        const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
        if (script === undefined) throw new Usage(verbatim(`${shell}: ${Object.keys(SCRIPTS).join(', ')}`));
        process.stdout.write(script);
        return EXIT.ok;
      }),
    );
  program
    .command('__complete [words...]', { hidden: true })
    .description('words for the shell at the end of a line; never an error')
    .addHelpText('after', '\nExample:\n  simpul __complete -- stream tail ""')
    .action((words: string[]) =>
      run.local(async () => {
        const found = await candidates(program, words);
        process.stdout.write(found.map((word) => `${word}\n`).join(''));
        return EXIT.ok;
      }),
    );
}
