import { hubPublishing, type Core } from '#core';
import type { Door } from '#http';
import { Appender } from '#log';
import { StateReader } from '#projection';
import { openRefusals } from '#publishing';
import type { DynamicModule } from '@nestjs/common';
import { Announcer } from './announcer.js';
import { GatewayDoors, hotDoors, type DoorParts } from './doors.js';

export interface GatewayRole {
  readonly doors: readonly Door[];
  /** The controllers of all other doors. */
  readonly module: DynamicModule;
  close(): Promise<void>;
}

/** Opens the role gateway: publishing (also what the hub itself publishes of its catalogue), reading and every door. */
export async function openGatewayRole(core: Core): Promise<GatewayRole> {
  const { engine, registry, metrics, units } = core;
  const appender = new Appender(engine.log);
  const refusals = await openRefusals({ log: engine.log, now: Date.now, catalogue: registry.catalogue });
  const publishing = hubPublishing(core, {
    appends: appender,
    refusals,
    meter: (outcome, count, ms) => {
      if (outcome === 'accepted' || outcome === 'duplicate') metrics.published.inc({ outcome }, count);
      else metrics.refused.inc({ code: outcome }, count);
      metrics.publishSeconds.observe(ms / 1000);
    },
  });
  const announcer = new Announcer({
    reading: core.reading,
    registry,
    publishing,
    onTrouble: (cause) => core.logger.warn({ cause }, 'registered versions are not told yet'),
  });
  const reader = new StateReader({
    log: engine.log,
    state: engine.state,
    views: core.views,
    generations: core.generations,
    catalogue: registry.catalogue,
    units: units.units,
    arrivals: core.arrivals,
    now: Date.now,
  });
  metrics.beforeScrape(() => {
    const { records, bytes } = appender.waiting;
    metrics.queued.set({ what: 'records' }, records);
    metrics.queued.set({ what: 'bytes' }, bytes);
  });
  const parts: DoorParts = { core, publishing, refusals, reader };
  return {
    doors: hotDoors(parts),
    module: GatewayDoors.of(parts),
    async close() {
      await announcer.close();
      reader.close();
      await refusals.close();
    },
  };
}
