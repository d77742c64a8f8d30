import type { NewRecord } from '#log';

/**
 * How records get into the log: `Appender` of #log. One call = one unit: its records lie one after another from `base`, all or none.
 * `unsent`: surely not written. `unknown`: they may or may not lie in the log.
 */
export interface Appends {
  append(
    topic: string,
    partition: number,
    records: readonly NewRecord[],
    options: { readonly timeoutMs: number },
  ): Promise<AppendOutcome>;
}

export type AppendOutcome =
  | { readonly kind: 'durable'; readonly base: bigint }
  | { readonly kind: 'unsent'; readonly cause?: unknown }
  | { readonly kind: 'unknown'; readonly cause?: unknown };
