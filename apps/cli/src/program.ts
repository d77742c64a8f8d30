import { Command } from 'commander';
import { backupCommands } from './commands/backup.js';
import { eventCommands, publishCommand, streamCommands } from './commands/events.js';
import { stateCommands, typeCommands, unitCommands, viewCommands } from './commands/lookups.js';
import { keyCommands, operatorCommands } from './commands/operations.js';
import { upCommand } from './commands/up.js';
import { initCommand } from './commands/init.js';
import { deadLetterCommands } from './commands/dead-letter-queue.js';
import { subscriptionCommands } from './commands/subscriptions.js';
import { listenCommand } from './commands/listen.js';
import { learningCommands } from './commands/learn.js';
import { triggerCommand } from './commands/trigger.js';
import { contextCommands } from './commands/ctx.js';
import { watchCommands } from './commands/watch.js';
import type { Context, Globals } from './context.js';

/** Runs a command with an open context; the number that it returns is the exit code of the process. `keyless`: the command also runs without a key. */
export interface Run {
  (work: (ctx: Context) => Promise<number>, keyless?: boolean): Promise<void>;
  /** The same for a command that asks no hub. */
  readonly local: (work: (to: Local) => Promise<number> | number) => Promise<void>;
}

/** What a command has that asks no hub. */
export interface Local extends Pick<Context, 'say' | 'lang' | 'format'> {
  readonly globals: Globals;
}

/** In the order of the help. */
const COMMANDS = [
  upCommand,
  listenCommand,
  triggerCommand,
  initCommand,
  publishCommand,
  streamCommands,
  eventCommands,
  subscriptionCommands,
  deadLetterCommands,
  watchCommands,
  stateCommands,
  viewCommands,
  unitCommands,
  typeCommands,
  keyCommands,
  operatorCommands,
  backupCommands,
  contextCommands,
  learningCommands,
];

/** Builds the command line; it does not parse arguments yet. */
export function buildProgram(run: Run): Command {
  const program = new Command('simpul')
    .description('Simpul: publish events, read streams and state, look after keys and units')
    .option(
      '--url <address>',
      'the hub (SIMPUL_URL), default the one that runs in the data folder, else http://127.0.0.1:8080',
    )
    .option('--key <key>', 'default SIMPUL_KEY, else <data>/admin.key')
    .option('--ctx <name>', 'a named hub (SIMPUL_CTX): simpul ctx; counts before SIMPUL_URL and SIMPUL_KEY')
    .option('--data <dir>', 'data folder of the hub on this machine, for its address and admin key (SIMPUL_DATA)')
    .option('--lang <lang>', 'id or en, default from LANG')
    .option('-o, --output <format>', 'table, json, jsonl')
    .addHelpText(
      'after',
      '\nExample:\n  simpul cheat\n\nExit codes: 0 done, 1 failed, 2 wrong call, 3 nothing matched, 4 no valid key, 5 done in part, 6 hub not reached',
    );
  for (const add of COMMANDS) add(program, run);
  return program;
}
