import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import type { Command } from 'commander';
import { verbatim } from '#faults';
import { shapes, type Shape } from '#sdk';
import { readTerminal } from '#settings';
import type { Context } from '../context.js';
import { Usage } from '../usage.js';
import { printOne, printRows } from '../output.js';
import { EXIT } from '../refusal.js';
import type { Run } from '../program.js';
import { texts } from '../texts.js';

interface CreatedKey {
  readonly id: string;
  readonly key: string;
  readonly unit: string;
  readonly system: string;
  readonly state?: string;
  readonly expiresAt?: string;
  readonly wish?: { readonly until: string };
}

/** Until when a new key is valid, or that it is not valid yet. */
function sayValidity({ say }: Context, { id, state, expiresAt, wish }: CreatedKey): string {
  if (state === 'pending' && wish !== undefined) return say(texts.key_pending({ id, until: wish.until }));
  return expiresAt === undefined ? '' : say(texts.key_valid_until({ at: expiresAt }));
}

const isMadeKey: Shape = shapes.texts('id', 'key', 'unit', 'system');
const csv = (text: string): string => (/[",\n]|^[=+\-@]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Opens the file before it asks the hub for keys: the hub gives the text of a key only once, so a file that cannot be written would lose it. */
async function writeKeys(file: string, make: () => Promise<CreatedKey[]>): Promise<CreatedKey[]> {
  let fd: number;
  try {
    fd = openSync(file, 'wx', 0o600);
  } catch (e) {
    const { code = 'error' } = e as NodeJS.ErrnoException;
    throw new Usage(texts.key_file_unwritable({ file, why: code === 'EEXIST' ? texts.exists_already() : code }));
  }
  try {
    const keys = await make();
    const lines = keys.map((k) => [k.unit, k.system, k.id, k.key].map(csv).join(','));
    writeSync(fd, `unit,system,id,key\n${lines.join('\n')}\n`);
    return keys;
  } catch (e) {
    unlinkSync(file);
    throw e;
  } finally {
    closeSync(fd);
  }
}

function resetAdminCommand(key: Command, program: Command, run: Run): void {
  key
    .command('reset-admin')
    .description('a new admin key when the old one is lost, on the machine of the hub; every older one is revoked')
    .option('--engine <name>', 'embedded or kafka', 'embedded')
    .addHelpText(
      'after',
      '\nWith the embedded engine the hub must be stopped; with kafka it may run, and SIMPUL_KAFKA (and _PREFIX, _SASL, _CA) say where the log is.\n\nExample:\n  simpul --data .simpul/data key reset-admin',
    )
    .action((o: { engine: string }) =>
      run(async (ctx) => {
        // Imported only here: no other command loads the rooms of the hub (start time of the CLI).
        const { resetAdminKey } = await import('#core');
        const { data = readTerminal().dataDir } = program.opts<{ data?: string }>();
        const kafka = o.engine === 'kafka';
        const path = await resetAdminKey({
          SIMPUL_ENGINE: o.engine,
          SIMPUL_DATA: data ?? (kafka ? '.simpul/data-kafka' : '.simpul/data'),
          // Only the log is opened, but the settings of the kafka engine require a Redis address.
          ...(kafka ? { SIMPUL_REDIS: 'redis://127.0.0.1' } : {}),
        });
        process.stdout.write(`✔ ${ctx.say(texts.new_admin_key())}: ${path}\n`);
        return EXIT.ok;
      }, true),
    );
}

export function keyCommands(program: Command, run: Run): void {
  const key = program
    .command('key')
    .alias('keys')
    .description('API keys: create, list, approve, revoke')
    .addHelpText('after', '\nExample:\n  simpul key create SU00123 --system simkim');
  key
    .command('create [unit]')
    .description('a key for one unit (shown once), or for all units of a type into a file')
    .option('--system <name>', 'the system that will use it', 'sistem')
    .option('--roles <roles>', 'publisher,reader,operator,data-team,steward,admin', 'publisher,reader')
    .option('--expires <when>', '90d, a day YYYY-MM-DD, or an RFC 3339 time; default: as the hub is set, 365d')
    .option('--all <type>', 'one key for every unit of this type')
    .option('--out <file>', 'CSV file for --all (0600)')
    .addHelpText(
      'after',
      '\nExample:\n  simpul key create SU00123 --system simkim --expires 90d\n  simpul key create --all kanim --out keys.csv',
    )
    .action(
      (unit: string | undefined, o: { system: string; roles: string; expires?: string; all?: string; out?: string }) =>
        run(async (ctx) => {
          const roles = o.roles.split(',').map((r) => r.trim());
          const { expires } = o;
          if (o.all) {
            if (!o.out) throw new Usage(verbatim('--all: --out FILE.csv'));
            const keys = await writeKeys(o.out, async () => {
              const shape = shapes.listOf('keys', isMadeKey);
              const { body } = await ctx.send('POST', '/v1/keys', shape, {
                all: o.all,
                system: o.system,
                roles,
                expires,
              });
              return (body as { keys: CreatedKey[] }).keys;
            });
            process.stdout.write(`✔ ${ctx.say(texts.keys_written({ count: keys.length, file: o.out }))}\n`);
            const pending = keys.filter((k) => k.state === 'pending');
            for (const k of pending) process.stderr.write(`! ${k.id}  ${sayValidity(ctx, k)}\n`);
            return EXIT.ok;
          }
          if (!unit) throw new Usage(verbatim('simpul key create <unit> --system <name>'));
          const shape = shapes.all(isMadeKey, shapes.named('unit', unit), shapes.named('system', o.system));
          const { body } = await ctx.send('POST', '/v1/keys', shape, { unit, system: o.system, roles, expires });
          if (ctx.format !== 'table') printOne(ctx, body);
          else {
            const made = body as CreatedKey;
            process.stdout.write(`${made.key}\n`);
            process.stderr.write(`✔ ${made.id}  ${ctx.say(texts.keep_key())}; ${sayValidity(ctx, made)}\n`);
          }
          return EXIT.ok;
        }),
    );
  key
    .command('ls')
    .description('keys without their text, with their state: valid, pending, expired, revoked')
    .addHelpText('after', '\nExample:\n  simpul key ls')
    .action(() =>
      run(async (ctx) => {
        const rows = await ctx.rows('/v1/keys', 'keys', shapes.texts('id', 'unit'), 100_000);
        printRows(ctx, rows, ['id', 'unit', 'system', 'roles', 'createdAt', 'revokedAt', 'state', 'expiresAt']);
        const soon = rows.filter((k) => k['expiresSoon'] === true).map((k) => String(k['id']));
        // A long list is cut: the rows above have them all.
        const ids = soon.length > 10 ? `${soon.slice(0, 10).join(', ')}, …` : soon.join(', ');
        if (soon.length > 0)
          process.stderr.write(`! ${ctx.say(texts.keys_expire_soon({ count: soon.length, ids }))}\n`);
        return EXIT.ok;
      }),
    );
  key
    .command('revoke <id>')
    .description('revoke a key, in force everywhere within 5 seconds')
    .addHelpText('after', '\nExample:\n  simpul key ls && simpul key revoke <id>')
    .action((id: string) =>
      run(async (ctx) => {
        // A pending key is refused, not revoked.
        const shape = shapes.all(
          shapes.named('id', id),
          (b) => typeof b['revokedAt'] === 'string' || b['state'] === 'refused',
        );
        await ctx.send('DELETE', `/v1/keys/${encodeURIComponent(id)}`, shape);
        process.stdout.write(`✔ ${id} ${ctx.say(texts.key_revoked())}\n`);
        return EXIT.ok;
      }),
    );
  key
    .command('pending')
    .description('keys that wait for the approval of a second admin of the hub')
    .addHelpText('after', '\nExample:\n  simpul key pending')
    .action(() =>
      run(async (ctx) => {
        const rows = await ctx.rows('/v1/keys?state=pending', 'keys', shapes.texts('id', 'unit'), 100_000);
        const shown = rows.map((k) => ({ ...k, until: (k['wish'] as { until?: string } | undefined)?.until }));
        printRows(ctx, shown, ['id', 'unit', 'system', 'roles', 'createdBy', 'createdAt', 'until', 'expiresAt']);
        return EXIT.ok;
      }),
    );
  for (const [name, state, description] of [
    ['approve', 'valid', 'approve a pending key that another admin of the hub asked for'],
    ['refuse', 'refused', 'refuse or withdraw a pending key'],
  ] as const)
    key
      .command(`${name} <id>`)
      .description(description)
      .option('--why <text>', 'the reason, for the audit record')
      .addHelpText('after', `\nExample:\n  simpul key pending && simpul key ${name} <id>`)
      .action((id: string, { why }: { why?: string }) =>
        run(async (ctx) => {
          const query = why === undefined ? '' : `?why=${encodeURIComponent(why)}`;
          const shape = shapes.all(shapes.named('id', id), shapes.named('state', state));
          await ctx.send('POST', `/v1/keys/${encodeURIComponent(id)}/${name}${query}`, shape);
          process.stdout.write(`✔ ${id} ${ctx.say(name === 'approve' ? texts.key_approved() : texts.key_refused())}\n`);
          return EXIT.ok;
        }),
      );
  resetAdminCommand(key, program, run);
}

function auditCommand(program: Command, run: Run): void {
  program
    .command('audit')
    .description('audit records, oldest first: what was done to keys, views and streams, and by whom')
    .option('--what <action>', 'key.create, …; key. for all that begin with it')
    .option('--by <owner>', 'unit, party or key id of the actor')
    .option('--target <name>', 'the key id, view or stream that it is about')
    .option('--phase <phase>', 'intent, done, failed')
    .option('--from <time>', 'RFC 3339')
    .option('-n, --limit <n>', 'at most this many', '100')
    .option('--cursor <cursor>', 'go on behind an earlier page')
    .option('--json', 'the page as JSON, with its cursor')
    .addHelpText('after', '\nExample:\n  simpul audit --what key. --from 2021-07-15T00:00:00Z')
    .action(({ limit, json, cursor, ...filters }: AuditOptions) =>
      run(async (ctx) => {
        const most = Number(limit);
        if (!Number.isInteger(most) || most < 1) throw new Usage(verbatim(`-n ${limit}: 1, 2, 3, …`));
        const page = await auditPage(ctx, new URLSearchParams(filters), most, cursor);
        if (json === true) printOne(ctx, page);
        else {
          printRows(ctx, page.records, ['at', 'phase', 'what', 'target', 'who', 'why', 'code']);
          if (!page.end) process.stderr.write(`… --cursor ${page.next}\n`);
        }
        return page.records.length > 0 ? EXIT.ok : EXIT.nothing;
      }),
    );
}

type AuditOptions = Readonly<Record<'limit', string>> &
  Partial<Record<'what' | 'by' | 'target' | 'phase' | 'from' | 'cursor', string>> & { readonly json?: true };

interface AuditRows {
  readonly records: readonly object[];
  readonly next: string;
  /** Whether nothing stands behind `next`. */
  readonly end: boolean;
}

const isAuditPage: Shape = shapes.all(
  shapes.listOf('records', shapes.texts('at', 'what', 'phase')),
  (b) => typeof b['next'] === 'string' && typeof b['end'] === 'boolean',
);

/** At most so many records: page by page, because a filter may leave a page empty. */
async function auditPage(
  ctx: Context,
  filters: URLSearchParams,
  most: number,
  cursor: string | undefined,
): Promise<AuditRows> {
  const records: object[] = [];
  let next = cursor;
  let end = false;
  while (records.length < most && !end) {
    const query = new URLSearchParams(filters);
    query.set('limit', String(Math.min(500, most - records.length)));
    if (next !== undefined) query.set('cursor', next);
    const page = (await ctx.get(`/v1/audit?${query.toString()}`, isAuditPage)).body as AuditRows;
    records.push(...page.records);
    // A page that leads nowhere ends the list.
    end = page.end || page.next === next;
    ({ next } = page);
  }
  return { records, next: next!, end };
}

/** What `/health/ready` of a hub says in `status`. */
const PHASES = ['ready', 'not_ready', 'starting', 'draining'];

export function operatorCommands(program: Command, run: Run): void {
  program
    .command('refusals')
    .description('what was refused: unit, type, code, pointer, count a minute (an hour after the first day)')
    .addHelpText('after', '\nExample:\n  simpul refusals')
    .action(() =>
      run(async (ctx) => {
        const rows = await ctx.rows('/v1/refusals', 'refusals', shapes.texts('minute', 'unit', 'code'), 1000);
        printRows(ctx, rows, ['minute', 'per', 'unit', 'type', 'code', 'pointer', 'count']);
        return EXIT.ok;
      }),
    );
  program
    .command('dead')
    .description('dead letters: events that a consumer of your unit has given up')
    .addHelpText('after', '\nExample:\n  simpul dead ls su00123.loket')
    .command('ls <group>')
    .description('the dead letters of a consumer group, the oldest first')
    .addHelpText('after', '\nExample:\n  simpul dead ls su00123.loket')
    .action((group: string) =>
      run(async (ctx) => {
        const path = `/v1/dead-letters/${encodeURIComponent(group)}`;
        const rows = await ctx.rows(path, 'letters', shapes.texts('position', 'recordedtime'), 100_000);
        printRows(ctx, rows, ['recordedtime', 'type', 'position', 'attempts', 'cause']);
        return EXIT.ok;
      }),
    );
  const conflicts = program
    .command('conflicts [view]')
    .description(
      'events that views refused: not the owner of the entry, without the step before, or dated too far ahead',
    )
    .addHelpText('after', '\nExample:\n  simpul conflicts layanan.kasus-papan')
    .action((view?: string) =>
      run(async (ctx) => {
        const path = `/v1/conflicts${view === undefined ? '' : `?view=${encodeURIComponent(view)}`}`;
        const rows = await ctx.rows(path, 'conflicts', shapes.texts('view', 'position', 'reason'), 1000);
        printRows(ctx, rows, ['recordedtime', 'view', 'key', 'reason', 'owner', 'source', 'type', 'position']);
        return EXIT.ok;
      }),
    );
  conflicts
    .command('accept <position>')
    .description('accept a refused event: the entry is made anew for the office that stated it (steward)')
    .requiredOption('--why <text>', 'the reason, for the audit record')
    .addHelpText(
      'after',
      '\nExample:\n  simpul conflicts accept keu.pnbp/0/17 --why "the bill number was taken by mistake"',
    )
    .action((position: string, { why }: { why: string }) =>
      run(async (ctx) => {
        const shape: Shape = (b) => b['position'] === position && typeof b['accepted'] === 'string';
        const { body } = await ctx.send('POST', '/v1/conflicts/accept', shape, { position, why });
        printOne(ctx, body);
        return EXIT.ok;
      }),
    );
  auditCommand(program, run);
  program
    .command('doctor')
    .description('whether the hub and its doors work')
    .addHelpText('after', '\nExample:\n  simpul doctor')
    .action(() =>
      run(async (ctx) => {
        const reply = await ctx.hub.call('/health/ready', {
          key: ctx.key,
          shape: (b) => PHASES.includes(String(b['status'])) && Array.isArray(b['doors']),
          shaped: [503],
        });
        printOne(ctx, reply.body);
        return reply.status === 200 ? EXIT.ok : EXIT.failed;
      }, true),
    );
}
