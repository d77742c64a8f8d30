import type { Standing } from '../desk-port.js';
import type { Run } from './run.js';

/** How a subscription stands now. Lag counts records that were not looked at, and events that were and are not finished. */
export function standingOf(run: Run, now: number): Standing {
  const { subscription, lanes } = run;
  const { parked, dead, held, waiting } = lanes.counts();
  let events = BigInt(waiting + held);
  let oldest: number | undefined;
  for (const { lag } of run.streams.values()) {
    if (lag === undefined) continue;
    events += lag.events;
    if (lag.oldestAppendMs !== undefined && (oldest === undefined || lag.oldestAppendMs < oldest))
      oldest = lag.oldestAppendMs;
  }
  const { state } = subscription;
  return {
    subscription,
    status: state === 'active' ? lanes.status : state,
    lag: {
      events: Number(events),
      seconds: oldest === undefined ? 0 : Math.max(0, Math.round((now - oldest) / 1_000)),
    },
    inFlight: run.inFlight,
    parked,
    dead,
    held,
  };
}
