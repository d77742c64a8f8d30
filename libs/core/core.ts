import { loadPseudonymKey, openAccess, type Access, type AdminKey } from '#access';
import { openDataFolder } from '#folder';
import { COPIES_TOPIC, OWNERS_TOPIC } from '#log';
import {
  Arrivals,
  compileView,
  Copies,
  openSettled,
  type CompiledView,
  type Generations,
  type Settled,
} from '#projection';
import { REFUSALS_KEPT_MS, REFUSALS_TOPIC } from '#publishing';
import { Reading } from '#reading';
import { openMeta, openRegistry, type MetaTable, type Registry } from '#registry';
import type { HubSettings } from '#settings';
import { Metrics, openLogger, type Logger } from '#telemetry';
import { openUnits, type UnitRegistry } from '#units';
import { readContracts, readUnits, readViews } from './contracts.js';
import { openEngine, type Engine } from './engine.js';
import { generationsOf } from './generations.js';

/** What every hub process has: the engine, the control tables, the contracts. Roles are opened on top of it. */
export interface Core {
  readonly settings: HubSettings;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly engine: Engine;
  readonly meta: MetaTable;
  readonly registry: Registry;
  readonly units: UnitRegistry;
  readonly access: Access;
  readonly adminKey: AdminKey;
  readonly pseudonymKey: Buffer;
  readonly views: readonly CompiledView[];
  readonly generations: Generations;
  readonly copies: Copies;
  readonly settled: Settled;
  /** Reads streams: by this path only, so that every reader stays below the settled end and sees no copies. */
  readonly reading: Reading;
  /** Where a projector of this process says how far it has folded, and readers of this process wait. */
  readonly arrivals: Arrivals;
  /** Closes tables, then log and store. Call it last: requests and folds in flight need them. */
  close(): Promise<void>;
}

const DAY_MS = 86_400_000;

/** The day by UTC, computed once a day. */
function today(): () => string {
  let day = '';
  let until = 0;
  return () => {
    const now = Date.now();
    if (now >= until) {
      day = new Date(now).toISOString().slice(0, 10);
      until = (Math.floor(now / DAY_MS) + 1) * DAY_MS;
    }
    return day;
  };
}

/**
 * Opens everything in the order it depends on each other, registers and seeds only what is lacking. On a failure what was opened is closed again.
 * Faults: data_locked, data_format, invalid_settings, log_unavailable, state_unavailable, pseudonym_key_mismatch.
 */
export async function openCore(settings: HubSettings, role: string): Promise<Core> {
  const logger = openLogger(settings.logLevel, role);
  const opened: (() => void | Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of opened.toReversed()) await end();
  };
  try {
    const folder = openDataFolder(settings.dataDir, settings.engine);
    opened.push(() => folder.release());
    const engine = await openEngine(settings, logger);
    opened.push(() => engine.close());
    const { log, state } = engine;
    await log.ensureTopics([
      { name: OWNERS_TOPIC, partitions: 1, cleanup: 'compact' },
      { name: COPIES_TOPIC, partitions: 1, cleanup: 'compact' },
      { name: REFUSALS_TOPIC, partitions: 1, cleanup: 'keep', retentionMs: REFUSALS_KEPT_MS },
    ]);
    const meta = await openMeta({ log });
    opened.push(() => meta.close());
    const registry = await openRegistry({ log, meta, defaultPartitions: settings.partitions });
    opened.push(() => registry.close());
    await registry.registerMissing(readContracts());
    const units = await openUnits({ log, today: today() });
    opened.push(() => units.close());
    const seed = readUnits();
    await units.seed(seed);
    const access = await openAccess({
      log,
      units: units.units,
      parties: new Set(seed.externalParties.map((p) => p.code)),
      now: Date.now,
    });
    opened.push(() => access.close());
    const adminKey = await access.ensureAdmin(settings.dataDir);
    const pseudonymKey = await loadPseudonymKey({ file: settings.pseudonymKeyFile, dir: settings.dataDir, meta });
    const views = readViews().map((v) => compileView(v, registry.catalogue));
    const copies = new Copies(log);
    await copies.catchUp();
    copies.follow();
    opened.push(() => copies.close());
    const settled = await openSettled({ log, state, copies, streams: registry.catalogue.streams() });
    opened.push(() => settled.close());
    const { catalogue } = registry;
    const reading = new Reading({ log, settled, catalogue, units: units.units, now: Date.now });
    return {
      settings,
      logger,
      metrics: new Metrics(role),
      engine,
      meta,
      registry,
      units,
      access,
      adminKey,
      pseudonymKey,
      views,
      generations: generationsOf(meta),
      copies,
      settled,
      reading,
      arrivals: new Arrivals(state),
      close,
    };
  } catch (e) {
    await close();
    throw e;
  }
}
