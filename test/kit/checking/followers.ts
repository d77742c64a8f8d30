import { idOf, type Follower, type History } from './history.js';
import type { WholeLog } from './log.js';

/** What programs received that read straight from Kafka (R14.6). */
export interface FromKafka {
  /** Acknowledged events of the types that they follow, counted for each of them. */
  readonly due: number;
  /** Of these, what they received. */
  readonly received: number;
  /** Events of a subject that one of them received after a later one. */
  readonly misordered: number;
}

/** undefined: there is none. */
export function judgeFollowers(
  history: History,
  log: WholeLog,
  problem: (text: string) => void,
): FromKafka | undefined {
  if (history.followers.length === 0) return undefined;
  const sum = { due: 0, received: 0, misordered: 0 };
  for (const follower of history.followers) {
    const got = new Set(follower.received.map(idOf));
    for (const [key, event] of history.offered) {
      if (event.acked === undefined || !follower.types.has(event.evtype)) continue;
      sum.due++;
      if (got.has(key)) sum.received++;
      else problem(`not received: ${event.source} ${event.id} (${event.evtype}) by ${follower.process}`);
    }
    sum.misordered += outOfOrder(follower, log, problem);
  }
  return sum;
}

/** An event may come again after a crash, so its first receipt counts. */
function outOfOrder({ process, received }: Follower, log: WholeLog, problem: (text: string) => void): number {
  const shown = new Set(log.shown.map(({ position }) => position));
  const seen = new Set<string>();
  const last = new Map<string, bigint>();
  let count = 0;
  for (const { position } of received) {
    if (seen.has(position)) continue;
    seen.add(position);
    const at = log.byPosition.get(position);
    if (at === undefined || !shown.has(position)) {
      problem(`received, but readers do not get it: ${position} by ${process}`);
      continue;
    }
    const subject = `${at.stream}/${at.partition}\n${at.subject}`;
    const before = last.get(subject) ?? -1n;
    if (at.offset < before) {
      count++;
      problem(`order: ${process} received ${position} after offset ${before} (${at.subject})`);
    } else last.set(subject, at.offset);
  }
  return count;
}
