import type { LongWork } from '#limits';

/** The limits of one call. Every limit has a default, so a caller names only what it needs otherwise. */
export interface ReadBudget {
  /** Greatest number of events on the page. @default 100 */
  readonly limit?: number;
  /** Greatest number of records that are looked at, also those that do not match the filter or the rights of the caller. @default 10,000 */
  readonly scanRecords?: number;
  /** Greatest time for looking at records, ms. At least one record is looked at. @default 2,000 */
  readonly scanMs?: number;
  /** The page ends at this size: bytes of text, or Avro bytes of decoded events. The last event may exceed it. @default 4 MiB */
  readonly pageBytes?: number;
  /** How long the settled end may take to reach the log end that was seen (R2.3), ms. @default 1,000 */
  readonly settleMs?: number;
  /** Long poll: how long to wait for a first event when the page would be empty, ms. @default 0 */
  readonly waitMs?: number;
  /** In whose turns the page is read. @default work of the hub itself: without turns */
  readonly work?: LongWork | undefined;
  /** Ends a long poll early; the page is empty then. */
  readonly signal?: AbortSignal;
}

export const READ_BUDGET: Required<Omit<ReadBudget, 'signal' | 'work'>> = {
  limit: 100,
  scanRecords: 10_000,
  scanMs: 2_000,
  pageBytes: 4 * 1_048_576,
  settleMs: 1_000,
  waitMs: 0,
};

export type Limits = typeof READ_BUDGET;
