import type { Command } from 'commander';
import { readTerminal } from '#settings';
import { verbatim } from '#faults';
import type { LogSummary, PartitionSummary } from '#log-embedded';
import type { Context } from '../context.js';
import { Usage } from '../usage.js';
import { printOne, printRows } from '../output.js';
import { EXIT } from '../refusal.js';
import type { Run } from '../program.js';
import { texts } from '../texts.js';

const DEFAULT_DATA = '.simpul/data';

// The rooms are imported only when a command runs: no other command loads SQLite (start time of the CLI).
const room = () => import('#backup');

const count = (partitions: readonly PartitionSummary[], of: (p: PartitionSummary) => number): number =>
  partitions.reduce((sum, p) => sum + of(p), 0);

/** Events that are damaged or gone. */
const damagedOf = (p: PartitionSummary): number =>
  p.damaged.reduce((sum, { first, last }) => sum + Number(BigInt(last) - BigInt(first)) + 1, 0);

/** One line a partition that has held records. `last`: the position of the newest record. */
function partitionRows(log: Pick<LogSummary, 'partitions'>): object[] {
  return log.partitions
    .filter((p) => p.high !== '0')
    .map((p) => ({
      topic: p.topic,
      partition: String(p.partition),
      records: String(p.records),
      first: p.low,
      last: String(BigInt(p.high) - 1n),
      damaged: String(damagedOf(p)),
      unchecked: String(p.unchecked),
    }));
}

const COLUMNS = ['topic', 'partition', 'records', 'first', 'last', 'damaged', 'unchecked'];

function line(ctx: Context, mark: '✔' | '✗' | '·', text: Parameters<Context['say']>[0]): void {
  process.stderr.write(`${mark} ${ctx.say(text)}\n`);
}

function tellDamage(ctx: Context, partitions: readonly PartitionSummary[]): void {
  for (const { topic, partition, damaged } of partitions)
    for (const { first, last } of damaged.slice(0, 20))
      line(
        ctx,
        '✗',
        texts.damaged_at({ place: `${topic}/${partition}/${first}${last === first ? '' : ` … ${last}`}` }),
      );
}

function tellUnchecked(ctx: Context, partitions: readonly PartitionSummary[]): void {
  const unchecked = count(partitions, (p) => p.unchecked);
  if (unchecked > 0) line(ctx, '·', texts.unchecked({ count: unchecked }));
}

export function backupCommands(program: Command, run: Run): void {
  const dataDir = (): string => program.opts<{ data?: string }>().data ?? readTerminal().dataDir ?? DEFAULT_DATA;

  program
    .command('backup <dir>')
    .description('copy log and keys of the data folder (embedded engine) into a new folder; the hub may run')
    .addHelpText(
      'after',
      '\nState is left out: a hub folds it again from the log. The copy holds the keys of the deployment: keep it as you keep them.\n\nExample:\n  simpul --data .simpul/data backup /cadangan/simpul-2026-07-15',
    )
    .action((dir: string) =>
      run(async (ctx) => {
        process.umask(0o077);
        const manifest = await (await room()).makeBackup({ dataDir: dataDir(), target: dir });
        const { partitions } = manifest;
        const bad = count(partitions, damagedOf);
        if (ctx.format === 'table') {
          const records = count(partitions, (p) => p.records);
          process.stdout.write(`✔ ${ctx.say(texts.backup_made({ dir, records }))}\n`);
          if (manifest.files['pseudonym.key'] === undefined) line(ctx, '·', texts.backup_without_pseudonym_key());
        } else printOne(ctx, manifest);
        tellDamage(ctx, partitions);
        tellUnchecked(ctx, partitions);
        return bad === 0 ? EXIT.ok : EXIT.part;
      }, true),
    );

  program
    .command('restore [dir]')
    .description('put a backup into the data folder; no hub may run on it')
    .option('--replace', 'replace what the data folder holds; it is kept in <data>/replaced-<number>')
    .option('--accept-loss', 'without a backup: go on with what is left of the log of the data folder')
    .addHelpText(
      'after',
      '\nFiles and rows of the backup are checked first. State is removed and folded again at the next start.\n\nExample:\n  simpul --data .simpul/data restore /cadangan/simpul-2026-07-15 --replace',
    )
    .action((dir: string | undefined, o: { replace?: boolean; acceptLoss?: boolean }) =>
      run(async (ctx) => {
        process.umask(0o077);
        const backup = await room();
        if (o.acceptLoss) {
          if (dir !== undefined || o.replace) throw new Usage(verbatim('simpul restore --accept-loss'));
          const log = await backup.acceptLoss(dataDir());
          const records = count(log.partitions, (p) => p.records);
          if (ctx.format === 'table')
            process.stdout.write(`✔ ${ctx.say(texts.loss_accepted({ dir: dataDir(), records }))}\n`);
          else printOne(ctx, log);
          tellDamage(ctx, log.partitions);
          return EXIT.ok;
        }
        if (dir === undefined)
          throw new Usage(verbatim('simpul restore <dir> [--replace] | simpul restore --accept-loss'));
        const done = await backup.restoreBackup({ backup: dir, dataDir: dataDir(), replace: o.replace === true });
        const { manifest, replaced } = done;
        if (ctx.format !== 'table') printOne(ctx, done);
        else {
          const records = count(manifest.partitions, (p) => p.records);
          const from = manifest.madeAt;
          process.stdout.write(`✔ ${ctx.say(texts.restored({ dir: dataDir(), from, records }))}\n`);
          if (replaced !== undefined) line(ctx, '·', texts.replaced_kept({ dir: replaced }));
        }
        tellDamage(ctx, manifest.partitions);
        return EXIT.ok;
      }, true),
    );

  program
    .command('verify [dir]')
    .description('check every row of the data folder, or of a backup: checksums, counts, last positions')
    .option('--json', 'everything that was found, as JSON')
    .addHelpText(
      'after',
      '\nNothing is written; the hub may run. Exit code 0: whole, 1: damaged or incomplete, 5: nothing is damaged, but not everything could be checked.\n\nExample:\n  simpul verify /cadangan/simpul-2026-07-15',
    )
    .action((dir: string | undefined, o: { json?: boolean }) =>
      run(async (ctx) => {
        const found = await (await room()).verifyFolder(dir ?? dataDir());
        const { kind, log, changed, restoring, damaged, unchecked, whole } = found;
        if (o.json) process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
        else printRows(ctx, partitionRows(log), COLUMNS);
        if (log.tables !== undefined) line(ctx, '✗', texts.damaged_at({ place: log.tables }));
        tellDamage(ctx, log.partitions);
        for (const name of changed) line(ctx, '✗', texts.file_changed({ name }));
        if (restoring) line(ctx, '✗', texts.restore_not_ended());
        if (log.missing === 'other log') line(ctx, '✗', texts.other_log());
        else if (log.missing !== undefined) line(ctx, '✗', texts.records_missing({ count: log.missing }));
        tellUnchecked(ctx, log.partitions);
        if (dir !== undefined && kind === 'data') line(ctx, '·', texts.checked_as_data({ dir }));
        const records = count(log.partitions, (p) => p.records);
        if (damaged) line(ctx, '✗', texts.log_not_whole());
        else if (whole) line(ctx, '✔', texts.log_whole({ records }));
        else line(ctx, '·', texts.log_not_checked({ unchecked, records }));
        if (damaged) return EXIT.failed;
        return whole ? EXIT.ok : EXIT.part;
      }, true),
    );
}
