import { withDeadline } from '#concurrency';
import { isFault, type FaultCode } from '#faults';
import type { DoorHealth, HealthDoorDeps } from '#http';
import { Backlogs, type Backlog } from '#projection';
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

/** What is behind; nothing when the store or the log does not say it in time: then their own probes tell. */
function behind(ask: () => Promise<Backlog | undefined>): Promise<Backlog | undefined> {
  return withDeadline(
    ask().catch(() => undefined),
    PROBE_MS,
    () => undefined,
  );
}

async function healthOf(core: Core, backlogs: Backlogs): Promise<readonly DoorHealth[]> {
  const { log: eventLog, state: store, settled } = core;
  const [log, state, views, index] = await Promise.all([
    probe('publish', () => eventLog.ping(), 'log_unavailable'),
    probe('state', () => store.ping(), 'state_unavailable'),
    behind(() => backlogs.views()),
    behind(() => backlogs.index()),
  ]);
  return [
    log,
    log.ok && (!settled.ready || index !== undefined)
      ? { name: 'read', ok: false, reason: settled.ready ? 'view_rebuilding' : 'starting' }
      : { ...log, name: 'read' },
    // While the log does not answer, nothing newer is known, and what is folded can be read: the process stays ready for it.
    state.ok && log.ok && views !== undefined ? { name: 'state', ok: false, reason: views } : state,
  ];
}

/** What HealthController needs: the health of log and state, and the metrics of the process. */
export function coreHealth(core: Core): HealthDoorDeps {
  const backlogs = new Backlogs({ ...core, streams: () => core.registry.catalogue.streams() });
  return {
    doors: () => healthOf(core, backlogs),
    // `serving` once the duplicate index has caught up (R2.3) and every role is ready; a later backlog shows in the state of each door, not here.
    phase: () => (core.settled.ready && core.readiness.ready ? 'serving' : 'starting'),
    views: () => core.viewReports.views(),
    concerns: () => core.concerns.list(),
    metrics: async () => ({
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
      text: await core.metrics.text(),
    }),
  };
}
