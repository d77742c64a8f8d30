import type { Command } from 'commander';
import { verbatim } from '#faults';
import { shapes, type Shape } from '#sdk';
import type { Context } from '../context.js';
import { printOne, printRows } from '../output.js';
import type { Run } from '../program.js';
import { EXIT } from '../refusal.js';
import { texts } from '../texts.js';
import { Usage } from '../usage.js';
import {
  allSubscriptions,
  formatted,
  idOf,
  isSubscription,
  isThis,
  lagOf,
  objectOf,
  pathOf,
  standingOf,
  standingsOf,
  type SubscriptionRow,
} from './subscription-rows.js';

interface SpecOptions {
  readonly types?: string;
  readonly filter?: string[];
  readonly function?: string;
  readonly province?: string;
  readonly below?: string;
  readonly to?: string;
  readonly mode?: string;
  readonly form?: string;
  readonly signature?: string;
  readonly handshake?: true;
  readonly pull?: true;
  readonly sse?: true;
}
interface CreateOptions extends SpecOptions {
  readonly start?: string;
  readonly test?: true;
  readonly dryRun?: true;
}

const many = (value: string, before: string[] = []): string[] => [...before, value];

function withSpecOptions(command: Command): Command {
  return command
    .option('--types <patterns>', 'event types, with commas: * one segment, # the rest')
    .option('--filter <json>', 'a CloudEvents filter: exact, prefix, suffix, all, any, not; may be repeated', many)
    .option('--function <type>', 'only events of units of this type: kanim')
    .option('--province <code>', 'only of units in this province: 64')
    .option('--below <unit>', 'only of this unit and those below it; self: your unit; self:kanwil: the kanwil above it')
    .option('--to <url>', 'deliver to this address (webhook)')
    .option('--mode <mode>', 'of a webhook: structured, binary, batch')
    .option('--form <form>', 'data of a webhook: json, avro')
    .option('--signature <kind>', 'of a webhook: v1 (HMAC), v1a (Ed25519)')
    .option('--handshake', 'of a webhook: ask the receiver with OPTIONS (CloudEvents) before anything is sent')
    .option('--pull', 'the reader fetches the events')
    .option('--sse', 'the reader keeps a connection open (server-sent events)');
}

/** The members of a spec that the options name. Throws Usage. */
function specOf(o: SpecOptions): Record<string, unknown> {
  const kinds = [o.to === undefined ? [] : ['--to'], o.pull ? ['--pull'] : [], o.sse ? ['--sse'] : []].flat();
  if (kinds.length > 1) throw new Usage(verbatim(`${kinds.join(' ')}: --to | --pull | --sse`));
  const { mode, form: data, signature, handshake, to: url } = o;
  const units = Object.entries({ function: o.function, province: o.province, below: o.below });
  const chosen = units.filter(([, value]) => value !== undefined);
  return {
    ...(o.types === undefined ? {} : { types: o.types.split(',').map((t) => t.trim()) }),
    ...(o.filter === undefined ? {} : { filters: o.filter.map((text) => objectOf('--filter', text)) }),
    ...(chosen.length === 0 ? {} : { units: Object.fromEntries(chosen) }),
    ...(url === undefined ? {} : { target: { kind: 'webhook', url, mode, data, signature, handshake } }),
    ...(o.pull === true ? { target: { kind: 'pull' } } : {}),
    ...(o.sse === true ? { target: { kind: 'sse' } } : {}),
  };
}

/** What verifies webhooks that are signed with Ed25519, the newest first. */
interface Keys {
  readonly publicKeys?: readonly { readonly key?: unknown }[];
}

/** The newest public key; undefined: the webhooks are signed with the secret. */
function publicKeyOf({ publicKeys }: Keys): string | undefined {
  const key = Array.isArray(publicKeys) ? (publicKeys as Keys['publicKeys'])?.[0]?.key : undefined;
  return typeof key === 'string' && /^whpk_[\w+/=]+$/.test(key) ? key : undefined;
}

/** Says what was done on stderr: a script reads stdout. */
const note = (line: string): void => void process.stderr.write(`✔ ${line}\n`);

interface SeekAnswer {
  readonly again: number;
  readonly passedOver: number;
  readonly incomplete?: true;
  readonly parked?: number;
  readonly dead?: number;
  readonly held?: number;
}

/** A change of one subscription, and a line for it; the subscription as it is then with -o json. */
async function changed(ctx: Context, sub: string, act: string, body: unknown, done: string): Promise<number> {
  const id = await idOf(ctx, sub);
  const row = (await ctx.send('POST', pathOf(id, act), isThis(id), body)).body as SubscriptionRow;
  if (ctx.format !== 'table') printOne(ctx, row);
  else note(`${row.name}  ${row.status}  ${done}`);
  return EXIT.ok;
}

export function subscriptionCommands(program: Command, run: Run): void {
  const sub = program
    .command('sub')
    .description('subscriptions: what your unit wants to get, and how far each is')
    .addHelpText('after', '\nExample:\n  simpul sub create payroll --types sdm.# --to https://gaji.example/simpul');
  readCommands(sub, run);
  writeCommands(sub, run);
  sub
    .command('pause <sub>')
    .description('deliver nothing more until it is resumed; nothing is lost')
    .requiredOption('--why <text>', 'the reason, for the audit record')
    .addHelpText('after', '\nExample:\n  simpul sub pause payroll --why "the server moves"')
    .action((name: string, { why }: { why: string }) =>
      run((ctx) => changed(ctx, name, '/pause', { why }, ctx.say(texts.sub_paused({ name })))),
    );
  sub
    .command('resume <sub>')
    .description('go on where it was paused')
    .option('--why <text>', 'the reason; a unit above must say it')
    .addHelpText('after', '\nExample:\n  simpul sub resume payroll')
    .action((name: string, { why }: { why?: string }) =>
      run((ctx) => changed(ctx, name, '/resume', { why }, ctx.say(texts.sub_resumed({ name })))),
    );
  sub
    .command('seek <sub> <to>')
    .description('go on at another place: earliest, end, a time, or a position')
    .option('--dry-run', 'only say what would be delivered again or passed over')
    .option('--why <text>', 'the reason, for the audit record')
    .addHelpText('after', '\nExample:\n  simpul sub seek payroll 2021-07-12T00:00:00+07:00 --dry-run')
    .action((name: string, to: string, o: { dryRun?: true; why?: string }) =>
      run(async (ctx) => {
        const id = await idOf(ctx, name);
        const shape: Shape = ({ again, passedOver }) => typeof again === 'number' && typeof passedOver === 'number';
        const asked = { to, dryRun: o.dryRun === true, why: o.why };
        const { body } = await ctx.send('POST', pathOf(id, '/seek'), shape, asked);
        if (ctx.format !== 'table') printOne(ctx, body);
        else {
          const { again, passedOver: passed, incomplete, ...rows } = body as SeekAnswer;
          const least = incomplete === true ? `  (${ctx.say(texts.seek_least())})` : '';
          const dry = o.dryRun ? `  (${ctx.say(texts.nothing_done())})` : '';
          note(`${name}  ${ctx.say(texts.seek_counts({ again, passed }))}${least}${dry}`);
          const count = (rows.parked ?? 0) + (rows.dead ?? 0) + (rows.held ?? 0);
          if (count > 0) process.stderr.write(`! ${ctx.say(texts.seek_stays({ count, name }))}\n`);
        }
        return EXIT.ok;
      }),
    );
  sub
    .command('rotate-secret <sub>')
    .description('a new secret, shown once; the old one is valid for a while too')
    .addHelpText('after', '\nExample:\n  simpul sub rotate-secret payroll')
    .action((name: string) =>
      run(async (ctx) => {
        const shape = shapes.texts('secret', 'previousValidUntil');
        const { body } = await ctx.send('POST', pathOf(await idOf(ctx, name), '/rotate-secret'), shape);
        const { secret, previousValidUntil: until } = body as { secret: string; previousValidUntil: string };
        const publicKey = publicKeyOf(body as Keys);
        if (ctx.format !== 'table') printOne(ctx, body);
        else {
          process.stdout.write(`${publicKey ?? secret}\n`);
          note(
            `${name}  ${ctx.say((publicKey === undefined ? texts.secret_rotated : texts.public_key_rotated)({ until }))}`,
          );
        }
        return EXIT.ok;
      }),
    );
}

function readCommands(sub: Command, run: Run): void {
  sub
    .command('ls')
    .description('subscriptions with their lag: events that wait, and for how long the oldest does')
    .option('--owner <unit>', 'only those of this unit')
    .option('--json', 'as JSON, with every field')
    .addHelpText('after', '\nExample:\n  simpul sub ls')
    .action((o: { owner?: string; json?: boolean }) =>
      run(async (given) => {
        const ctx = formatted(given, o);
        const query = o.owner === undefined ? '' : `?owner=${encodeURIComponent(o.owner)}`;
        const rows = await standingsOf(ctx, await allSubscriptions(ctx, query));
        const shown = ctx.format === 'table' ? rows.map((r) => ({ ...r, lag: lagOf(r), to: r.target.kind })) : rows;
        printRows(ctx, shown, ['name', 'owner', 'status', 'lag', 'parked', 'dead', 'to', 'id']);
        if (rows.length === 0) process.stderr.write(`! ${ctx.say(texts.no_subscriptions())}\n`);
        if (rows.some((r) => Number(r['dead'] ?? 0) > 0)) process.stderr.write(`! ${ctx.say(texts.some_are_dead())}\n`);
        return rows.length > 0 ? EXIT.ok : EXIT.nothing;
      }),
    );
  sub
    .command('show <sub>')
    .description('one subscription: what it gets, how far it is; with --deliveries its last attempts')
    .option('--deliveries', 'the last attempts, a line each')
    .option('-n, --limit <n>', 'at most this many attempts', '20')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  simpul sub show payroll --deliveries')
    .action((name: string, o: { deliveries?: true; limit: string; json?: boolean }) =>
      run(async (given) => {
        const ctx = formatted(given, o);
        const row = await standingOf(ctx, await idOf(ctx, name));
        if (o.deliveries !== true) printOne(ctx, row);
        else await showDeliveries(ctx, row, Number(o.limit));
        return EXIT.ok;
      }),
    );
  sub
    .command('lag <sub>')
    .description('how many events wait for it, and for how long the oldest does')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  simpul sub lag payroll')
    .action((name: string, o: { json?: boolean }) =>
      run(async (given) => {
        const ctx = formatted(given, o);
        const row = await standingOf(ctx, await idOf(ctx, name));
        if (ctx.format === 'table') process.stdout.write(`${lagOf(row)}\n`);
        else printOne(ctx, { subscription: row.id, name: row.name, ...(row['lag'] as object) });
        return EXIT.ok;
      }),
    );
}

/** The form of `simpul listen`: what was sent, and what came back. */
async function showDeliveries(ctx: Context, row: SubscriptionRow, limit: number): Promise<void> {
  const shape = shapes.texts('id', 'position', 'at', 'outcome');
  const attempts = await ctx.rows(pathOf(row.id, '/deliveries'), 'deliveries', shape, limit);
  if (ctx.format !== 'table') {
    printRows(ctx, attempts, []);
    return;
  }
  const plain = (value: unknown): string => String(value).replaceAll(/\p{Cc}/gu, ' ');
  for (const a of attempts.toReversed()) {
    const answer = a['status'] ?? a['reason'] ?? '-';
    const to = row.target.url === undefined ? row.target.kind.toUpperCase() : `POST ${row.target.url}`;
    const more = `${String(a['outcome'])}  #${String(a['try'])}  ${String(a['ms'])} ms`;
    process.stdout.write(
      `${plain(a['at'])}  -->  ${plain(a['subject'])}  ${plain(a['position'])}  [${plain(a['id'])}]\n`,
    );
    process.stdout.write(`${plain(a['at'])}  <--  [${plain(answer)}] ${plain(to)}  [${plain(a['id'])}]  ${more}\n`);
  }
}

function writeCommands(sub: Command, run: Run): void {
  withSpecOptions(sub.command('create <name>'))
    .description(
      'a new subscription of the unit of this key; the secret of a webhook is shown once; with v1a its public key',
    )
    .option('--start <place>', 'now, earliest, a time, or a position', 'now')
    .option('--test', 'it gets test events (simpul trigger), and nothing else')
    .option('--dry-run', 'make nothing: how many events of the last week match, with examples')
    .addHelpText(
      'after',
      '\nExample:\n  simpul sub create payroll --types sdm.# --to https://gaji.example/simpul\n  simpul sub create antrean --types imigrasi.# --function kanim --province 64 --pull --dry-run',
    )
    .action((name: string, o: CreateOptions) =>
      run(async (ctx) => {
        const spec = { name, ...specOf(o), start: o.start, test: o.test === true };
        if (o.dryRun) {
          const shape: Shape = ({ matched, examples }) => typeof matched === 'number' && Array.isArray(examples);
          printOne(ctx, (await ctx.send('POST', '/v1/subscriptions?dryRun=true', shape, spec)).body);
          return EXIT.ok;
        }
        const { body } = await ctx.send(
          'POST',
          '/v1/subscriptions',
          shapes.all(isSubscription, shapes.named('name', name)),
          spec,
        );
        const { secret, ...made } = body as SubscriptionRow & { secret?: string };
        const publicKey = publicKeyOf(made as Keys);
        if (ctx.format !== 'table') printOne(ctx, body);
        else {
          process.stdout.write(`${publicKey ?? secret ?? made.id}\n`);
          const keep = publicKey === undefined ? texts.keep_secret() : texts.verify_with();
          note(`${made.name}  ${made.id}${secret === undefined ? '' : `  ${ctx.say(keep)}`}`);
        }
        return EXIT.ok;
      }),
    );
  withSpecOptions(sub.command('edit <sub>'))
    .description('change types, filters, units or target; what is not named stays')
    .option('--no-filters', 'remove all filters')
    .option('--no-units', 'remove the choice of units')
    .option('--why <text>', 'the reason, for the audit record')
    .addHelpText('after', '\nExample:\n  simpul sub edit payroll --types sdm.pegawai.#')
    .action((name: string, o: SpecOptions & { filters: boolean; units: boolean; why?: string }) =>
      run(async (ctx) => {
        const without = { ...(o.filters ? {} : { filters: [] }), ...(o.units ? {} : { units: null }) };
        const change = { ...without, ...specOf(o) };
        if (Object.keys(change).length === 0) throw new Usage(texts.nothing_to_change());
        const before = await standingOf(ctx, await idOf(ctx, name));
        const { body } = await ctx.send(
          'PATCH',
          pathOf(before.id),
          isThis(before.id),
          { ...change, why: o.why },
          { 'if-match': `"${before.version}"` },
        );
        if (ctx.format !== 'table') printOne(ctx, body);
        else note(`${before.name}  ${ctx.say(texts.sub_changed({ version: (body as SubscriptionRow).version }))}`);
        return EXIT.ok;
      }),
    );
  sub
    .command('rm <sub>')
    .description('remove a subscription, with its place, its parked events and its dead letters')
    .option('--why <text>', 'the reason, for the audit record')
    .addHelpText('after', '\nExample:\n  simpul sub rm payroll --why "the system is shut down"')
    .action((name: string, { why }: { why?: string }) =>
      run(async (ctx) => {
        const query = why === undefined ? '' : `?why=${encodeURIComponent(why)}`;
        const id = await idOf(ctx, name);
        const shape = shapes.all(shapes.named('id', id), shapes.named('status', 'removed'));
        await ctx.send('DELETE', pathOf(id, query), shape);
        note(`${name}  ${ctx.say(texts.sub_removed())}`);
        return EXIT.ok;
      }),
    );
}
