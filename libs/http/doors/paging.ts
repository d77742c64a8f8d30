import { z } from 'zod';
import { decodeCursor, encodeCursor } from '../cursor.js';

/** `limit` and `cursor` of a list held in memory. */
export const PAGING = {
  limit: z.coerce.number().int().min(1).max(1_000).optional(),
  cursor: z.string().max(8_192).optional(),
};
const AFTER = z.strictObject({ after: z.string().max(500) });

/** One page of a list ordered by `keyOf`, ascending: what follows the cursor, and the next cursor when more is there. Fault invalid_cursor. */
export function pageOf<T>(
  rows: readonly T[],
  keyOf: (row: T) => string,
  query: { readonly limit?: number | undefined; readonly cursor?: string | undefined },
  limit = 100,
): { readonly items: readonly T[]; readonly next: string | undefined } {
  const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, AFTER).after;
  const size = query.limit ?? limit;
  const start = after === undefined ? 0 : rows.findIndex((r) => keyOf(r) > after);
  const items = start < 0 ? [] : rows.slice(start, start + size);
  const last = items.at(-1);
  const more = start >= 0 && last !== undefined && start + size < rows.length;
  return { items, next: more ? encodeCursor({ after: keyOf(last) }) : undefined };
}
