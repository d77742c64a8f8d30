import { audited, recordUse, type Caller } from '#access';
import { auditView, CORE, EVENT_LOG, HOT_DOORS, hubPublishing, type Core } from '#core';
import { DeadLetterBoxes } from '#dead-letters';
import { Fault } from '#faults';
import {
  Guesses,
  CONFLICTS_DOOR,
  ConflictsController,
  DEAD_LETTERS_DOOR,
  DeadLettersController,
  rolesBeyond,
  type DeadLettersDoorDeps,
  KEYS_DOOR,
  KeysController,
  publishDoor,
  readDoor,
  READERS,
  RECEIPTS_DOOR,
  ReceiptsController,
  REFUSALS_DOOR,
  RefusalsController,
  stateDoor,
  TYPES_DOOR,
  STREAMS_DOOR,
  StreamsController,
  type StreamsDoorDeps,
  TypesController,
  UNITS_DOOR,
  UnitsController,
  VIEWS_DOOR,
  ViewsController,
  type ConflictsDoorDeps,
  type Door,
  type KeysDoorDeps,
  type ReadersDeps,
  type ReceiptsDoorDeps,
  type RefusalsDoorDeps,
  type TypesDoorDeps,
  type UnitsDoorDeps,
  type ViewsDoorDeps,
} from '#http';
import { Appender, type EventLog } from '#log';
import { ConflictReader, needSnapshots, requestRebuild, StateReader } from '#projection';
import { SubscriptionDoorsModule } from '#subscription-doors';
import { openResends, PUBLISH_LIMITS, Publishing, Refusals, type Resends } from '#publishing';
import {
  Inject,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { acceptConflict } from './accept-conflict.js';
import { Announcer } from './announcer.js';

/** A factory only constructs: the counts are opened with the module. */
class ResendCount {
  counts: Resends | undefined;
}

/** The role gateway: every door, the publish path, the reading of views, and the hub's own events about its catalogue. */
@Module({
  imports: [SubscriptionDoorsModule],
  controllers: [
    ReceiptsController,
    RefusalsController,
    ConflictsController,
    DeadLettersController,
    ViewsController,
    StreamsController,
    UnitsController,
    TypesController,
    KeysController,
  ],
  providers: [
    { provide: Appender, inject: [EVENT_LOG], useFactory: (log: EventLog) => new Appender(log) },
    {
      provide: Refusals,
      inject: [CORE],
      useFactory: ({ log, now, registry, tableReport }: Core) =>
        new Refusals({ log, now, catalogue: registry.catalogue, report: tableReport }),
    },
    { provide: ResendCount, useFactory: () => new ResendCount() },
    { provide: Publishing, inject: [CORE, Appender, Refusals, ResendCount], useFactory: publishingOf },
    {
      provide: Announcer,
      inject: [CORE, Publishing],
      useFactory: ({ reading, registry, logger }: Core, publishing: Publishing) =>
        new Announcer({
          reading,
          registry,
          publishing,
          report: { failed: (cause) => logger.warn({ cause }, 'announcement of registered versions failed') },
        }),
    },
    {
      provide: StateReader,
      inject: [CORE],
      useFactory: ({ log, state, views, generations, registry, units, arrivals, ends, now }: Core) =>
        new StateReader({
          log,
          state,
          views,
          generations,
          catalogue: registry.catalogue,
          units: units.units,
          arrivals,
          ends,
          now,
        }),
    },
    { provide: Guesses, inject: [CORE], useFactory: guessesOf },
    { provide: HOT_DOORS, inject: [CORE, Publishing, StateReader, Guesses], useFactory: hotDoors },
    {
      provide: RECEIPTS_DOOR,
      inject: [CORE, Publishing, Guesses, READERS],
      useFactory: (
        { reading, limits }: Core,
        publishing: Publishing,
        guesses: Guesses,
        readers: ReadersDeps,
      ): ReceiptsDoorDeps => ({ limits, publishing, reading, guesses, readers }),
    },
    {
      provide: REFUSALS_DOOR,
      inject: [CORE, Refusals],
      useFactory: ({ units, registry, limits }: Core, refusals: Refusals): RefusalsDoorDeps => ({
        refusals,
        limits,
        units: units.units,
        catalogue: registry.catalogue,
      }),
    },
    {
      provide: DeadLetterBoxes,
      inject: [CORE],
      useFactory: ({ log, now, tableReport }: Core) => new DeadLetterBoxes({ log, now, report: tableReport }),
    },
    { provide: DEAD_LETTERS_DOOR, inject: [CORE, DeadLetterBoxes, Guesses], useFactory: deadLettersDoor },
    { provide: CONFLICTS_DOOR, inject: [CORE, StateReader, Publishing], useFactory: conflictsDoor },
    { provide: VIEWS_DOOR, inject: [CORE, StateReader], useFactory: viewsDoor },
    { provide: STREAMS_DOOR, inject: [CORE], useFactory: streamsDoor },
    {
      provide: UNITS_DOOR,
      inject: [CORE],
      useFactory: ({ units, limits }: Core): UnitsDoorDeps => ({ limits, units: units.units }),
    },
    {
      provide: TYPES_DOOR,
      inject: [CORE],
      useFactory: ({ registry, units, limits }: Core): TypesDoorDeps => ({
        limits,
        catalogue: registry.catalogue,
        units: units.units,
      }),
    },
    {
      provide: KEYS_DOOR,
      inject: [CORE],
      useFactory: ({ access, units, log, limits, openNames }: Core): KeysDoorDeps => ({
        access,
        limits,
        units: units.units,
        log,
        openTexts: () => openNames.inTexts(),
      }),
    },
  ],
})
export class GatewayModule implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    @Inject(CORE) private readonly core: Core,
    private readonly appender: Appender,
    private readonly refusals: Refusals,
    private readonly announcer: Announcer,
    private readonly reader: StateReader,
    private readonly letters: DeadLetterBoxes,
    private readonly resends: ResendCount,
  ) {}

  async onModuleInit(): Promise<void> {
    const { metrics } = this.core;
    metrics.beforeScrape(() => {
      const { records, bytes } = this.appender.waiting;
      metrics.queued.set({ what: 'records' }, records);
      metrics.queued.set({ what: 'bytes' }, bytes);
    });
    await this.refusals.open();
    const { log, now, tableReport } = this.core;
    this.resends.counts = await openResends({ log, now, report: tableReport });
  }

  onApplicationBootstrap(): void {
    this.announcer.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.announcer.close();
    this.reader.close();
    await this.letters.close();
    await this.refusals.close();
    await this.resends.counts?.close();
  }
}

function publishingOf(core: Core, appends: Appender, refusals: Refusals, resends: ResendCount): Publishing {
  const { metrics } = core;
  return hubPublishing(core, {
    appends,
    refusals,
    report: {
      repeated: (source, stream) => resends.counts?.count(source, stream),
      outcome: (name, count, ms) => {
        if (name === 'accepted' || name === 'duplicate' || name === 'test')
          metrics.published.inc({ outcome: name }, count);
        else metrics.refused.inc({ code: name }, count);
        metrics.publishSeconds.observe(ms / 1000);
      },
    },
  });
}

/** Look-ups by clear subject are on record with key and view, so that a steward sees who tries values. */
function guessesOf({ log, now, limits }: Core): Guesses {
  return new Guesses({
    limits,
    record: (who, view) => recordUse({ log, now }, { who, what: 'state.lookup', target: view }),
  });
}

function hotDoors(core: Core, publishing: Publishing, reader: StateReader, guesses: Guesses): readonly Door[] {
  const { reading, registry, pseudonymKey } = core;
  const { catalogue } = registry;
  return [
    publishDoor({ publishing }),
    readDoor({ reading, units: core.units.units, guesses }),
    stateDoor({
      reader,
      catalogue,
      units: core.units.units,
      pseudonymKey,
      subjectBytes: PUBLISH_LIMITS.subjectBytes,
      guesses,
    }),
  ];
}

function streamsDoor({ registry, log, views, generations, now }: Core): StreamsDoorDeps {
  const { catalogue } = registry;
  return {
    catalogue,
    setRetention: (stream, retentionMs, by, why) => {
      const before = { retentionMs: catalogue.stream(stream)?.retentionMs ?? null };
      const after = { retentionMs: retentionMs ?? null };
      return audited(
        { log, now },
        { who: by, what: 'stream.retention', target: stream, why, before, after },
        async () => {
          // Asked inside, so that a refusal is on record too.
          const folding =
            retentionMs === undefined ? undefined : await needSnapshots({ log, views, generations }, stream);
          await registry.setRetention(stream, retentionMs);
          return folding;
        },
      );
    },
  };
}

function deadLettersDoor(
  { reading, limits, now }: Core,
  letters: DeadLetterBoxes,
  guesses: Guesses,
): DeadLettersDoorDeps {
  return {
    letters,
    guesses,
    limits,
    now,
    typeAt: async (caller, { stream: name, partition, offset }, work) => {
      const { stream } = reading.stream(caller, name);
      const event = await reading.readOne(caller, stream, partition, offset, { work });
      if (event === undefined) throw new Fault('not_found');
      const { type, level } = event;
      const needsRoles =
        rolesBeyond(caller).length > 0 &&
        level !== (await reading.levelAt(asReader(caller), name, partition, offset, work));
      return { type: type.type, needsRoles };
    },
  };
}

/** What every reader key of its unit is. */
const asReader = (caller: Caller): Caller => ({ ...caller, roles: new Set(['reader']) });

function conflictsDoor(core: Core, reader: StateReader, publishing: Publishing): ConflictsDoorDeps {
  const { state, views, registry, units, limits, log, now, reading } = core;
  const conflicts = new ConflictReader({
    state,
    views,
    storage: (view) => reader.storage(view),
    catalogue: registry.catalogue,
    units: units.units,
  });
  return {
    conflicts,
    limits,
    views: reader.views,
    accept: async (position, by, why) => {
      const deps = { log, now, reading, publishing, conflicts, catalogue: registry.catalogue };
      return (await acceptConflict(deps, position, by, why)).position;
    },
  };
}

function viewsDoor(core: Core, { views }: StateReader): ViewsDoorDeps {
  const { registry, generations } = core;
  return {
    views,
    catalogue: registry.catalogue,
    generations,
    rebuild: (view, by) => requestRebuild({ generations, log: core.log, audit: auditView(core) }, view, by),
  };
}
