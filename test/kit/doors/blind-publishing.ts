import { mayPublish, mayState } from '#access';
import { Appender, type EventLog } from '#log';
import { Publishing, type PublishingDeps } from '#publishing';

export interface BlindPublishingParts extends Pick<
  PublishingDeps,
  'settled' | 'catalogue' | 'units' | 'pseudonymKey' | 'refusals'
> {
  readonly log: EventLog;
}

/** The publish path of another gateway: it knows no append of this process that is in flight, and its duplicate index does not answer. */
export function blindPublishing({
  log,
  settled,
  catalogue,
  units,
  pseudonymKey,
  refusals,
}: BlindPublishingParts): Publishing {
  return new Publishing({
    log,
    appends: new Appender(log),
    state: { findFirst: () => new Promise(() => undefined) },
    settled,
    catalogue,
    units,
    mayPublish,
    mayState,
    pseudonymKey,
    refusals,
    now: Date.now,
    limits: { indexMs: 1 },
  });
}
