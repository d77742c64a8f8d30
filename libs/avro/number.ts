/**
 * A number in JSON whose text a double cannot hold exactly, `9007199254740993` or `1e400`.
 * In JSON output it is a text. The codec accepts it only in a field that holds its exact value.
 */
export class JsonNumber {
  constructor(readonly text: string) {}

  toJSON(): string {
    return this.text;
  }
}

const PARTS = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** A number text in canonical form, digits without outer zeros and a power of ten: equal texts = equal values. */
function canonical(text: string): string {
  const m = PARTS.exec(text);
  if (!m) return text;
  const all = `${m[1]}${m[2] ?? ''}`;
  const stripped = all.replace(/^0+/, '');
  if (stripped === '') return '0';
  const digits = stripped.replace(/0+$/, '');
  const power = Number(m[3] ?? 0) - (m[2]?.length ?? 0) + (stripped.length - digits.length);
  return `${text.startsWith('-') ? '-' : ''}${digits}e${power}`;
}

/** Every decimal of so many digits is the shortest one of its double, where doubles have their full precision. */
const SURE_DIGITS = 15;
const [LEAST_FULL, MOST_FULL] = [1e-300, 1e300];

/** True when the double of a number text, written again, has the same decimal value. */
export function isExact(text: string): boolean {
  const n = Number(text);
  const size = Math.abs(n);
  // Without canonical(), which takes ten times as long: a body may have some 100,000 of them.
  if (String(n) === text || (text.length <= SURE_DIGITS && size > LEAST_FULL && size < MOST_FULL))
    return !Number.isInteger(n) || Number.isSafeInteger(n);
  return (
    Number.isFinite(n) && canonical(String(n)) === canonical(text) && (!Number.isInteger(n) || Number.isSafeInteger(n))
  );
}

/**
 * The double of a fraction with at most 17 significant digits, which is how C and PHP write a double; undefined for longer texts and for integers beyond 2^53.
 */
export function doubleOf(n: JsonNumber): number | undefined {
  const value = Number(n.text);
  const digits = canonical(n.text);
  if (!Number.isFinite(value) || (value === 0 && digits !== '0') || Number.isInteger(value)) return undefined;
  return digits.replace(/e.*|-/g, '').length <= 17 ? value : undefined;
}
