import { CommanderError, type Command } from 'commander';
import { readLanguage } from '#settings';
import { terminalLanguage, openContext, type Context, type Globals } from './context.js';
import { buildProgram, type Run } from './program.js';
import { EXIT, showRefusal } from './refusal.js';

// `simpul … | head` closes the pipe early (EPIPE); that is no error.
process.stdout.on('error', (e: NodeJS.ErrnoException) => {
  if (e.code !== 'EPIPE') throw e;
  process.exit(EXIT.ok);
});

let code: number = EXIT.ok;
const run: Run = async (work, keyless) => {
  const globals = program.opts<Globals>();
  let lang = readLanguage();
  let ctx: Context | undefined;
  try {
    lang = terminalLanguage(globals);
    ctx = await openContext(globals, keyless);
    code = await work(ctx);
  } catch (e) {
    code = showRefusal(e, lang, ctx?.url ?? globals.url ?? 'http://127.0.0.1:8080');
  } finally {
    await ctx?.hub.close();
  }
};
const program = buildProgram(run);

const exitWithUsageCode = (c: Command): void => {
  c.exitOverride();
  c.showHelpAfterError('(simpul --help)');
  for (const sub of c.commands) exitWithUsageCode(sub);
};
exitWithUsageCode(program);
try {
  await program.parseAsync();
} catch (e) {
  if (!(e instanceof CommanderError)) throw e;
  code = e.exitCode === 0 ? EXIT.ok : EXIT.usage;
}
process.exitCode = code;
