import type { Command } from 'commander';

interface UpFlags {
  readonly engine?: string;
  readonly port?: string;
}

/** `simpul up`: a hub on this machine, as `npm start -- --no-demo` starts it. */
export function upCommand(program: Command): void {
  const command = program
    .command('up')
    .description('start a hub on this machine and keep it running until Ctrl-C; --data names its folder')
    .option('--engine <name>', 'embedded, or kafka (starts Kafka and Redis too), default embedded')
    .option('--port <n>', 'default 8080; 0 takes a free one')
    .addHelpText(
      'after',
      '\nThe data folder is .simpul/data in the current folder (kafka: .simpul/data-kafka).\n\nExample:\n  simpul up --port 8090',
    );
  command.action(async (flags: UpFlags) => {
    const { data, lang } = program.opts<{ data?: string; lang?: string }>();
    const given = Object.entries({ ...flags, data, lang }).flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name}`, value],
    );
    // Imported only here: no other command loads the launcher (start time of the CLI).
    const { launch } = await import('../../../../deploy/local/launch.js');
    const caller = { start: 'simpul up', cli: 'simpul', usage: '(simpul up --help)' };
    process.exit(await launch(['--no-demo', ...given], caller));
  });
}
