const MINUTE_MS = 60_000;

/** When something counts as a finding. Times in ms. */
export interface WatchLimits {
  /** How long a missing number may be on its way. */
  readonly graceMs: number;
  /** How far a clock may be wrong (R14.4). */
  readonly skewMs: number;
  /** Resends of one source in one stream that are usual in a minute. */
  readonly resends: number;
  /** A wrong clock, or a storm, that was not seen for so long is over. */
  readonly calmMs: number;
  /** After a deadline, for the last reports that are under way. */
  readonly settleMs: number;
  /** What is open so long without a new sign is given up. */
  readonly giveUpMs: number;
  /** Pairs of system and stream that are remembered of one unit. */
  readonly ofOne: number;
}

export const WATCH_LIMITS: WatchLimits = {
  graceMs: 5 * MINUTE_MS,
  skewMs: 5 * MINUTE_MS,
  resends: 60,
  calmMs: 15 * MINUTE_MS,
  settleMs: MINUTE_MS,
  giveUpMs: 30 * 24 * 60 * MINUTE_MS,
  ofOne: 64,
};
