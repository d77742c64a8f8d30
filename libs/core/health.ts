import { withDeadline } from '#concurrency';
import { isFault, type FaultCode } from '#faults';
import type { DoorHealth, HealthDoorDeps } from '#http';
import type { Core } from './core.js';

/** Each port must answer within this time, so that a probe of an orchestrator does not time out. */
const PROBE_MS = 1_000;

async function probe(name: DoorHealth['name'], ask: () => Promise<unknown>, code: FaultCode): Promise<DoorHealth> {
  const answered = Promise.resolve()
    .then(ask)
    .then(
      () => undefined,
      (e: unknown) => (isFault(e) ? e.code : code),
    );
  const reason = await withDeadline(answered, PROBE_MS, () => code);
  return reason === undefined ? { name, ok: true } : { name, ok: false, reason };
}

async function healthOf({ log: eventLog, state: store, settled }: Core): Promise<readonly DoorHealth[]> {
  const [log, state] = await Promise.all([
    probe('publish', () => eventLog.ping(), 'log_unavailable'),
    probe('state', () => store.ping(), 'state_unavailable'),
  ]);
  const read: DoorHealth =
    log.ok && !settled.ready ? { name: 'read', ok: false, reason: 'starting' } : { ...log, name: 'read' };
  return [log, read, state];
}

/** What HealthController needs: the health of log and state, and the metrics of the process. */
export function coreHealth(core: Core): HealthDoorDeps {
  return {
    doors: () => healthOf(core),
    // `serving` once the duplicate index has caught up (R2.3); a later backlog shows in the state of each door, not here.
    phase: () => (core.settled.ready ? 'serving' : 'starting'),
    views: () => core.viewReports.views(),
    metrics: async () => ({
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
      text: await core.metrics.text(),
    }),
  };
}
