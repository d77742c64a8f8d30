import type { Command } from 'commander';
import { verbatim } from '#faults';
import { shapes } from '#sdk';
import { printOne, printRows } from '../output.js';
import { EXIT } from '../refusal.js';
import { Usage } from '../usage.js';
import type { Run } from '../program.js';
import { genCommand } from './type-gen.js';

const query = (o: Record<string, string | undefined>): string => {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(o)) if (v !== undefined) q.set(k, v);
  const text = q.toString();
  return text ? `?${text}` : '';
};

const isUnit = shapes.texts('id', 'code');

export function stateCommands(program: Command, run: Run): void {
  const state = program
    .command('state')
    .description('current state: one entry, a list')
    .addHelpText('after', '\nExample:\n  simpul state ls imigrasi.cegah-aktif');
  state
    .command('get <view> <key>')
    .description('one entry of a view')
    .option('--after <position>', 'read your write: wait until the view has folded this position')
    .addHelpText('after', '\nExample:\n  simpul state get imigrasi.paspor-status P-2021-000123')
    .action((view: string, key: string, o: { after?: string }) =>
      run(async (ctx) => {
        printOne(
          ctx,
          (
            await ctx.get(
              `/v1/state/${encodeURIComponent(view)}/${encodeURIComponent(key)}${query({ after: o.after })}`,
              shapes.isEntry(view, key),
            )
          ).body,
        );
        return EXIT.ok;
      }),
    );
  state
    .command('ls <view> [filters...]')
    .description('entries of a view, filtered by field=value')
    .option('-n, --limit <n>', 'at most this many', '100')
    .addHelpText('after', '\nExample:\n  simpul state ls imigrasi.cegah-aktif')
    .action((view: string, filters: string[], o: { limit: string }) =>
      run(async (ctx) => {
        const pairs: Record<string, string> = {};
        for (const f of filters) {
          const at = f.indexOf('=');
          if (at < 1) throw new Usage(verbatim(`${f}: field=value`));
          pairs[f.slice(0, at)] = f.slice(at + 1);
        }
        const path = `/v1/state/${encodeURIComponent(view)}${query(pairs)}`;
        const rows = await ctx.rows(path, 'entries', shapes.isListedEntry, Number(o.limit));
        printRows(ctx, rows, ['key', 'position', 'value']);
        return rows.length > 0 ? EXIT.ok : EXIT.nothing;
      }),
    );
}

export function viewCommands(program: Command, run: Run): void {
  const view = program
    .command('view')
    .description('views: list, rebuild')
    .addHelpText('after', '\nExample:\n  simpul view ls');
  view
    .command('ls')
    .description('views and how far they are')
    .addHelpText('after', '\nExample:\n  simpul view ls')
    .action(() =>
      run(async (ctx) => {
        const { body } = await ctx.get('/v1/views', shapes.listOf('views', shapes.texts('view')));
        printRows(ctx, (body as { views: object[] }).views, [
          'view',
          'kind',
          'streams',
          'generation',
          ctx.lang === 'en' ? 'titleEn' : 'titleId',
        ]);
        return EXIT.ok;
      }),
    );
  view
    .command('rebuild <view>')
    .description('fold the view again from the log while the old one serves')
    .addHelpText('after', '\nExample:\n  simpul view rebuild imigrasi.cegah-aktif')
    .action((name: string) =>
      run(async (ctx) => {
        printOne(
          ctx,
          (await ctx.send('POST', `/v1/views/${encodeURIComponent(name)}/rebuild`, shapes.named('view', name), {}))
            .body,
        );
        return EXIT.ok;
      }),
    );
}

export function unitCommands(program: Command, run: Run): void {
  const unit = program
    .command('unit')
    .description('units: list, one, by function')
    .addHelpText('after', '\nExample:\n  simpul unit ls --type kanim');
  const columns = ['id', 'code', 'type', 'class', 'tz', 'name'];
  unit
    .command('ls')
    .description('units, by kind, province or name')
    .option('--type <type>', 'kanim, lapas, kanwil, …')
    .option('--province <code>', 'two digits')
    .option('--text <words>', 'words of the name or code')
    .option('--as-of <date>', 'as it was on that day')
    .option('-n, --limit <n>', 'at most this many', '1000')
    .addHelpText('after', '\nExample:\n  simpul unit ls --type kanim --province 64')
    .action((o: { type?: string; province?: string; text?: string; asOf?: string; limit: string }) =>
      run(async (ctx) => {
        const q = query({ type: o.type, province: o.province, text: o.text, asOf: o.asOf });
        const rows = await ctx.rows(`/v1/units${q}`, 'units', isUnit, Number(o.limit));
        printRows(ctx, rows, columns);
        return rows.length > 0 ? EXIT.ok : EXIT.nothing;
      }),
    );
  unit
    .command('get <id>')
    .description('one unit, by id or code')
    .option('--as-of <date>', 'as it was on that day')
    .addHelpText('after', '\nExample:\n  simpul unit get SU00123 --as-of 2021-07-15')
    .action((id: string, o: { asOf?: string }) =>
      run(async (ctx) => {
        printOne(ctx, (await ctx.get(`/v1/units/${encodeURIComponent(id)}${query({ asOf: o.asOf })}`, isUnit)).body);
        return EXIT.ok;
      }),
    );
  unit
    .command('resolve')
    .description('units that serve a function in a province')
    .requiredOption('--function <type>', 'kanim, lapas, bapas, …')
    .option('--province <code>', 'two digits')
    .option('--as-of <date>', 'as it was on that day')
    .addHelpText('after', '\nExample:\n  simpul unit resolve --function kanim --province 64')
    .action((o: { function: string; province?: string; asOf?: string }) =>
      run(async (ctx) => {
        const { body } = await ctx.get(
          `/v1/units/resolve${query({ function: o.function, province: o.province, asOf: o.asOf })}`,
          shapes.listOf('units', isUnit),
        );
        const rows = (body as { units: object[] }).units;
        printRows(ctx, rows, columns);
        return rows.length > 0 ? EXIT.ok : EXIT.nothing;
      }),
    );
}

export function typeCommands(program: Command, run: Run): void {
  const type = program
    .command('type')
    .description('event types: list, one, a sample, typed code')
    .addHelpText('after', '\nExample:\n  simpul type ls');
  type
    .command('ls')
    .description('event types, newest versions')
    .addHelpText('after', '\nExample:\n  simpul type ls')
    .action(() =>
      run(async (ctx) => {
        printRows(ctx, await ctx.rows('/v1/event-types', 'types', shapes.texts('type', 'stream'), 10_000), [
          'type',
          'version',
          'owner',
          ctx.lang === 'en' ? 'titleEn' : 'titleId',
        ]);
        return EXIT.ok;
      }),
    );
  for (const [name, suffix, description] of [
    ['get', '', 'the contract of a type: fields, classes, publishers'],
    ['sample', '/sample', 'a valid invented event'],
  ] as const)
    type
      .command(`${name} <type>`)
      .description(description)
      .addHelpText('after', `\nExample:\n  simpul type ${name} imigrasi.paspor.diterbitkan`)
      .action((type: string) =>
        run(async (ctx) => {
          printOne(
            ctx,
            (await ctx.get(`/v1/event-types/${encodeURIComponent(type)}${suffix}`, shapes.named('type', type))).body,
          );
          return EXIT.ok;
        }),
      );
  genCommand(type, program, run);
}
