import { Fault, verbatim } from '#faults';
import { z } from 'zod';

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const fieldName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/);

const expression = z.union([
  fieldName,
  z.strictObject({ const: scalar }),
  z.strictObject({
    attribute: z.enum(['id', 'source', 'type', 'subject', 'time', 'unitasal', 'unitkode', 'korelasi', 'urutanunit']),
    /** Part `segment` (from 0) of the attribute cut at `-`. */
    segment: z.int().min(0).max(9).optional(),
    map: z.record(z.string(), z.string()).optional(),
    prefix: z.string().max(40).optional(),
  }),
]);

const when = z.strictObject({ field: fieldName, in: z.array(scalar).min(1) });
const given = z.strictObject({ value: fieldName, is: expression.optional(), isNot: scalar.optional() });

const source = z.strictObject({
  type: z.string(),
  /** All must hold, else the event changes nothing. */
  when: z.array(when).optional(),
  /** Conditions on the entry as it stands; an absent entry fulfils them. Only with `merge`. */
  given: z.array(given).optional(),
  set: z.record(fieldName, expression).optional(),
  /** `set` and `count`: the event takes the subject out. */
  remove: z.literal(true).optional(),
});

const definition = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]*\.[a-z0-9][a-z0-9-]*$/),
  titleId: z.string().min(1),
  titleEn: z.string().min(1),
  kind: z.enum(['latest', 'merge', 'set', 'count', 'timeline']),
  /** `subject`, or named parts joined by `:`. */
  key: z.union([z.literal('subject'), z.record(fieldName, expression)]),
  /** `latest`: the greatest of these fields wins, then the later record. */
  by: z.array(fieldName).min(1).optional(),
  /** `count`: name of the number of subjects. @default "jumlah" */
  count: fieldName.optional(),
  /** `count`: totals of numeric fields, name → field. */
  sum: z.record(fieldName, fieldName).optional(),
  /** `timeline`: how many of the newest positions stay. @default 200 */
  keep: z.int().min(1).max(1000).optional(),
  sources: z.array(source).min(1),
});

export type Expression = z.infer<typeof expression>;
export type ViewSource = z.infer<typeof source>;
/** A view as it stands in `schemas/views/<name>.view.json`. See the README of this room for the form. */
export type ViewDefinition = z.infer<typeof definition>;

/** Reads one view file. Fault invalid_schema with problems (pointers into the file). What it folds is checked by checkView. */
export function parseView(text: string): ViewDefinition {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Fault('invalid_schema', { detail: 'a view file is no JSON', cause });
  }
  const result = definition.safeParse(json);
  if (result.success) return result.data;
  throw new Fault('invalid_schema', {
    detail: 'a view file has the wrong form',
    problems: result.error.issues.map((i) => ({
      pointer: `/${i.path.map(String).join('/')}`,
      reason: verbatim(i.message),
    })),
  });
}
