import { Command } from 'commander';
import { eventCommands } from './commands/events.js';
import { lookupCommands } from './commands/lookups.js';
import { operationCommands } from './commands/operations.js';
import type { Context } from './context.js';

/** Runs a command with an open context; its exit code ends the process. `keyless`: no key is fine. */
export type Run = (work: (ctx: Context) => Promise<number>, keyless?: boolean) => Promise<void>;

/** The whole command line. It parses nothing by itself. */
export function buildProgram(run: Run): Command {
  const program = new Command('simpul')
    .description('Simpul: publish events, read streams and state, look after keys and units')
    .option('--url <address>', 'the hub, default http://127.0.0.1:8080 (SIMPUL_URL)')
    .option('--key <key>', 'default SIMPUL_KEY, else <data>/admin.key')
    .option('--data <dir>', 'data folder of the hub on this machine, for its admin key (SIMPUL_DATA)')
    .option('--lang <lang>', 'id or en, default from LANG')
    .option('-o, --output <format>', 'table, json, jsonl')
    .addHelpText(
      'after',
      '\nExample:\n  simpul stream ls\n\nExit codes: 0 done, 1 failed, 2 wrong call, 3 nothing matched, 4 no valid key, 5 done in part, 6 hub not reached',
    );
  eventCommands(program, run);
  lookupCommands(program, run);
  operationCommands(program, run);
  return program;
}
