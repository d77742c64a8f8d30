import { z } from 'zod';
import { decodeCursor, encodeCursor } from '../cursor.js';

/** `limit` and `cursor` of a list held in memory. */
export const PAGING = {
  limit: z.coerce.number().int().min(1).max(1_000).optional(),
  cursor: z.string().max(8_192).optional(),
};
/** A route without query parameters. */
export const NONE = z.strictObject({});
/** A boolean query parameter. */
export const FLAG = z.enum(['true', 'false']).optional();

const AFTER = z.strictObject({ after: z.string().max(2_000) });

export interface PageOrder {
  /** Rows of a page when the query names no limit. @default 100 */
  readonly limit?: number;
  /** Whether the row of this key stands behind the place `after` in the order of the rows. @default greater as text */
  readonly follows?: (key: string, after: string) => boolean;
}

/** The place behind which a page begins; undefined for the first page. Fault invalid_cursor. */
export function placeAfter(query: { readonly cursor?: string | undefined }): string | undefined {
  return query.cursor === undefined ? undefined : decodeCursor(query.cursor, AFTER).after;
}

/**
 * One page of ordered rows: those behind the cursor (also when its own row is gone), and the next cursor when there are more. Fault invalid_cursor.
 */
export function pageOf<T>(
  rows: readonly T[],
  keyOf: (row: T) => string,
  query: { readonly limit?: number | undefined; readonly cursor?: string | undefined },
  { limit = 100, follows = (key, after) => key > after }: PageOrder = {},
): { readonly items: readonly T[]; readonly next: string | undefined } {
  const after = placeAfter(query);
  const size = query.limit ?? limit;
  const start = after === undefined ? 0 : rows.findIndex((r) => follows(keyOf(r), after));
  const items = start < 0 ? [] : rows.slice(start, start + size);
  const last = items.at(-1);
  const more = start >= 0 && last !== undefined && start + size < rows.length;
  return { items, next: more ? encodeCursor({ after: keyOf(last) }) : undefined };
}
