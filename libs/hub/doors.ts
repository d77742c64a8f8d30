import type { FaultCode } from '#faults';
import {
  healthDoor,
  keysDoor,
  publishDoor,
  readDoor,
  stateDoor,
  typesDoor,
  unitsDoor,
  type Door,
  type DoorHealth,
} from '#http';
import { requestRebuild, type Settled, type StateReader } from '#projection';
import { PUBLISH_LIMITS, type Publishing, type Refusals } from '#publishing';
import { auditView } from './audit-view.js';
import type { Core } from './core.js';
import { metricsOf } from './lag.js';
import type { ProjectorRole } from './projector.js';

export interface DoorParts {
  readonly core: Core;
  readonly publishing: Publishing;
  readonly refusals: Refusals;
  readonly reader: StateReader;
  readonly projector: ProjectorRole | undefined;
  /** Sets gauges before a scrape. */
  readonly measure: () => void;
}

const PROBE_MS = 1_000;

async function probe(name: DoorHealth['name'], ask: () => Promise<unknown>, code: FaultCode): Promise<DoorHealth> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error('late')), PROBE_MS);
  });
  try {
    await Promise.race([ask(), late]);
    return { name, ok: true };
  } catch {
    return { name, ok: false, reason: code };
  } finally {
    clearTimeout(timer);
  }
}

/** `starting` until the index has caught up once (R2.3); what falls behind later is told door by door. */
export function phaseOf(settled: Pick<Settled, 'ready'>): () => 'starting' | 'serving' {
  return () => (settled.ready ? 'serving' : 'starting');
}

async function healthOf({ engine, settled }: Core): Promise<readonly DoorHealth[]> {
  const [log, state] = await Promise.all([
    probe('publish', () => engine.log.ping(), 'log_unavailable'),
    probe('state', () => engine.state.ping(), 'state_unavailable'),
  ]);
  const read: DoorHealth =
    log.ok && !settled.ready ? { name: 'read', ok: false, reason: 'starting' } : { ...log, name: 'read' };
  return [log, read, state];
}

/** Every door of a gateway. */
export function doorsOf({ core, publishing, refusals, reader, projector, measure }: DoorParts): readonly Door[] {
  const { units } = core.units;
  const { catalogue } = core.registry;
  const { log } = core.engine;
  return [
    publishDoor({ publishing, refusals, units }),
    readDoor({ log, settled: core.settled, catalogue, units, now: Date.now }),
    stateDoor({
      reader,
      pseudonymKey: core.pseudonymKey,
      subjectBytes: PUBLISH_LIMITS.subjectBytes,
      rebuild: (view, by) => requestRebuild({ generations: core.generations, audit: auditView(core) }, view, by),
    }),
    unitsDoor({ units }),
    typesDoor({ catalogue, units }),
    keysDoor({ access: core.access, units, log }),
    healthDoor({
      doors: () => healthOf(core),
      phase: phaseOf(core.settled),
      metrics: metricsOf(core, projector?.projector, measure),
    }),
  ];
}

/** Doors of a process that only folds: health and metrics. */
export function healthOnly(core: Core, projector: ProjectorRole): readonly Door[] {
  return [
    healthDoor({
      doors: () => healthOf(core),
      phase: phaseOf(core.settled),
      metrics: metricsOf(core, projector.projector, () => undefined),
    }),
  ];
}
