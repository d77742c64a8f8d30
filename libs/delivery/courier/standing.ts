import type { EventLog } from '#log';
import type { Standing } from '../desk-port.js';
import type { Run } from './run.js';

/** How a subscription stands now. While the log does not answer, the age of records that were not looked at is left out. */
export async function standingOf(run: Run, log: Pick<EventLog, 'describe' | 'read'>, now: number): Promise<Standing> {
  const { subscription, lanes, waitsFor } = run;
  const behind = await Promise.all([...run.streams.values()].map((followed) => followed.behind(log)));
  const { parked, dead, held, unfinished } = lanes.counts();
  const unseen = behind.reduce((sum, { events }) => sum + events, 0n);
  const times = [lanes.oldestMs(), ...behind.map(({ oldestMs }) => oldestMs)].filter((ms) => ms !== undefined);
  const { state } = subscription;
  return {
    subscription,
    status: state === 'active' ? (waitsFor === undefined ? lanes.status : 'waiting') : state,
    ...(state === 'active' && waitsFor !== undefined ? { why: waitsFor } : {}),
    lag: {
      events: Number(unseen) + unfinished,
      seconds: times.length === 0 ? 0 : Math.max(0, Math.round((now - Math.min(...times)) / 1_000)),
      ...(unseen === 0n ? {} : { atMost: true }),
    },
    inFlight: run.inFlight,
    parked,
    dead,
    held,
  };
}
