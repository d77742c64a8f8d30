/**
 * A number in JSON whose text a double cannot hold exactly, `9007199254740993` or `1e400`.
 * In JSON output it stands as text. The codec takes it only where its exact value fits.
 */
export class JsonNumber {
  constructor(readonly text: string) {}

  toJSON(): string {
    return this.text;
  }
}

const PARTS = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** The decimal value of a number text as digits without outer zeros and a power of ten: equal texts = equal values. */
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

/** True when reading the text as a double and writing it again gives the same decimal value. */
export function isExact(text: string): boolean {
  const n = Number(text);
  return (
    Number.isFinite(n) && canonical(String(n)) === canonical(text) && (!Number.isInteger(n) || Number.isSafeInteger(n))
  );
}

/** A fraction written with up to 17 significant digits names one double (C and PHP write them so); longer texts and integers beyond 2^53 do not. */
export function doubleOf(n: JsonNumber): number | undefined {
  const value = Number(n.text);
  const digits = canonical(n.text);
  if (!Number.isFinite(value) || (value === 0 && digits !== '0') || Number.isInteger(value)) return undefined;
  return digits.replace(/e.*|-/g, '').length <= 17 ? value : undefined;
}
