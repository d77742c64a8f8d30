import type { Command } from 'commander';
import { shapes, type Shape } from '#sdk';
import type { Context } from '../context.js';
import { readInput } from '../input.js';
import { printOne, printRows } from '../output.js';
import type { Run } from '../program.js';
import { EXIT } from '../refusal.js';
import { texts } from '../texts.js';
import { Usage } from '../usage.js';
import { formatted, idOf, numberOf, objectOf, pathOf } from './subscription-rows.js';

interface RedriveOptions {
  readonly all?: true;
  readonly subject?: string;
  readonly cause?: string;
  readonly before?: string;
  readonly edited?: string;
  readonly rate: string;
  readonly why: string;
  readonly dryRun?: true;
  readonly follow?: true;
}

const MOST = 100_000;
const isLetter: Shape = shapes.texts('id', 'subject', 'position', 'cause');

const letters = (ctx: Context, id: string): Promise<Record<string, unknown>[]> =>
  ctx.rows(pathOf(id, '/dead-letters'), 'deadLetters', isLetter, MOST);

const parkedOf = (ctx: Context, id: string): Promise<Record<string, unknown>[]> =>
  ctx.rows(pathOf(id, '/parked'), 'parked', shapes.texts('subject', 'position', 'cause'), MOST);

/** Ids that the hub did not know: the rest was done. */
function tellUnknown(ctx: Context, body: unknown): void {
  const { unknown } = body as { readonly unknown?: unknown };
  const ids = Array.isArray(unknown) ? unknown.map((id) => String(id).replaceAll(/\p{Cc}/gu, ' ')) : [];
  if (ids.length > 0) process.stderr.write(`! ${ctx.say(texts.ids_unknown({ ids: ids.join(', ') }))}\n`);
}

/** Dead letters of subscriptions. */
export function deadLetterCommands(program: Command, run: Run): void {
  const dlq = program
    .command('dlq')
    .description('events that a subscription could not deliver: look, deliver again, skip')
    .addHelpText('after', '\nExample:\n  simpul dlq ls payroll');
  dlq
    .command('ls <sub>')
    .description('dead letters; with --parked the subjects that are still tried')
    .option('--parked', 'parked subjects, whose event is tried again')
    .option('--json', 'as JSON, with every field')
    .addHelpText('after', '\nExample:\n  simpul dlq ls payroll --parked')
    .action((name: string, o: { parked?: true; json?: boolean }) =>
      run(async (given) => {
        const ctx = formatted(given, o);
        const id = await idOf(ctx, name);
        const rows = o.parked ? await parkedOf(ctx, id) : await letters(ctx, id);
        const columns = o.parked
          ? ['since', 'id', 'subject', 'position', 'cause', 'lastStatus', 'tries', 'held', 'nextAt']
          : ['lastAt', 'id', 'subject', 'position', 'cause', 'lastStatus', 'tries', 'held'];
        printRows(ctx, rows, columns);
        if (rows.length > 0 && !o.parked) process.stderr.write(`! ${ctx.say(texts.redrive_or_skip({ name }))}\n`);
        return rows.length > 0 ? EXIT.ok : EXIT.nothing;
      }),
    );
  dlq
    .command('show <sub> <id>')
    .description('one dead letter, or one parked event, with the attempts that were made')
    .addHelpText('after', '\nExample:\n  simpul dlq ls payroll && simpul dlq show payroll <id>')
    .action((name: string, letter: string) =>
      run(async (ctx) => {
        const id = await idOf(ctx, name);
        // A parked event too: whoever looks has its id from `ls --parked`.
        const isThis = (each: Record<string, unknown>): boolean => each['id'] === letter || each['position'] === letter;
        const found = (await letters(ctx, id)).find(isThis) ?? (await parkedOf(ctx, id)).find(isThis);
        if (found === undefined) throw new Usage(texts.no_such_letter({ id: letter, name }));
        const about = `/deliveries?subject=${encodeURIComponent(String(found['subject']))}`;
        const shape = shapes.texts('id', 'position', 'at', 'outcome');
        const attempts = await ctx.rows(pathOf(id, about), 'deliveries', shape, 200);
        printOne(ctx, { ...found, attempts: attempts.filter((a) => a['position'] === found['position']) });
        return EXIT.ok;
      }),
    );
  redriveCommand(dlq, run);
  jobsCommand(dlq, run);
  dlq
    .command('skip <sub> <ids...>')
    .description('end dead letters as not delivered: the events that wait behind them go on')
    .requiredOption('--why <text>', 'the reason, for the audit record')
    .addHelpText('after', '\nExample:\n  simpul dlq skip payroll <id> --why "sent twice by mistake"')
    .action((name: string, ids: string[], { why }: { why: string }) =>
      run(async (ctx) => {
        const shape: Shape = ({ skipped }) => typeof skipped === 'number';
        const { body } = await ctx.send('POST', pathOf(await idOf(ctx, name), '/skip'), shape, { ids, why });
        if (ctx.format !== 'table') printOne(ctx, body);
        const { skipped: count } = body as { skipped: number };
        if (ctx.format === 'table') {
          process.stderr.write(`${count > 0 ? '✔' : '!'} ${ctx.say(texts.skipped({ count }))}\n`);
          tellUnknown(ctx, body);
        }
        return count > 0 ? EXIT.ok : EXIT.nothing;
      }),
    );
}

function redriveCommand(dlq: Command, run: Run): void {
  dlq
    .command('redrive <sub> [ids...]')
    .description('deliver events again: by id, by filter, or all; order per subject is kept')
    .option('--all', 'all dead letters and parked events')
    .option('--subject <subject>', 'only of this subject')
    .option('--cause <cause>', 'only with this cause')
    .option('--before <time>', 'only those that were parked before this time')
    .option('--edited <file>', 'send this data (JSON) in the place of one event, to this subscription only')
    .option('--rate <n>', 'events a second', '20')
    .requiredOption('--why <text>', 'the reason, for the audit record')
    .option('--follow', 'stay until it has ended, and say how it went')
    .option('--dry-run', 'only count')
    .addHelpText('after', '\nExample:\n  simpul dlq redrive payroll --all --why "the receiver is mended" --dry-run')
    .action((name: string, ids: string[], o: RedriveOptions) =>
      run(async (ctx) => {
        const order = orderOf(ids, o);
        const id = await idOf(ctx, name);
        const shape: Shape = ({ count }) => typeof count === 'number';
        const { body } = await ctx.send('POST', pathOf(id, '/redrive'), shape, order);
        const { count, job } = body as { count: number; job?: string };
        if (ctx.format !== 'table') printOne(ctx, body);
        else if (job === undefined) process.stdout.write(`${count}  (${ctx.say(texts.nothing_done())})\n`);
        else process.stderr.write(`✔ ${ctx.say(texts.redriven({ count, job, name }))}\n`);
        if (ctx.format === 'table') tellUnknown(ctx, body);
        if (o.follow === true && job !== undefined) return follow(ctx, id, job);
        return count > 0 ? EXIT.ok : EXIT.nothing;
      }),
    );
}

const isJob: Shape = shapes.all(shapes.texts('job', 'state'), ({ done, failed, left }) =>
  [done, failed, left].every((count) => typeof count === 'number'),
);
const FOLLOW_MS = 500;

/** Until a job has ended; a line whenever its counts change. Ends with 1 when an event was not delivered. */
async function follow(ctx: Context, id: string, job: string): Promise<number> {
  for (let told = ''; ;) {
    const { body } = await ctx.get(pathOf(id, `/redrives/${encodeURIComponent(job)}`), isJob);
    const { state, done, failed, left } = body as { state: string; done: number; failed: number; left: number };
    const line = ctx.say(texts.redrive_state({ done, failed, left }));
    if (line !== told) process.stderr.write(`${line}\n`);
    told = line;
    if (state === 'done') return failed === 0 ? EXIT.ok : EXIT.failed;
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
  }
}

function jobsCommand(dlq: Command, run: Run): void {
  dlq
    .command('jobs <sub>')
    .description('redrives that run, and the last ones that have ended: delivered, failed, left')
    .option('--json', 'as JSON, with every field')
    .addHelpText('after', '\nExample:\n  simpul dlq jobs payroll')
    .action((name: string, o: { json?: boolean }) =>
      run(async (given) => {
        const ctx = formatted(given, o);
        const rows = await ctx.rows(pathOf(await idOf(ctx, name), '/redrives'), 'redrives', isJob, MOST);
        printRows(ctx, rows, ['startedAt', 'job', 'state', 'done', 'failed', 'left', 'why']);
        return rows.length > 0 ? EXIT.ok : EXIT.nothing;
      }),
    );
}

/** Throws Usage unless exactly one of ids, filter and all is named. */
function orderOf(ids: readonly string[], o: RedriveOptions): object {
  const conditions = Object.entries({ subject: o.subject, cause: o.cause, before: o.before });
  const filter = conditions.filter(([, value]) => value !== undefined);
  const choices = [ids.length > 0, filter.length > 0, o.all === true].filter(Boolean).length;
  if (choices !== 1) throw new Usage(texts.redrive_what());
  return {
    ...(ids.length > 0 ? { ids } : {}),
    ...(filter.length > 0 ? { filter: Object.fromEntries(filter) } : {}),
    ...(o.all === true ? { all: true } : {}),
    ...(o.edited === undefined ? {} : { edited: objectOf('--edited', readInput(o.edited)) }),
    rate: numberOf('--rate', o.rate),
    why: o.why,
    dryRun: o.dryRun === true,
  };
}
