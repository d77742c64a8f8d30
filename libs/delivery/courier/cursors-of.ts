import type { CursorRow } from '../port.js';
import type { Run } from './run.js';

/** The cursors of a subscription as they stand now, by stream. */
export function cursorsOf({ lanes, streams }: Pick<Run, 'lanes' | 'streams'>): ReadonlyMap<string, CursorRow> {
  const rows = new Map<string, CursorRow>();
  for (const [name, { scanned, topicId, start }] of streams) {
    for (const [p, next] of scanned.entries()) lanes.scanned(name, p, next);
    rows.set(name, { ...lanes.cursor(name), topicId, start });
  }
  return rows;
}
