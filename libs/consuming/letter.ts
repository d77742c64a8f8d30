import { reasonOf } from './fault.js';
import type { Entry } from './feed.js';
import type { DeadLetter } from './handler.js';

/** The dead letter of an event that was given up. */
export function letterOf(group: string, entry: Entry, cause: unknown): DeadLetter {
  const { event, writer } = entry.received;
  const code = (cause as { code?: unknown } | null)?.code;
  return {
    group,
    feed: entry.feed.name,
    event,
    ...(writer === undefined ? {} : { writer }),
    cause: { message: reasonOf(cause), ...(typeof code === 'string' ? { code } : {}) },
    attempts: entry.attempts,
    failedtime: new Date().toISOString(),
  };
}
