import { Fault } from '#faults';
import { cursorValue } from '#reading';
import type { ZodType, z } from 'zod';

export { encodeCursor, encodeHiddenCursor } from '#reading';

/** The value of a cursor that fits `schema`; Fault invalid_cursor for anything else. */
export function decodeCursor<S extends ZodType>(text: string, schema: S): z.output<S> {
  const read = schema.safeParse(cursorValue(text));
  if (!read.success) throw new Fault('invalid_cursor');
  return read.data;
}
