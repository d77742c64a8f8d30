import { CommanderError, type Command } from 'commander';
import { readLanguage } from '#settings';
import { DEFAULT_URL, openContext, outputFormat, terminalLanguage, type Context, type Globals } from './context.js';
import { buildProgram, type Local } from './program.js';
import { EXIT, showRefusal } from './refusal.js';

function exitWithUsageCode(c: Command): void {
  c.exitOverride();
  c.showHelpAfterError('(simpul --help)');
  for (const sub of c.commands) exitWithUsageCode(sub);
}

/** Runs one command line (without the names of node and the script); resolves with the exit code of the process. */
export async function runCommand(args: readonly string[]): Promise<number> {
  let code: number = EXIT.ok;
  const open = async (work: (ctx: Context) => Promise<number>, keyless?: boolean): Promise<void> => {
    const globals = program.opts<Globals>();
    let lang = readLanguage();
    let ctx: Context | undefined;
    try {
      lang = terminalLanguage(globals);
      ctx = await openContext(globals, keyless);
      code = await work(ctx);
    } catch (e) {
      code = showRefusal(e, lang, ctx?.url ?? globals.url ?? DEFAULT_URL);
    } finally {
      await ctx?.hub.close();
    }
  };
  const local = async (work: (to: Local) => Promise<number> | number): Promise<void> => {
    const globals = program.opts<Globals>();
    let lang = readLanguage();
    try {
      lang = terminalLanguage(globals);
      code = await work({ say: (text) => text.in(lang), lang, format: outputFormat(globals), globals });
    } catch (e) {
      code = showRefusal(e, lang, globals.url ?? DEFAULT_URL);
    }
  };
  const program = buildProgram(Object.assign(open, { local }));
  exitWithUsageCode(program);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (e) {
    if (!(e instanceof CommanderError)) throw e;
    code = e.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  return code;
}
