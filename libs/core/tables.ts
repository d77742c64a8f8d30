import { loadPseudonymKey, openAccess, type Access, type AdminKey } from '#access';
import { OWNERS_SPEC, TEST_EVENTS, type EventLog } from '#log';
import type { CompiledView, Generations } from '#projection';
import { openCopies, openSettled, type Copies, type CopiesReport, type Settled, type SettledReport } from '#duplicates';
import { sealCursors } from '#reading';
import { openMeta, openRegistry, type Registry } from '#registry';
import type { HubSettings } from '#settings';
import type { State } from '#state';
import type { TableReport } from '#table';
import { openUnits, type UnitRegistry } from '#units';
import { readContracts, readUnits, readViews } from './contracts.js';
import { cursorSeal, unsealedUntil } from './cursor-seal.js';
import { generationsOf } from './generations.js';
import { compileViews, type UndeclaredReport } from './undeclared.js';

/** The control tables of a deployment, each caught up with its topic and followed, and what is read from them. */
export interface Tables {
  readonly registry: Registry;
  readonly units: UnitRegistry;
  readonly access: Access;
  readonly adminKey: AdminKey;
  readonly pseudonymKey: Buffer;
  readonly views: readonly CompiledView[];
  readonly generations: Generations;
  readonly copies: Copies;
  readonly settled: Settled;
  readonly tableReport: TableReport;
  /** Closes them in the reverse order. The ports stay open. */
  close(): Promise<void>;
}

export interface TablesDeps {
  readonly settings: Pick<HubSettings, 'dataDir' | 'partitions' | 'pseudonymKeyFile' | 'contractsDir' | 'keyLives'>;
  readonly log: EventLog;
  readonly state: State;
  readonly now: () => number;
  /** What control tables report. */
  readonly report: CopiesReport & SettledReport;
  readonly undeclared: UndeclaredReport;
}

/**
 * Opens the tables in the order of their dependencies; registers contracts and seeds units only where they are missing. On a failure it closes what
 * it has opened. Faults: log_unavailable, state_unavailable, pseudonym_key_mismatch, invalid_schema (a new contract or view that is not complete).
 */
export async function openTables({ settings, log, state, now, report, undeclared }: TablesDeps): Promise<Tables> {
  await using opening = new AsyncDisposableStack();
  const opened = <T extends { close(): void | Promise<void> }>(table: T): T => opening.adopt(table, (t) => t.close());
  await log.ensureTopics([OWNERS_SPEC, TEST_EVENTS]);
  const meta = opened(await openMeta({ log, report }));
  const registry = opened(await openRegistry({ log, meta, defaultPartitions: settings.partitions, report }));
  await registry.registerMissing(readContracts(settings.contractsDir));
  for (const type of registry.catalogue.types()) undeclared.contract(type);
  registry.onRegistered(undeclared.contract);
  const units = opened(await openUnits({ log, now, report }));
  const seed = readUnits();
  await units.seed(seed);
  const parties = new Set(seed.externalParties.map((p) => p.code));
  const access = opened(
    await openAccess({
      log,
      units: units.units,
      parties,
      types: () => registry.catalogue.types(),
      lives: settings.keyLives,
      now,
      report,
    }),
  );
  const adminKey = await access.ensureAdmin(settings.dataDir);
  const until = await unsealedUntil(meta, now());
  const pseudonymKey = await loadPseudonymKey({ file: settings.pseudonymKeyFile, dir: settings.dataDir, meta });
  sealCursors(cursorSeal(pseudonymKey, until, now));
  const generations = generationsOf(meta);
  const views = compileViews(readViews(), registry.catalogue, generations, undeclared);
  const copies = opened(await openCopies(log, report));
  const settled = opened(await openSettled({ log, state, copies, streams: registry.catalogue.streams(), report }));
  const open = opening.move();
  return {
    registry,
    units,
    access,
    adminKey,
    pseudonymKey,
    views,
    generations,
    copies,
    settled,
    tableReport: report,
    close: () => open.disposeAsync(),
  };
}
