import { Fault, verbatim } from '#faults';
import { z } from 'zod';

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const fieldName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/);

const expression = z.union([
  fieldName,
  z.strictObject({ const: scalar }),
  z.strictObject({
    attribute: z.enum(['id', 'source', 'type', 'subject', 'time', 'unitasal', 'unitkode', 'korelasi', 'urutanunit']),
    /** Takes part number `segment` (from 0) of the attribute, split at `-`. */
    segment: z.int().min(0).max(9).optional(),
    map: z.record(z.string(), z.string()).optional(),
    prefix: z.string().max(40).optional(),
  }),
]);

const when = z.strictObject({ field: fieldName, in: z.array(scalar).min(1) });
const given = z.strictObject({ value: fieldName, is: expression.optional(), isNot: scalar.optional() });
const needed = z.strictObject({ value: fieldName, is: expression });

/** See ViewDefinition.owner. A list: the first of these fields that names somebody. */
const field = z.string().regex(/^field:[A-Za-z_][A-Za-z0-9_]*$/);
const owner = z.union([z.enum(['first', 'any-with-right']), field, z.array(field).min(1).max(4)]);

const source = z.strictObject({
  type: z.string(),
  /** Who may apply this source, where it is not the owner of the view. @default that of the view */
  owner: owner.optional(),
  /** Conditions on the event; all must hold, else it changes nothing. */
  when: z.array(when).optional(),
  /** Conditions on the stored entry; an absent entry fulfils them. Only with `merge`. */
  given: z.array(given).optional(),
  /** What the stored entry must hold, else the event is refused (R5.10): the step before it is not there. An absent entry holds nothing. Only with `merge`. */
  needs: z.array(needed).min(1).optional(),
  set: z.record(fieldName, expression).optional(),
  /** `set` and `count`: the event removes its subject. */
  remove: z.literal(true).optional(),
  /** Why it is normal that such an event finds nothing to remove. Without it, the event is refused then (R5.13). */
  absentWhy: z.string().min(1).optional(),
});

const definition = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]*\.[a-z0-9][a-z0-9-]*$/),
  titleId: z.string().min(1),
  titleEn: z.string().min(1),
  kind: z.enum(['latest', 'merge', 'set', 'count', 'timeline']),
  /** `subject`, or named parts joined by `:`. */
  key: z.union([z.literal('subject'), z.record(fieldName, expression)]),
  /**
   * Who may change or remove an entry (R5.10): `first` the office whose event made it, `field:<name>` the office that the entry names there (null: nobody
   * yet), `any-with-right` whoever may publish the event. The hub itself always may. @default any-with-right
   */
  owner: owner.optional(),
  /** Why that is the owner. */
  ownerWhy: z.string().min(1).optional(),
  /** `latest`: the event with the greatest values of these fields wins; of equal ones the later record. */
  by: z.array(fieldName).min(1).optional(),
  /** `count`: name of the field with the number of subjects. @default "jumlah" */
  count: fieldName.optional(),
  /** `count`: totals of numeric fields: name of the total → field of the event. */
  sum: z.record(fieldName, fieldName).optional(),
  /** `timeline`: how many of the newest events stay. @default 200 */
  keep: z.int().min(1).max(1000).optional(),
  sources: z.array(source).min(1),
});

export type OwnerRule = z.infer<typeof owner>;
export type Expression = z.infer<typeof expression>;
export type ViewSource = z.infer<typeof source>;
/** A view definition: `schemas/views/<name>.view.json`. Its form is in the README of this room. */
export type ViewDefinition = z.infer<typeof definition>;

/** Parses a view file. Fault invalid_schema with pointers into the file. References to types and fields are checked by checkView. */
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
