import { auditView, hubPublishing, type Core } from '#core';
import { innermostMessage, isFault } from '#faults';
import { openProjector, type FoldBatch, type FoldOutcome, type OpenProjector } from '#projection';
import { startUnitFold, UNITS_STREAM } from '#units';
import { idConflictTeller } from './id-conflicts.js';
import { lagAtScrape } from './lag.js';
import { readUnitChanges } from './unit-changes.js';

export interface ProjectorRole {
  readonly projector: OpenProjector;
  fold(work: FoldBatch, signal: AbortSignal): Promise<FoldOutcome>;
  close(): Promise<void>;
}

/** Opens the role projector: folds streams into views, and unit changes into the registry of units. Reading begins with `projector.source.run` or `join`. */
export async function openProjectorRole(core: Core): Promise<ProjectorRole> {
  const { engine, registry, metrics, logger, units } = core;
  const alarm = (code: string, facts: object): void => {
    metrics.alarms.inc({ code });
    logger.error({ code, ...facts }, 'look at this');
  };
  const tell = idConflictTeller({
    publishing: hubPublishing(core),
    onRefused: (cause) => logger.error({ cause }, 'an id conflict is not published'),
  });
  const projector = await openProjector({
    log: engine.log,
    state: engine.state,
    catalogue: registry.catalogue,
    views: core.views,
    generations: core.generations,
    copies: core.copies,
    now: Date.now,
    refresh: () => registry.refresh(),
    watch: {
      folded: (view, storage, part, next, events) => {
        metrics.projected.inc({ view }, events);
        core.arrivals.arrived(storage, part, next);
      },
      copies: (_stream, _partition, count) => metrics.copies.inc(count),
      bad: ({ code, stream, partition, offset }) => alarm(code, { position: `${stream}/${partition}/${offset}` }),
      trouble: (view, { stream, partition }, thrown) => {
        const facts = { view, stream, partition, cause: innermostMessage(thrown) };
        if (isFault(thrown)) logger.warn({ ...facts, code: thrown.code }, 'a view does not catch up, tried again');
        else alarm('view_broken', facts);
      },
      outOfRange: (at, low, high) =>
        alarm('offset_out_of_range', {
          topic: at.topic,
          partition: at.partition,
          low: String(low),
          high: String(high),
        }),
    },
    onConflicts: async (found) => {
      await tell(found);
      for (const { position, firstPosition } of found) alarm('id_conflict', { position, first: firstPosition });
    },
    audit: auditView(core),
    onTrouble: (cause) => logger.warn({ cause: cause instanceof Error ? cause.message : String(cause) }, 'tried again'),
  });
  const stop = registry.onRegistered((type) => {
    void projector.subscribe(registry.catalogue.streams().map((s) => s.name)).catch((e: unknown) => {
      logger.warn(
        { stream: type.stream, cause: e instanceof Error ? e.message : String(e) },
        'stream not followed yet',
      );
    });
  });
  const unitFold = startUnitFold({
    registry: units,
    onError: (e) => logger.warn({ cause: e instanceof Error ? e.message : String(e) }, 'units not folded, tried again'),
    onSkipped: ({ offset, problems }) =>
      alarm('unit_mismatch', { position: `${UNITS_STREAM}/0/${offset}`, errors: problems }),
    read: (from, limits) => readUnitChanges(core, from, limits),
  });
  metrics.beforeScrape(lagAtScrape(core, projector));
  return {
    projector,
    fold: (work, signal) => projector.fold(work, signal),
    async close() {
      stop();
      await unitFold.stop();
      await projector.close();
    },
  };
}
