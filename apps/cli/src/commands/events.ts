import type { Command } from 'commander';
import { createReader, faultOf, shapes, type ReadEvent, type Reply, type Shape } from '#sdk';
import { verbatim } from '#faults';
import type { Context } from '../context.js';
import { Usage } from '../usage.js';
import { printOne, printRows } from '../output.js';
import { readInput } from '../input.js';
import { EXIT, showRefusal } from '../refusal.js';
import type { Run } from '../program.js';
import { texts } from '../texts.js';

const LINES = 'application/x-ndjson';

/** The media type of a file: JSON array, one event a line (NDJSON), or one event. */
function mediaTypeOf(text: string): string {
  const trimmed = text.trimStart();
  if (trimmed.startsWith('[')) return 'application/cloudevents-batch+json';
  return trimmed.trimEnd().includes('\n{') ? LINES : 'application/cloudevents+json';
}

interface ReceiptRow {
  readonly position: string;
  readonly type: string;
  readonly id: string;
  readonly duplicate: boolean;
}

function showReceipt(ctx: Context, r: ReceiptRow): void {
  if (ctx.format !== 'table') return printOne(ctx, r);
  const recorded = ctx.say(r.duplicate ? texts.already_recorded() : texts.recorded());
  process.stdout.write(`✔ ${recorded}  ${r.type}  ${r.id}  ${r.position}  ${ctx.url}/v1/events/${r.position}\n`);
}

interface Result {
  readonly status: number;
  readonly receipt?: ReceiptRow;
  readonly problem?: unknown;
}

function showResults(ctx: Context, results: readonly Result[]): number {
  for (const [i, r] of results.entries()) {
    if (r.receipt) {
      showReceipt(ctx, r.receipt);
      continue;
    }
    process.stderr.write(`#${i}\n`);
    showRefusal(faultOf(r.status, r.problem), ctx.lang, ctx.url);
  }
  return results.every((r) => r.receipt) ? EXIT.ok : EXIT.part;
}

/** A refused list may have events that were recorded all the same. */
function showRefused(ctx: Context, { status, body, retryAfterMs }: Reply): number {
  for (const { receipt } of (body as { results?: readonly Result[] }).results ?? [])
    if (receipt !== undefined) showReceipt(ctx, receipt);
  const fault = faultOf(status, body, retryAfterMs);
  const code = showRefusal(fault, ctx.lang, ctx.url);
  return fault.code === 'partly_recorded' ? EXIT.part : code;
}

/** What a dry run found in one event. */
interface DryRunResult {
  readonly problems: readonly unknown[];
}

function dryRunResultsOf(body: unknown): readonly DryRunResult[] {
  return (body as { results?: readonly DryRunResult[] }).results ?? [body as DryRunResult];
}

function line(e: ReadEvent): string {
  return `${e.time}  ${e.position}  ${e.type}  ${e.source.replace('urn:simpul:', '')}  ${e.subject}`;
}

interface FileEvent {
  readonly id?: unknown;
  readonly source?: unknown;
}

/** The events of a file as far as they can be read; undefined when its JSON cannot be: the hub then refuses it. */
function eventsIn(text: string, mediaType: string): readonly FileEvent[] | undefined {
  try {
    if (mediaType === LINES)
      return text
        .split('\n')
        .filter((l) => l.trim() !== '')
        .map((l) => JSON.parse(l) as FileEvent);
    const parsed = JSON.parse(text) as FileEvent | FileEvent[];
    return Array.isArray(parsed) ? parsed : [parsed];
  } catch {
    return undefined;
  }
}

/** The answer to the publish request of these events: the receipts, results or findings of each of them, in their order. */
function publishShape(events: readonly FileEvent[] | undefined, dryRun: boolean): Shape {
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  const ofEvent = (i: number): Shape => shapes.isReceipt(text(events?.[i]?.source), text(events?.[i]?.id));
  const isCount = (rows: readonly unknown[]): boolean => events === undefined || rows.length === events.length;
  const isFinding: Shape = (b) => Array.isArray(b['problems']);
  return (body) => {
    const { receipts, results } = body as { receipts?: unknown; results?: unknown };
    if (dryRun) return Array.isArray(results) ? isCount(results) && results.every(isFinding) : isFinding(body);
    if (Array.isArray(results))
      return (
        isCount(results) &&
        results.every((r: Result, i) => (r.receipt ? ofEvent(i)({ ...r.receipt }) : r.status >= 400))
      );
    if (Array.isArray(receipts)) return isCount(receipts) && receipts.every((r: object, i) => ofEvent(i)({ ...r }));
    return ofEvent(0)(body);
  };
}

export function publishCommand(program: Command, run: Run): void {
  program
    .command('publish <file>')
    .description('publish CloudEvents from a file, or - for standard input (one, an array, or one a line)')
    .option('--dry-run', 'check only, write nothing')
    .option('--partial', 'take the good ones of a list, refuse the others (exit code 5)')
    .addHelpText(
      'after',
      '\nExample:\n  export SIMPUL_KEY=$(simpul key create SU00518 --system sdp)   # the key of a unit\n  simpul type sample pas.hunian.dilaporkan > event.json && simpul publish event.json',
    )
    .action((file: string, o: { dryRun?: boolean; partial?: boolean }) =>
      run(async (ctx) => {
        const body = readInput(file);
        const query = [...(o.dryRun ? ['dryRun=true'] : []), ...(o.partial ? ['partial=true'] : [])].join('&');
        const type = mediaTypeOf(body);
        const reply = await ctx.hub.call(`/v1/events${query === '' ? '' : `?${query}`}`, {
          method: 'POST',
          key: ctx.key,
          headers: { 'content-type': type, 'accept-language': ctx.lang },
          body,
          shape: publishShape(eventsIn(body, type), o.dryRun ?? false),
        });
        if (reply.status >= 400) return showRefused(ctx, reply);
        if (o.dryRun) {
          printOne(ctx, reply.body);
          return dryRunResultsOf(reply.body).every((r) => r.problems.length === 0) ? EXIT.ok : EXIT.failed;
        }
        if (o.partial) return showResults(ctx, (reply.body as { results: readonly Result[] }).results);
        const receipts = (reply.body as { receipts?: ReceiptRow[] }).receipts ?? [reply.body as ReceiptRow];
        for (const r of receipts) showReceipt(ctx, r);
        return EXIT.ok;
      }),
    );
}

export function streamCommands(program: Command, run: Run): void {
  const stream = program
    .command('stream')
    .description('streams: list, read, follow, retention')
    .addHelpText('after', '\nExample:\n  simpul stream tail imigrasi.paspor');
  stream
    .command('retention <stream> <days>')
    .description(
      'delete events after so many days (8 or more), or `forever`; only when each view has a complete snapshot',
    )
    .option('--why <text>', 'for the audit record')
    .addHelpText('after', '\nExample:\n  simpul stream retention imigrasi.paspor 730 --why "arsip 2 tahun"')
    .action((name: string, days: string, { why }: { why?: string }) =>
      run(async (ctx) => {
        const body = { days: days === 'forever' ? null : Number(days), ...(why === undefined ? {} : { why }) };
        const path = `/v1/streams/${encodeURIComponent(name)}/retention`;
        const { body: answer } = await ctx.send('POST', path, shapes.named('stream', name), body);
        printOne(ctx, answer);
        if ((answer as { views?: readonly string[] }).views?.length === 0)
          process.stderr.write(`⚠ ${ctx.say(texts.no_view_folds({ stream: name }))}
`);
        return EXIT.ok;
      }),
    );
  stream
    .command('ls')
    .description('streams that your key may read')
    .addHelpText('after', '\nExample:\n  simpul stream ls')
    .action(() =>
      run(async (ctx) => {
        const { body } = await ctx.get('/v1/streams', shapes.listOf('streams', shapes.texts('name')));
        printRows(ctx, (body as { streams: object[] }).streams, ['name', 'partitions', 'ordering', 'types']);
        return EXIT.ok;
      }),
    );
  stream
    .command('tail <stream>')
    .description('events of a stream, oldest first; ends at the end unless --follow')
    .option('-f, --follow', 'go on as events come')
    .option('--from <place>', 'earliest, latest, a time or a position', 'earliest')
    .option('--type <type>', 'only this event type')
    .option('--subject <subject>', 'only this subject')
    .option('-n, --limit <n>', 'at most this many', '100')
    .addHelpText('after', '\nExample:\n  simpul stream tail imigrasi.paspor --from 2021-07-15T00:00:00Z -o jsonl')
    .action((name: string, o: { follow?: boolean; from: string; type?: string; subject?: string; limit: string }) =>
      run(async (ctx) => {
        const reader = createReader({ connection: ctx.hub, key: ctx.key });
        const limit = o.follow ? Number.POSITIVE_INFINITY : Number(o.limit);
        if (!(limit > 0)) throw new Usage(verbatim(`--limit ${o.limit}`));
        let n = 0;
        const stopping = new AbortController();
        process.once('SIGINT', () => stopping.abort());
        try {
          for await (const e of reader.read(name, {
            from: o.from,
            follow: o.follow ?? false,
            signal: stopping.signal,
            damaged: (positions) => {
              for (const position of positions) process.stderr.write(`! corrupt_record ${position}\n`);
            },
            ...(o.follow ? {} : { deadlineMs: 0 }),
            ...(o.type ? { type: o.type } : {}),
            ...(o.subject ? { subject: o.subject } : {}),
            ...(Number.isFinite(limit) ? { limit: Math.min(limit, 500) } : {}),
          })) {
            if (ctx.format === 'table') process.stdout.write(`${line(e)}\n`);
            else process.stdout.write(`${JSON.stringify(e)}\n`);
            if (++n >= limit) break;
          }
        } catch (e) {
          if (!stopping.signal.aborted) throw e;
        }
        return n > 0 || stopping.signal.aborted ? EXIT.ok : EXIT.nothing;
      }),
    );
}

/** One event and one receipt. */
export function eventCommands(program: Command, run: Run): void {
  program
    .command('event <position>')
    .description('one event by its position')
    .addHelpText('after', '\nExample:\n  simpul event imigrasi.paspor/3/1042')
    .action((position: string) =>
      run(async (ctx) => {
        const path = `/v1/events/${position.split('/').map(encodeURIComponent).join('/')}`;
        printOne(ctx, (await ctx.get(path, shapes.named('position', position))).body);
        return EXIT.ok;
      }),
    );
  program
    .command('receipt <source> <id>')
    .description('whether an event was recorded, where, and which readers have it')
    .addHelpText('after', '\nExample:\n  simpul receipt urn:simpul:unit:SU00123:simkim 01J2…')
    .action((source: string, id: string) =>
      run(async (ctx) => {
        const path = `/v1/receipts?source=${encodeURIComponent(source)}&id=${encodeURIComponent(id)}`;
        const { body } = await ctx.get(path, shapes.isReceipt(source, id));
        printOne(ctx, body);
        const isPart = (body as { readersIncomplete?: boolean }).readersIncomplete === true;
        if (isPart) process.stderr.write(`! ${ctx.say(texts.readers_incomplete())}\n`);
        return EXIT.ok;
      }),
    );
}
