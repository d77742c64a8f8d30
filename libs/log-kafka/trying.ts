import { setTimeout as pause } from 'node:timers/promises';
import { Fault, innermostMessage, isFault } from '#faults';

const FIRST_MS = 50;
const MOST_MS = 500;

/** A rejection after `ms` (the work itself goes on; its outcome is dropped). */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer in ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function unavailable(cause: unknown): Fault {
  return isFault(cause) ? cause : new Fault('log_unavailable', { detail: innermostMessage(cause), cause });
}

/** Again and again until it works; a Fault ends it at once, and after `limitMs` the last error becomes Fault `log_unavailable`. */
export async function trying<T>(limitMs: number, work: () => Promise<T>): Promise<T> {
  const end = Date.now() + limitMs;
  for (let wait = FIRST_MS; ; wait = Math.min(wait * 2, MOST_MS)) {
    try {
      return await work();
    } catch (error) {
      if (isFault(error) || Date.now() + wait > end) throw unavailable(error);
    }
    await pause(wait);
  }
}
