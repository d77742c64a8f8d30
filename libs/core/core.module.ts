import { OnceAMinute } from '#faults';
import { EDGE, HEALTH_DOOR, HealthController, type Door, type EdgeParts } from '#http';
import type { EventLog } from '#log';
import { Arrivals, Ends } from '#projection';
import { Reading, type ReadingReport } from '#reading';
import { LIMIT_NAMES, Limits } from '#limits';
import { readHubSettings, type HubSettings } from '#settings';
import type { State } from '#state';
import { Metrics, openLogger, type Logger } from '#telemetry';
import { Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { Core } from './core.js';
import { clockOf } from './clock.js';
import { Concerns } from './concerns.js';
import { OpenNames } from './open-names.js';
import { openEngine, type Engine } from './engine.js';
import { coreHealth } from './health.js';
import { ProcessEnd } from './process-end.js';
import { tableReport } from './table-report.js';
import { Readiness } from './readiness.js';
import { undeclaredReport } from './undeclared.js';
import { openTables, type Tables } from './tables.js';
import { ViewReports } from './view-health.js';
import { CLOCK, CORE, ENGINE, EVENT_LOG, HOT_DOORS, LOGGER, SETTINGS, STATE, TABLES } from './tokens.js';

export interface CoreOptions {
  /** Name of the process in log lines and metrics. */
  readonly name: string;
  /** @default read from the environment */
  readonly settings?: HubSettings;
}

/**
 * What every hub process has. It is global: role modules inject CORE without importing it. Nest opens a global module first and closes it last, so a
 * role can use the log and the store until its own `onApplicationShutdown` is done.
 */
@Module({})
export class CoreModule implements OnApplicationShutdown {
  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    @Inject(TABLES) private readonly tables: Tables,
    @Inject(Reading) private readonly reading: Reading,
  ) {}

  static forRoot({ name, settings }: CoreOptions): DynamicModule {
    return {
      module: CoreModule,
      global: true,
      controllers: [HealthController],
      providers: [
        { provide: SETTINGS, useFactory: () => settings ?? readHubSettings() },
        { provide: LOGGER, inject: [SETTINGS], useFactory: (s: HubSettings) => openLogger(s.logLevel, name) },
        { provide: Metrics, useFactory: () => new Metrics(name) },
        { provide: CLOCK, inject: [LOGGER, Concerns], useFactory: clockOf },
        { provide: Limits, inject: [SETTINGS, Metrics], useFactory: limitsOf },
        { provide: Concerns, useFactory: () => new Concerns() },
        { provide: ENGINE, inject: [SETTINGS, LOGGER, Metrics, Concerns, CLOCK], useFactory: openEngine },
        { provide: EVENT_LOG, inject: [ENGINE], useFactory: ({ log }: Engine) => log },
        { provide: STATE, inject: [ENGINE], useFactory: ({ state }: Engine) => state },
        {
          provide: TABLES,
          inject: [SETTINGS, ENGINE, EVENT_LOG, STATE, CLOCK, LOGGER, Metrics, Concerns],
          useFactory: async (
            s: HubSettings,
            engine: Engine,
            log: EventLog,
            state: State,
            now: () => number,
            logger: Logger,
            metrics: Metrics,
            concerns: Concerns,
          ) => {
            try {
              const report = tableReport(logger, metrics, concerns);
              const undeclared = undeclaredReport(logger, concerns);
              return await openTables({ settings: s, log, state, now, report, undeclared });
            } catch (e) {
              // Nest calls no shutdown hook of a container that it could not build.
              await engine.close();
              throw e;
            }
          },
        },
        {
          provide: Reading,
          inject: [EVENT_LOG, TABLES, CLOCK, Metrics, LOGGER],
          useFactory: readingOf,
        },
        { provide: Arrivals, inject: [STATE], useFactory: (state: State) => new Arrivals(state) },
        {
          provide: Ends,
          inject: [EVENT_LOG, STATE, CLOCK],
          useFactory: (log: EventLog, state: State, now: () => number) => new Ends({ log, state, now }),
        },
        { provide: ProcessEnd, inject: [LOGGER], useFactory: (logger: Logger) => new ProcessEnd(logger) },
        { provide: ViewReports, useFactory: () => new ViewReports() },
        {
          provide: CORE,
          inject: [
            SETTINGS,
            LOGGER,
            Metrics,
            CLOCK,
            EVENT_LOG,
            STATE,
            TABLES,
            Reading,
            Arrivals,
            Ends,
            ProcessEnd,
            ViewReports,
            Concerns,
            Limits,
          ],
          useFactory: (
            s: HubSettings,
            logger: Logger,
            metrics: Metrics,
            now: () => number,
            log: EventLog,
            state: State,
            { close: _close, ...tables }: Tables,
            reading: Reading,
            arrivals: Arrivals,
            ends: Ends,
            processEnd: ProcessEnd,
            viewReports: ViewReports,
            concerns: Concerns,
            limits: Limits,
          ): Core => ({
            settings: s,
            logger,
            metrics,
            now,
            log,
            state,
            ...tables,
            reading,
            arrivals,
            ends,
            processEnd,
            readiness: new Readiness(),
            viewReports,
            concerns,
            limits,
            openNames: new OpenNames(tables.registry.catalogue, tables.views),
          }),
        },
        { provide: HEALTH_DOOR, inject: [CORE], useFactory: coreHealth },
        { provide: HOT_DOORS, useValue: [] },
        { provide: EDGE, inject: [CORE, ModuleRef], useFactory: edgeOf },
      ],
      exports: [CORE, EDGE, SETTINGS, LOGGER, Metrics, CLOCK, EVENT_LOG, STATE, Reading, Arrivals, Ends, ProcessEnd],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    this.reading.close();
    try {
      await this.tables.close();
    } finally {
      await this.engine.close();
    }
  }
}

/** A damaged record is an alarm and a line once a minute: readers come past it again and again (R15.7). */
function damagedAlarm(logger: Logger, metrics: Metrics, now: () => number): NonNullable<ReadingReport['damaged']> {
  const once = new OnceAMinute(now);
  return (stream, partition, offset) => {
    const code = 'corrupt_record';
    const position = `${stream}/${partition}/${offset}`;
    if (!once.first(position)) return;
    metrics.alarms.inc({ code });
    logger.error({ code, position }, 'a reader came past a damaged record');
  };
}

function readingOf(log: EventLog, tables: Tables, now: () => number, metrics: Metrics, logger: Logger): Reading {
  const { settled, registry, units } = tables;
  const report = { behind: () => metrics.tailBehind.inc(), damaged: damagedAlarm(logger, metrics, now) };
  const { catalogue } = registry;
  const refresh = (): Promise<void> => registry.refresh();
  const reading = new Reading({ log, settled, catalogue, refresh, units: units.units, now, report });
  metrics.beforeScrape(() => {
    const { readers, ringBytes } = reading.tailUse;
    metrics.tailReaders.set(readers);
    metrics.tailBytes.set(ringBytes);
  });
  return reading;
}

function limitsOf({ limits: values }: HubSettings, metrics: Metrics): Limits {
  const limits = new Limits({ values, refused: (limit) => metrics.limitReached.inc({ limit }) });
  for (const limit of LIMIT_NAMES) metrics.limit.set({ limit }, values[limit]);
  metrics.beforeScrape(() => {
    for (const [limit, used] of limits.use()) metrics.limitUsed.set({ limit }, used);
  });
  return limits;
}

/** The HTTP edge of the process: keys are checked by the table of keys, and the hot routes of all modules are mounted. */
function edgeOf({ access, logger, metrics, now, limits, openNames }: Core, modules: ModuleRef): EdgeParts {
  return {
    authenticate: (header) => access.authenticate(header),
    isExpired: (header) => access.isExpired(header),
    // Read by openHttp once every provider exists.
    get doors() {
      return modules.get<readonly Door[]>(HOT_DOORS, { strict: false, each: true }).flat();
    },
    log: logger,
    now,
    budgets: limits,
    report: {
      refused: (code) => metrics.httpRefused.inc({ code }),
      live: (open) => metrics.liveReaders.set(open),
      used: (caller, door) =>
        access.noteUse(caller, () => {
          const { route, about } = door();
          return about === undefined ? route : `${route} ${openNames.either(about)}`;
        }),
    },
  };
}
