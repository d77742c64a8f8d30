import { jittered, pause } from '#concurrency';
import { Fault, innermostMessage, isFault } from '#faults';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 500;

/** For withDeadline: throws an error that names what had no answer in time. */
export function noAnswer(what: string, ms: number): () => never {
  return () => {
    throw new Error(`${what}: no answer in ${ms} ms`);
  };
}

/** A Fault as it is; any other error as Fault `log_unavailable` with the innermost message. */
export function unavailable(cause: unknown): Fault {
  return isFault(cause) ? cause : new Fault('log_unavailable', { detail: innermostMessage(cause), cause });
}

/** Retries with exponential backoff and jitter until the work succeeds. Throws a Fault of the work at once, and Fault `log_unavailable` after `limitMs`. */
export async function retry<T>(limitMs: number, work: () => Promise<T>): Promise<T> {
  const end = performance.now() + limitMs;
  for (let ms = FIRST_PAUSE_MS; ; ms = Math.min(ms * 2, LONGEST_PAUSE_MS)) {
    try {
      return await work();
    } catch (error) {
      if (isFault(error) || performance.now() + ms > end) throw unavailable(error);
    }
    await pause(jittered(ms));
  }
}
