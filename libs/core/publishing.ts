import { mayPublish } from '#access';
import { Appender } from '#log';
import { Publishing, type PublishingDeps } from '#publishing';
import type { Core } from './core.js';

/** The publish path of this process. Without `refusals` (a process without a gateway) refused events are not counted. */
export function hubPublishing(
  { log, state, registry, settled, units, pseudonymKey, now }: Core,
  more: Partial<Pick<PublishingDeps, 'appends' | 'refusals' | 'report'>> = {},
): Publishing {
  return new Publishing({
    log,
    state,
    settled,
    catalogue: registry.catalogue,
    units: units.units,
    mayPublish,
    pseudonymKey,
    now,
    appends: more.appends ?? new Appender(log),
    refusals: { count: () => undefined },
    ...more,
  });
}
