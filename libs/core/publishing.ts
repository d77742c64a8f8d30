import { mayPublish } from '#access';
import { Appender } from '#log';
import { Publishing, type PublishingDeps } from '#publishing';
import type { Core } from './core.js';

/** The way of every event to the log. Without more: of a process that has no door, so that nobody's refusals are counted. */
export function hubPublishing(
  { engine, registry, settled, units, pseudonymKey }: Core,
  more: Partial<Pick<PublishingDeps, 'appends' | 'refusals' | 'meter'>> = {},
): Publishing {
  return new Publishing({
    log: engine.log,
    state: engine.state,
    settled,
    catalogue: registry.catalogue,
    units: units.units,
    mayPublish,
    pseudonymKey,
    now: Date.now,
    appends: more.appends ?? new Appender(engine.log),
    refusals: { count: () => undefined },
    ...more,
  });
}
