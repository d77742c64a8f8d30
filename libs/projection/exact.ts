/** A number as event data carries it: a JSON number, or text where a double would not be exact (R13). */
export type Numeric = number | string;

const DECIMAL = /^-?\d+(\.\d+)?$/;

/** The value as a number; undefined when it is none. */
export function asNumeric(value: unknown): Numeric | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && DECIMAL.test(value) ? value : undefined;
}

function scaled(value: Numeric, scale: number): bigint {
  const text = typeof value === 'number' ? value.toFixed(scale) : value;
  const dot = text.indexOf('.');
  const digits = dot < 0 ? text : text.slice(0, dot) + text.slice(dot + 1);
  return BigInt(digits) * 10n ** BigInt(scale - (dot < 0 ? 0 : text.length - dot - 1));
}

const scaleOf = (value: Numeric): number => {
  const text = String(value);
  const dot = text.indexOf('.');
  return dot < 0 ? 0 : text.length - dot - 1;
};

/** a + sign·b without loss. Whole numbers in the exact range of a double stay numbers; everything else is text. */
export function add(a: Numeric, b: Numeric, sign: 1 | -1): Numeric {
  if (typeof a === 'number' && typeof b === 'number') {
    const plain = a + sign * b;
    if (Number.isSafeInteger(a) && Number.isSafeInteger(b) && Number.isSafeInteger(plain)) return plain;
  }
  const scale = Math.max(scaleOf(a), scaleOf(b));
  const total = scaled(a, scale) + BigInt(sign) * scaled(b, scale);
  if (scale === 0) return total.toString();
  const digits = (total < 0n ? -total : total).toString().padStart(scale + 1, '0');
  return `${total < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** Order of two numbers that may be text. */
export function compareNumeric(a: Numeric, b: Numeric): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const scale = Math.max(scaleOf(a), scaleOf(b));
  const left = scaled(a, scale);
  const right = scaled(b, scale);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Order of two field values of one kind: absent first, numbers by size, texts (dates too) by code unit, false before true. */
export function compareValues(a: unknown, b: unknown, numeric: boolean): number {
  const noA = a === undefined || a === null;
  const noB = b === undefined || b === null;
  if (noA || noB) return noA === noB ? 0 : noA ? -1 : 1;
  if (numeric) {
    const left = asNumeric(a);
    const right = asNumeric(b);
    if (left !== undefined && right !== undefined) return compareNumeric(left, right);
  }
  const left = typeof a === 'boolean' ? Number(a) : a;
  const right = typeof b === 'boolean' ? Number(b) : b;
  return (left as string) < (right as string) ? -1 : (left as string) > (right as string) ? 1 : 0;
}
