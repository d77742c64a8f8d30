import { cursorKey } from './flusher.js';
import type { CourierTables } from './tables.js';

/** The key of a stored record of a subscription that cannot be read; undefined: all can. Until it is dealt with, nothing of the subscription goes on (R4.7). */
export function damagedOf(
  { cursors, lanes }: CourierTables,
  id: string,
  streams: readonly string[],
): string | undefined {
  const cursor = streams.map((stream) => cursorKey(id, stream)).find((key) => cursors.damaged.has(key));
  return cursor ?? damagedRows({ lanes }, id)[0];
}

/** The keys of the rows of a subscription that cannot be read. */
export function damagedRows({ lanes }: Pick<CourierTables, 'lanes'>, id: string): readonly string[] {
  return [...lanes.damaged].filter((key) => key.startsWith(`${id}/`));
}
