import { innermostMessage, isFault, isRetryable, OnceAMinute } from '#faults';
import type { Logger } from './types.js';

/** Logs faults of live streams, once a minute for each place and cause: many readers meet the same fault at once, again and again. */
export class LiveFaultLog {
  readonly #once: OnceAMinute;

  constructor(
    private readonly log: Pick<Logger, 'warn' | 'error'>,
    now: () => number,
  ) {
    this.#once = new OnceAMinute(now);
  }

  /** true: the log or the store is unavailable, so the stream should pause and retry; false: the stream should end. */
  isTransient(where: { readonly stream: string } | { readonly view: string }, thrown: unknown): boolean {
    const transient = isFault(thrown) && isRetryable(thrown) && thrown.code !== 'internal';
    const code = isFault(thrown) ? thrown.code : 'internal';
    const fields = { ...where, code, cause: innermostMessage(thrown) };
    if (this.#once.first(JSON.stringify(fields))) {
      if (transient) this.log.warn(fields, 'live streams paused: log or store unavailable, retrying');
      else this.log.error(fields, 'live stream ended by an internal error');
    }
    return transient;
  }
}
