import { isFault, type FaultCode } from '#faults';
import type { DoorHealth, HealthDoorDeps } from '#http';
import { Backlogs, type Backlog } from '#projection';
import type { Concern } from './concerns.js';
import type { Core } from './core.js';
import { Probe } from './probe.js';

type Port = { ping(): Promise<unknown> };
type Told = Pick<Core, 'logger' | 'metrics'>;

function probeOf(name: DoorHealth['name'], port: Port, code: FaultCode): Probe<DoorHealth> {
  const failing = (reason: FaultCode): DoorHealth => ({ name, ok: false, reason });
  const ask = async (): Promise<DoorHealth> => {
    try {
      await port.ping();
      return { name, ok: true };
    } catch (e) {
      return failing(isFault(e) ? e.code : code);
    }
  };
  return new Probe(ask, failing(code));
}

/** Whether the log takes appends, as far as it knows its disk. A line when it begins to take none, and one when it takes them again. */
function writableProbe(log: Core['log'], { logger, metrics }: Told): Probe<FaultCode | undefined> {
  let told: FaultCode | undefined;
  const ask = async (): Promise<FaultCode | undefined> => {
    const code = await log.checkWritable?.().then(
      () => undefined,
      (e: unknown) => (isFault(e) ? e.code : 'log_unavailable'),
    );
    if (code !== told && code !== undefined) {
      metrics.alarms.inc({ code });
      logger.error({ code }, 'the log cannot be written');
    } else if (code !== told) logger.info({}, 'the log can be written again');
    told = code;
    return code;
  };
  return new Probe(ask, undefined);
}

/** What is behind; nothing when the store or the log does not say it in time: then their own probes tell. */
function backlogOf(ask: () => Promise<Backlog | undefined>): Probe<Backlog | undefined> {
  return new Probe(() => ask().catch(() => undefined), undefined);
}

function doorsOf(core: Core, backlogs: Backlogs): () => Promise<readonly DoorHealth[]> {
  const { settled } = core;
  const probes = [
    probeOf('publish', core.log, 'log_unavailable'),
    probeOf('state', core.state, 'state_unavailable'),
  ] as const;
  const writable = writableProbe(core.log, core);
  const backlog = [backlogOf(() => backlogs.views()), backlogOf(() => backlogs.index())] as const;
  return async () => {
    const [log, unwritable, state, views, index] = await Promise.all([
      probes[0].now(),
      writable.now(),
      probes[1].now(),
      backlog[0].now(),
      backlog[1].now(),
    ]);
    return [
      // Events can be read from a log that takes none.
      log.ok && unwritable !== undefined ? { name: 'publish', ok: false, reason: unwritable } : log,
      log.ok && (!settled.ready || index !== undefined)
        ? { name: 'read', ok: false, reason: settled.ready ? 'view_rebuilding' : 'starting' }
        : { ...log, name: 'read' },
      // While the log does not answer, nothing newer is known, and what is folded can be read: the process stays ready for it.
      state.ok && log.ok && views !== undefined ? { name: 'state', ok: false, reason: views } : state,
    ];
  };
}

/** What a restricted stream suffers from is told to the operator by the log lines; here only that something is to be done. */
function openConcern({ openNames }: Pick<Core, 'openNames'>, concern: Concern): Concern {
  const subject = openNames.topic(concern.subject);
  return subject === concern.subject
    ? concern
    : { subject, setting: concern.setting, actual: 'see the log lines', needed: 'see the log lines' };
}

/** What HealthController needs: the health of log and state, and the metrics of the process. */
export function coreHealth(core: Core): HealthDoorDeps {
  const backlogs = new Backlogs({ ...core, streams: () => core.registry.catalogue.streams() });
  return {
    doors: doorsOf(core, backlogs),
    // `serving` once the duplicate index has caught up (R2.3) and every role is ready; a later backlog shows in the state of each door, not here.
    phase: () => (core.settled.ready && core.readiness.ready ? 'serving' : 'starting'),
    views: () => core.viewReports.views()?.filter(({ view }) => !core.openNames.isRestrictedView(view)),
    concerns: () => core.concerns.list().map((concern) => openConcern(core, concern)),
    metrics: async () => ({
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
      text: await core.metrics.text(),
    }),
  };
}
