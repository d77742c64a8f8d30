import { Option, type Command } from 'commander';
import type { Text } from '#faults';
import { shapes } from '#sdk';
import type { Context } from '../context.js';
import { printRows } from '../output.js';
import type { Run } from '../program.js';
import { EXIT } from '../refusal.js';
import { texts } from '../texts.js';
import { formatted, numberOf } from './subscription-rows.js';

interface Options {
  readonly kind?: string;
  readonly unit?: string;
  readonly stream?: string;
  readonly state: string;
  readonly limit: string;
  readonly json?: true;
}

const isFinding = shapes.texts('id', 'kind', 'unit', 'stream', 'since', 'expected', 'seen');

/** What the hub has found about those who send. */
export function watchCommands(program: Command, run: Run): void {
  program
    .command('watch')
    .description('units that are silent, gaps in their numbers, wrong clocks, resend storms')
    .addHelpText('after', '\nExample:\n  simpul watch ls')
    .command('ls')
    .description('findings about your unit and those below it, the newest first')
    .addOption(new Option('--kind <kind>', 'only these').choices(['silent', 'gap', 'skew', 'storm']))
    .option('--unit <unit>', 'only of this unit')
    .option('--stream <stream>', 'only in this stream')
    .addOption(new Option('--state <state>', 'which of them').choices(['open', 'ended', 'all']).default('open'))
    .option('-n, --limit <n>', 'at most so many', '200')
    .option('--json', 'as JSON, with every field')
    .addHelpText(
      'after',
      '\nExample:\n  simpul watch ls --kind silent\n  simpul watch ls --unit SU00312 --state all --json',
    )
    .action((o: Options) => run((ctx) => list(formatted(ctx, o), o)));
}

async function list(ctx: Context, { kind, unit, stream, state, limit }: Options): Promise<number> {
  const asked = Object.entries({ kind, unit, stream, state }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  const path = `/v1/watch?${new URLSearchParams(asked).toString()}`;
  const rows = await ctx.rows(path, 'findings', isFinding, numberOf('--limit', limit));
  const told = rows.map((row) => ({ ...row, finding: ctx.say(sentenceOf(row)) }));
  printRows(ctx, ctx.format === 'table' ? told : rows, [
    'since',
    'until',
    'kind',
    'unit',
    'system',
    'stream',
    'finding',
  ]);
  if (rows.length === 0) process.stderr.write(`! ${ctx.say(texts.no_findings())}\n`);
  return rows.length > 0 ? EXIT.ok : EXIT.nothing;
}

function sentenceOf({ kind, type, stream, ...row }: Record<string, unknown>): Text {
  const [expected, seen] = [String(row['expected']), String(row['seen'])];
  switch (kind) {
    case 'silent':
      return seen === ''
        ? texts.watch_never({ type: String(type ?? stream), expected })
        : texts.watch_silent({ type: String(type ?? stream), expected, seen });
    case 'gap':
      return texts.watch_gap({ expected, seen });
    case 'skew':
      return texts.watch_skew({ expected, seen });
    default:
      return texts.watch_storm({ expected, seen });
  }
}
