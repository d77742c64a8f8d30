import { Command, CommanderError } from 'commander';
import { eventCommands } from './commands/events.js';
import { lookupCommands } from './commands/lookups.js';
import { operationCommands } from './commands/operations.js';
import { openContext, type Context, type Globals } from './context.js';
import { readLanguage } from '#settings';
import { EXIT, tellRefusal } from './refusal.js';

/** Runs a command with an open context; its exit code ends the process. */
export type Run = (work: (ctx: Context) => Promise<number>) => Promise<void>;

const program = new Command('simpul')
  .description('Simpul: publish events, read streams and state, look after keys and units')
  .option('--url <address>', 'the hub, default http://127.0.0.1:8080 (SIMPUL_URL)')
  .option('--key <key>', 'default SIMPUL_KEY, else <data>/admin.key')
  .option('--data <dir>', 'data folder of the hub on this machine, for its admin key')
  .option('--lang <lang>', 'id or en, default from LANG')
  .option('-o, --output <format>', 'table, json, jsonl')
  .addHelpText(
    'after',
    '\nExample:\n  simpul stream ls\n\nExit codes: 0 done, 1 failed, 2 wrong call, 3 nothing matched, 4 no valid key, 6 hub not reached',
  );

let code: number = EXIT.ok;
const run: Run = async (work) => {
  const globals = program.opts<Globals>();
  const lang = globals.lang === 'id' || globals.lang === 'en' ? globals.lang : readLanguage();
  let ctx: Context | undefined;
  try {
    ctx = openContext(globals);
    code = await work(ctx);
  } catch (e) {
    code = tellRefusal(
      e,
      (id, en) => (lang === 'en' ? en : id),
      lang,
      ctx?.url ?? globals.url ?? 'http://127.0.0.1:8080',
    );
  } finally {
    await ctx?.hub.close();
  }
};
eventCommands(program, run);
lookupCommands(program, run);
operationCommands(program, run);

const wrongCallsEndWith2 = (c: Command): void => {
  c.exitOverride();
  c.showHelpAfterError('(simpul --help)');
  for (const sub of c.commands) wrongCallsEndWith2(sub);
};
wrongCallsEndWith2(program);
try {
  await program.parseAsync();
} catch (e) {
  if (!(e instanceof CommanderError)) throw e;
  code = e.exitCode === 0 ? EXIT.ok : EXIT.usage;
}
process.exitCode = code;
