import { innermostMessage, isFault, isRetryable, OnceAMinute } from '#faults';
import type { Logger } from './types.js';

/** Tells what keeps live streams waiting or ends them, once a minute for each place and cause: many readers meet it at once, again and again. */
export class TroubleLog {
  readonly #once: OnceAMinute;

  constructor(
    private readonly log: Pick<Logger, 'warn' | 'error'>,
    now: () => number,
  ) {
    this.#once = new OnceAMinute(now);
  }

  /** true: it passes by itself (the log or the store is away), so wait; false: it broke, so end. */
  passes(where: { readonly stream: string } | { readonly view: string }, thrown: unknown): boolean {
    const passes = isFault(thrown) && isRetryable(thrown) && thrown.code !== 'internal';
    const code = isFault(thrown) ? thrown.code : 'internal';
    const fields = { ...where, code, cause: innermostMessage(thrown) };
    if (this.#once.first(JSON.stringify(fields))) {
      if (passes) this.log.warn(fields, 'live streams wait');
      else this.log.error(fields, 'a live stream broke');
    }
    return passes;
  }
}
