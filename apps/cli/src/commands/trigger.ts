import type { Command } from 'commander';
import { verbatim } from '#faults';
import { faultOf, isSdkFault, shapes, type Reply } from '#sdk';
import type { Context } from '../context.js';
import { edit, type Edited } from '../edit.js';
import { alike } from '../patterns.js';
import { printOne } from '../output.js';
import { EXIT, showRefusal } from '../refusal.js';
import type { Run } from '../program.js';
import { DataSetter } from '../set-data.js';
import { texts } from '../texts.js';
import { testKeyOf } from '../trigger-key.js';
import { Usage } from '../usage.js';

interface Options {
  readonly set: readonly string[];
  readonly attr: readonly string[];
  readonly unit?: string;
  readonly edit?: true;
  readonly real?: true;
  readonly print?: true;
}

type Event = Record<string, unknown> & { readonly data: Record<string, unknown> };

const several = (value: string, before: readonly string[]): readonly string[] => [...before, value];
const TEST = 'simpultest';

export function triggerCommand(program: Command, run: Run): void {
  program
    .command('trigger <type>')
    .description('publish a sample of a type as a test event: checked like a real one, and in no stream or view')
    .option('--set <field=value>', 'a field of the data by dotted path; repeat it for more', several, [])
    .option('--attr <name=value>', 'an attribute of the event, such as korelasi=K-1', several, [])
    .option('--edit', 'open the event in $VISUAL or $EDITOR first')
    .option('--unit <unit>', 'the unit that sends it, where the key is the admin key of the hub')
    .option('--real', 'publish it as a fact, for good')
    .option('--print', 'print the event, send nothing')
    .addHelpText('after', '\nExample:\n  simpul trigger imigrasi.paspor.diterbitkan --set nomorPermohonan=UJI-1')
    .action((type: string, o: Options) => run((ctx) => trigger(ctx, type, o)));
}

async function trigger(ctx: Context, type: string, o: Options): Promise<number> {
  const { schema, source } = await contractOf(ctx, type);
  const key = await keyFor(ctx, source, o);
  const event = await sampleOf(ctx, key, type);
  if (o.set.length > 0) {
    const setter = new DataSetter(schema);
    for (const assignment of o.set) setter.set(event.data, assignment);
  }
  for (const assignment of o.attr) setAttribute(event, assignment);
  const edited = o.edit === true ? await edit(event) : undefined;
  const made = { ...(edited?.event ?? event), ...(o.real === true ? {} : { [TEST]: true }) };
  if (o.print === true) {
    edited?.done();
    printOne(ctx, made);
    return EXIT.ok;
  }
  return publish(ctx, key, made, edited, o.real === true);
}

/** The schema of a type, and a source that may publish it. Usage when there is no such type. */
async function contractOf(ctx: Context, type: string): Promise<{ readonly schema: unknown; readonly source: string }> {
  const name = encodeURIComponent(type);
  try {
    const { schema } = (await ctx.get(`/v1/event-types/${name}`, shapes.named('type', type))).body as {
      schema: unknown;
    };
    const { source } = (await ctx.get(`/v1/event-types/${name}/sample`, shapes.named('type', type))).body as {
      source: string;
    };
    return { schema, source };
  } catch (e) {
    if (!isSdkFault(e) || e.status !== 404) throw e;
    const rows = await ctx.rows('/v1/event-types', 'types', shapes.texts('type', 'stream'), 10_000);
    const near = alike(
      type,
      rows.map((row) => String(row['type'])),
    );
    throw new Usage(texts.unknown_type({ type, near: near.length > 0 ? near.join(', ') : 'simpul type ls' }));
  }
}

/** The key that sends: the caller's own, or one of a unit where the caller is the admin of the hub. */
async function keyFor(ctx: Context, source: string, o: Options): Promise<string> {
  const { body } = await ctx.get('/v1/me', shapes.isMe);
  const { unit, roles } = body as { unit: string; roles: readonly string[] };
  if (roles.includes('publisher')) {
    if (o.unit !== undefined && o.unit !== unit) throw new Usage(texts.key_of_other_unit({ unit, asked: o.unit }));
    return ctx.key;
  }
  if (unit !== 'hub' || !roles.includes('admin')) throw new Usage(texts.key_may_not_publish({ unit }));
  if (o.print === true) return ctx.key;
  const sender = o.unit ?? /^urn:simpul:(?:unit|party):([^:]+):/.exec(source)?.[1];
  if (sender === undefined) throw new Usage(texts.only_the_hub_publishes({ source }));
  if (o.real === true) throw new Usage(texts.real_needs_unit_key({ unit: sender }));
  return testKeyOf(ctx, sender);
}

async function sampleOf(ctx: Context, key: string, type: string): Promise<Event> {
  const path = `/v1/event-types/${encodeURIComponent(type)}/sample`;
  const headers = { 'accept-language': ctx.lang };
  const reply = await ctx.hub.call(path, { key, headers, shape: shapes.named('type', type) });
  if (reply.status >= 400) throw faultOf(reply.status, reply.body, reply.retryAfterMs);
  // The hub makes the subject of the data that --set or the editor changes, and takes the newest version.
  const { subject: _subject, dataschema: _dataschema, ...event } = reply.body as Event;
  return event as Event;
}

function setAttribute(event: Record<string, unknown>, assignment: string): void {
  const at = assignment.indexOf('=');
  const name = assignment.slice(0, Math.max(0, at));
  if (!/^[a-z0-9]+$/.test(name) || name === 'data') throw new Usage(verbatim(`--attr ${assignment}: korelasi=K-1`));
  event[name] = assignment.slice(at + 1);
}

async function publish(
  ctx: Context,
  key: string,
  event: object,
  edited: Edited | undefined,
  real: boolean,
): Promise<number> {
  const body = JSON.stringify(event);
  const headers = { 'content-type': 'application/cloudevents+json', 'accept-language': ctx.lang };
  const post = (path: string, shape: Parameters<Context['get']>[1]): Promise<Reply> =>
    ctx.hub.call(path, { method: 'POST', key, headers, body, shape });
  // A hub of an earlier version does not know the mark, and would record a fact.
  if (!real) {
    const { status, body: trial } = await post('/v1/events?dryRun=true', (b) => Array.isArray(b['problems']));
    const { problems, test } = trial as { problems: readonly unknown[]; test?: unknown };
    if (status === 200 && problems.length === 0 && test !== true) throw new Usage(texts.no_test_events());
  }
  const { source, id } = event as { source?: unknown; id?: unknown };
  const reply = await post('/v1/events', shapes.isReceipt(textOf(source), textOf(id)));
  if (reply.status >= 400) {
    const code = showRefusal(faultOf(reply.status, reply.body, reply.retryAfterMs), ctx.lang, ctx.url);
    if (edited !== undefined) process.stderr.write(`  ${ctx.say(texts.edited_kept({ file: edited.file }))}\n`);
    return code;
  }
  edited?.done();
  const receipt = reply.body as { type: string; id: string; position: string };
  if (ctx.format !== 'table') printOne(ctx, receipt);
  else {
    const done = ctx.say(real ? texts.recorded() : texts.tested());
    process.stdout.write(`✔ ${done}  ${receipt.type}  ${receipt.id}  ${receipt.position}\n`);
    if (process.stderr.isTTY)
      process.stderr.write(`  ${ctx.say(texts.next_step())}: simpul event ${receipt.position}\n`);
  }
  return EXIT.ok;
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
