import type { FaultCode } from '#faults';
import type { DoorHealth, HealthDoorDeps } from '#http';
import type { Settled } from '#duplicates';
import type { Core } from './core.js';

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

async function healthOf({ log: eventLog, state: store, settled }: Core): Promise<readonly DoorHealth[]> {
  const [log, state] = await Promise.all([
    probe('publish', () => eventLog.ping(), 'log_unavailable'),
    probe('state', () => store.ping(), 'state_unavailable'),
  ]);
  const read: DoorHealth =
    log.ok && !settled.ready ? { name: 'read', ok: false, reason: 'starting' } : { ...log, name: 'read' };
  return [log, read, state];
}

/** Health and metrics of any hub process: what HealthController is given. */
export function coreHealth(core: Core): HealthDoorDeps {
  return {
    doors: () => healthOf(core),
    phase: phaseOf(core.settled),
    metrics: async () => ({
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
      text: await core.metrics.text(),
    }),
  };
}
