import { BoundedClock } from '#concurrency';
import type { Logger } from '#telemetry';
import type { Concerns } from './concerns.js';

/** Clocks by which stored things grow old, from the time of the newest of them: a start under a wrong clock makes nothing old at once. */
export const ageClockOf =
  (now: () => number) =>
  (start: number): (() => number) => {
    const clock = new BoundedClock({ wall: now, start });
    return () => clock.now();
  };

/** The clock of the process, and what an operator must know of it: a line, and a concern for as long as the machine has another time. */
export function clockOf(
  logger: Pick<Logger, 'warn' | 'info'>,
  concerns: Concerns,
  wall: () => number = Date.now,
): () => number {
  const about = { subject: 'clock', setting: 'time of the machine' };
  const clock = new BoundedClock({
    wall,
    differs: (byMs) => {
      if (byMs === 0) {
        concerns.settle(about);
        logger.info({}, 'the clock of the hub agrees with that of the machine again');
        return;
      }
      const bySeconds = Math.round(byMs / 1_000);
      logger.warn({ bySeconds }, 'the clock of the machine has jumped, the hub follows in steps');
      concerns.note({
        ...about,
        actual: `jumped by ${bySeconds} s; the hub follows an hour at once, then 60 s a second, and backwards at half the speed`,
        needed: 'the right time, kept by NTP; a new start believes the clock of the machine at once',
      });
    },
  });
  return () => clock.now();
}
