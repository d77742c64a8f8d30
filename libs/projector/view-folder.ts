import { auditView, CORE, hubPublishing, type Core } from '#core';
import { SETTLED_TOPIC } from '#duplicates';
import { innermostMessage, isFault, OnceAMinute } from '#faults';
import { ConflictReader, openProjector, storageOf, type OpenProjector, type ProjectionReport } from '#projection';
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { Alarms } from './alarms.js';
import { idConflictPublisher } from './id-conflicts.js';
import { lagAtScrape } from './lag.js';
import { SnapshotWatch } from './snapshot-watch.js';
import { ViewConflicts } from './view-conflicts.js';
import { snapshotsAtScrape } from './snapshots.js';

const WATCH_MS = 60_000;

/** Folds the streams into views as a member of the projector's group, also streams that are registered while it runs. */
@Injectable()
export class ViewFolder implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  #projector: OpenProjector | undefined;
  #conflicts: ViewConflicts | undefined;
  #unlisten: () => void = () => undefined;
  #assigned: () => void = () => undefined;
  #watching: NodeJS.Timeout | undefined;
  /** Since the last line about them. */
  #untold = 0;
  /** A view that refuses events is one line a minute. */
  readonly #once: OnceAMinute;

  constructor(
    @Inject(CORE) private readonly core: Core,
    private readonly alarms: Alarms,
  ) {
    this.#once = new OnceAMinute(core.now);
  }

  async onModuleInit(): Promise<void> {
    const { core } = this;
    const { log, state, registry, views, generations, copies, now, metrics, logger } = core;
    const publishConflicts = idConflictPublisher({
      publishing: hubPublishing(core),
      catalogue: registry.catalogue,
      report: {
        refused: ({ code, message }) => logger.error({ code, cause: message }, 'id conflict refused, not published'),
      },
    });
    this.#conflicts = new ViewConflicts({
      publishing: hubPublishing(core),
      catalogue: registry.catalogue,
      now,
      report: {
        refused: ({ code, message }) => logger.error({ code, cause: message }, 'view conflict refused, not published'),
        failed: (cause) => logger.warn({ cause }, 'view conflict not published, retried'),
        dropped: (events) => {
          metrics.viewConflictsUntold.inc(events);
          this.#untold += events;
          if (!this.#once.first('untold conflicts')) return;
          logger.warn({ events: this.#untold }, 'view conflicts not published, too many wait');
          this.#untold = 0;
        },
      },
    });
    const projector = await openProjector({
      log,
      state,
      catalogue: registry.catalogue,
      views,
      generations,
      copies,
      now,
      refresh: () => registry.refresh(),
      report: this.#report(),
      publishConflicts: async (found) => {
        await publishConflicts(found);
        for (const { position, firstPosition } of found)
          this.alarms.raise('id_conflict', { position, first: firstPosition });
      },
      audit: auditView(core),
      snapshots: core.settings.snapshots,
    });
    this.#projector = projector;
    this.#assigned = this.core.readiness.expect('projector');
    metrics.beforeScrape(lagAtScrape(core, projector));
    metrics.beforeScrape(() => snapshotsAtScrape(core, projector));
    core.viewReports.from(() => projector.snapshots());
    this.#watch(projector);
    this.#unlisten = registry.onRegistered(({ stream }) => {
      void projector.subscribe(registry.catalogue.streams().map((s) => s.name)).catch((e: unknown) => {
        logger.warn({ stream, cause: innermostMessage(e) }, 'subscribe to new stream failed');
      });
    });
  }

  /** Not awaited: joining a Kafka group takes seconds, and `/health/ready` says `starting` until the first assignment, and until the index has caught up. */
  onApplicationBootstrap(): void {
    const joined = this.#projector?.join().then(() => {
      this.#assigned();
      this.#tellAgain();
    });
    joined?.catch((cause: unknown) => this.core.processEnd.fail('projector', cause));
  }

  async onApplicationShutdown(): Promise<void> {
    this.#unlisten();
    clearInterval(this.#watching);
    await this.#projector?.close();
    await this.#conflicts?.close();
  }

  /** What an earlier process did not publish before it ended: each is a duplicate otherwise. */
  #tellAgain(): void {
    const { state, views, generations, registry, units, logger } = this.core;
    const reader = new ConflictReader({
      state,
      views,
      storage: ({ name }) => {
        const row = generations.row(name);
        return row && storageOf(name, row.serving);
      },
      catalogue: registry.catalogue,
      units: units.units,
    });
    const tell = async (): Promise<void> => {
      for (const view of views) this.#conflicts?.offer(view, await reader.all(view));
    };
    tell().catch((e: unknown) => logger.warn({ cause: innermostMessage(e) }, 'conflicts of views not read at start'));
  }

  #watch(projector: OpenProjector): void {
    const { core } = this;
    const watch = new SnapshotWatch({
      ...core,
      catalogue: core.registry.catalogue,
      snapshots: () => projector.snapshots(),
      alarm: (facts) => this.alarms.raise('snapshot_incomplete', facts),
    });
    this.#watching = setInterval(() => {
      watch
        .look()
        .catch((e: unknown) => core.logger.warn({ cause: innermostMessage(e) }, 'snapshots not looked at, retried'));
    }, WATCH_MS).unref();
  }

  #report(): ProjectionReport {
    const { metrics, arrivals, logger, openNames } = this.core;
    return {
      folded: (view, storage, part, next, events) => {
        metrics.projected.inc(openNames.labels({ view }), events);
        arrivals.arrived(storage, part, next);
      },
      refused: (view, events) => {
        for (const { reason } of events) metrics.viewConflicts.inc(openNames.labels({ view: view.name, reason }));
        const { position, reason } = events[0]!;
        if (this.#once.first(view.name))
          logger.warn({ view: view.name, position, reason, events: events.length }, 'view refused events');
        this.#conflicts?.offer(view, events);
      },
      copies: (_stream, _partition, count) => metrics.copies.inc(count),
      badRecord: ({ code, stream, partition, offset }) =>
        this.alarms.raise(code, { position: `${stream}/${partition}/${offset}` }),
      catchUpFailed: (view, { stream, partition }, thrown) => {
        const facts = { view, stream, partition, cause: innermostMessage(thrown) };
        if (isFault(thrown) && thrown.code === 'view_history_missing') this.alarms.raise(thrown.code, facts);
        else if (isFault(thrown)) logger.warn({ ...facts, code: thrown.code }, 'view does not catch up, retried');
        else this.alarms.raise('view_broken', facts);
      },
      interrupted: ({ topic, partition }, why) =>
        this.alarms.raise('offset_out_of_range', {
          topic,
          partition,
          kind: why.kind,
          ...(why.kind === 'out_of_range' ? { low: String(why.low), high: String(why.high) } : {}),
        }),
      relisting: ({ stream, partition, from, next }) => {
        const place = { stream, partition, from: String(from), next: String(next) };
        this.alarms.raise('log_mismatch', { table: SETTLED_TOPIC, ...place });
        this.core.concerns.note({
          subject: `${stream}/${partition}`,
          setting: 'copies',
          actual: `the list of copies was lost: those of ${from} to ${next} were looked for again`,
          needed: 'copies of events that are older than 8 days are not found again: readers see them as events',
        });
      },
      refolding: ({ storage, stream, partition, next, low, high }) =>
        this.alarms.together(
          'log_mismatch',
          { storage },
          { position: `${stream}/${partition}/${next}`, low: String(low), high: String(high) },
        ),
      epochsRaised: ({ partition, stored, epoch }) =>
        this.alarms.together(
          'owners_mismatch',
          { cause: '_simpul.owners was made again, or is older than the state' },
          { partition, stored: String(stored), epoch: String(epoch) },
        ),
      epochUnbelievable: ({ partition, stored, epoch }) =>
        this.alarms.together(
          'owners_mismatch',
          {
            cause: 'a stored epoch was never claimed: a row of the state or of a snapshot is damaged',
            needed:
              'stop the hub, delete the state (state.sqlite, or the keys of the hub in Redis), start: it is folded again',
          },
          { partition, stored: String(stored), epoch: String(epoch) },
        ),
      disputed: (partition, times) => this.alarms.raise('ownership_disputed', { partition, times }),
      filledFromSnapshot: (view, storage, partition, outcome, entries) => {
        const facts = { view, storage, partition, outcome, entries };
        if (outcome === 'filled') logger.info(facts, 'view filled from snapshot');
        else logger.warn(facts, 'snapshot not used, view folded from the log');
        if (outcome === 'filled') metrics.snapshotFilled.inc(openNames.labels({ view }), entries);
      },
      snapshotFailed: (view, storage, partition, cause) =>
        logger.warn({ view, storage, partition, cause: innermostMessage(cause) }, 'snapshot not written, retried'),
      failed: (cause) => logger.warn({ cause: innermostMessage(cause) }, 'projector step failed, retried'),
    };
  }
}
