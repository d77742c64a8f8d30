import type { Feed } from './feed.js';
import type { Inbox } from './inbox.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The hub finds the copy of an event for 8 days (R2.2), so an event may come again as long without a crash of the app. */
const LEAST_KEEP_MS = 9 * DAY_MS;
export const DEFAULT_KEEP_MS = 30 * DAY_MS;

/**
 * Up to which recorded time rows of the inbox may go: they are older than `keepMs` (at least 9 days), and a day older than the oldest unfinished event of any feed, because
 * events behind a place may come again after a crash. Age is counted from the newest event that has come, or from `now` where that is earlier, so that rows do not go
 * because the clock of this machine was ahead for a while (R15.8). -Infinity: no event has come yet, and no row may go.
 */
export function pruneBefore(feeds: Iterable<Feed>, keepMs: number, now: number): number {
  let newest = Number.NEGATIVE_INFINITY;
  let oldest = Number.POSITIVE_INFINITY;
  for (const feed of feeds) {
    newest = Math.max(newest, feed.newest);
    oldest = Math.min(oldest, feed.oldest() ?? oldest);
  }
  return Math.min(Math.min(now, newest) - Math.max(keepMs, LEAST_KEEP_MS), oldest - DAY_MS);
}

/** Prunes the inbox of a group each hour, not at the start: then what comes again has come. */
export function pruneRegularly(
  inbox: Inbox,
  group: string,
  feeds: () => Iterable<Feed>,
  keepMs: number,
): NodeJS.Timeout {
  const prune = (): void => {
    const before = pruneBefore(feeds(), keepMs, Date.now());
    // Rows that stay are removed the next time.
    if (Number.isFinite(before)) inbox.prune(group, before).catch(() => undefined);
  };
  return setInterval(prune, HOUR_MS).unref();
}
