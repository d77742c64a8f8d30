import type { Data, FieldInfo, ValueInfo } from '#avro';

type Form = (value: unknown) => unknown;

const made = new WeakMap<readonly FieldInfo[], (data: Data) => Data>();

/**
 * Gives plain JSON data with every long as a bigint; the data itself is not changed. A long in a union of several types keeps the form of the hub, a number or
 * beyond 2^53 text: JSON does not say whether a text there is a long. A value that is no long (a masked one) stays as it is.
 */
export function longsOf(fields: readonly FieldInfo[]): (data: Data) => Data {
  let form = made.get(fields);
  if (form === undefined) made.set(fields, (form = (recordForm(fields) ?? ((data) => data)) as (data: Data) => Data));
  return form;
}

function recordForm(fields: readonly FieldInfo[]): Form | undefined {
  const forms = fields.flatMap((field) => {
    const form = formOf(field);
    return form === undefined ? [] : [[field.name, form] as const];
  });
  if (forms.length === 0) return undefined;
  return (value) => {
    if (!isObject(value)) return value;
    const out = { ...value };
    for (const [name, form] of forms) if (Object.hasOwn(out, name)) out[name] = form(out[name]);
    return out;
  };
}

function formOf(shape: ValueInfo): Form | undefined {
  if (shape.fields !== undefined) return recordForm(shape.fields);
  if (shape.items !== undefined) {
    const form = formOf(shape.items);
    if (form === undefined) return undefined;
    return (value) =>
      Array.isArray(value)
        ? value.map(form)
        : isObject(value)
          ? Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, form(entry)]))
          : value;
  }
  return shape.kind === 'long' ? longForm : undefined;
}

const WHOLE = /^-?\d{1,19}$/;

function longForm(value: unknown): unknown {
  const isLong =
    typeof value === 'number' ? Number.isSafeInteger(value) : typeof value === 'string' && WHOLE.test(value);
  return isLong ? BigInt(value as number | string) : value;
}

const isObject = (value: unknown): value is Data =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
