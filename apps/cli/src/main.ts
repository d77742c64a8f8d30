import { EXIT } from './refusal.js';
import { runCommand } from './run.js';

// `simpul … | head` closes the pipe early (EPIPE); that is no error.
process.stdout.on('error', (e: NodeJS.ErrnoException) => {
  if (e.code !== 'EPIPE') throw e;
  process.exit(EXIT.ok);
});

process.exitCode = await runCommand(process.argv.slice(2));
