import type { CursorRow } from '../port.js';
import type { Run } from './run.js';

/** The cursors of a subscription as they stand now, by stream. */
export function cursorsOf({ lanes, streams }: Pick<Run, 'lanes' | 'streams'>): ReadonlyMap<string, CursorRow> {
  const rows = new Map<string, CursorRow>();
  for (const [name, followed] of streams) {
    for (const [p, next] of followed.scanned.entries()) lanes.scanned(name, p, next);
    rows.set(name, followed.rowOf(lanes.cursor(name)));
  }
  return rows;
}
