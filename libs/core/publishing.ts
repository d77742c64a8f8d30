import { mayPublish, mayState } from '#access';
import { OnceAMinute } from '#faults';
import { Appender } from '#log';
import { foldedFields, publishBounds } from '#projection';
import { Publishing, type PublishingDeps, type PublishingReport } from '#publishing';
import type { Core } from './core.js';

/** The publish path of this process. Without `refusals` (a process without a gateway) refused events are not counted. */
export function hubPublishing(
  core: Core,
  more: Partial<Pick<PublishingDeps, 'appends' | 'refusals' | 'report'>> = {},
): Publishing {
  const { log, state, registry, settled, units, pseudonymKey, now } = core;
  return new Publishing({
    budgets: core.limits,
    log,
    state,
    settled,
    catalogue: registry.catalogue,
    refresh: () => registry.refresh(),
    units: units.units,
    mayPublish,
    mayState,
    bounds: publishBounds(core.views),
    folded: foldedFields(core.views, registry.catalogue),
    pseudonymKey,
    now,
    appends: more.appends ?? new Appender(log),
    refusals: { count: () => undefined },
    ...more,
    report: { ...more.report, unwritable: unwritableAlarm(core) },
  });
}

/** One line and one alarm a minute for each partition that takes no events until an operator acts: publishers send them again and again. */
function unwritableAlarm({ logger, metrics, now }: Core): NonNullable<PublishingReport['unwritable']> {
  const once = new OnceAMinute(now);
  return (code, stream, partition) => {
    if (!once.first(`${code} ${stream}/${partition}`)) return;
    metrics.alarms.inc({ code });
    logger.error({ code, stream, partition }, 'events cannot be written until an operator acts');
  };
}
