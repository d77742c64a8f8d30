import { ConsumerFault, reasonOf } from './fault.js';
import type { Hand } from './hand.js';
import type { Work } from './work.js';

/** How long a handler may go on after its signal has aborted. */
const HANG_MS = 10_000;

/** Aborts attempts whose time is over, and ends the consumer for one that does not end then: beside it no later event of its subject may begin. */
export function watchTimes(
  works: ReadonlySet<Work>,
  hands: readonly Hand[],
  end: (fault: ConsumerFault) => void,
): NodeJS.Timeout {
  const shortest = Math.min(...hands.map((h) => h.timeoutMs));
  const timer = setInterval(
    () => {
      const now = performance.now();
      for (const work of works) {
        const { timeoutMs, type } = work.hand;
        if (work.overAt === undefined && now - work.beganAt > timeoutMs) {
          work.overAt = now;
          work.abort(new DOMException(`the handler of ${type} had ${timeoutMs} ms`, 'TimeoutError'));
        } else if (work.overAt !== undefined && now - work.overAt > Math.min(HANG_MS, timeoutMs)) end(hangFault(work));
      }
    },
    Math.min(1_000, Math.max(5, shortest / 4)),
  );
  return timer.unref();
}

const named = (work: Work): string =>
  work.entries.length === 1
    ? work.entries[0]!.received.event.position
    : `${work.entries[0]!.received.event.position} (a batch of ${work.entries.length})`;

/** The fault of a consumer whose handler has used up its attempts. */
export function failedFault(work: Work, cause: unknown): ConsumerFault {
  const { type } = work.hand;
  if (cause instanceof ConsumerFault) return cause;
  return new ConsumerFault(
    'handler_failed',
    `the handler of ${type} failed at ${named(work)} after ${work.attempt} attempts: ${reasonOf(cause)}. The place stays there: correct the handler, or choose then: 'park' or 'dead-letter'`,
    cause,
  );
}

function hangFault(work: Work): ConsumerFault {
  return new ConsumerFault(
    'handler_hangs',
    `the handler of ${work.hand.type} does not end at ${named(work)}: it had ${work.hand.timeoutMs} ms and its signal has aborted. End the process, and give its calls a time limit`,
  );
}
