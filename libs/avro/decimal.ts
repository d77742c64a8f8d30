const DECIMAL = /^-?(?:0|[1-9]\d*)(?:\.(\d+))?$/;

export type Unscaled = { readonly value: bigint } | 'malformed' | 'too-precise' | 'out-of-range';

/** 10^precision: every unscaled value of a decimal is smaller than this and greater than its negative. */
export function decimalBound(precision: number): bigint {
  return 10n ** BigInt(precision);
}

/** The unscaled value of a decimal text at `scale`. More digits after the point than the scale are refused, even zeros; so is `-0`. */
export function parseDecimal(text: string, scale: number, bound: bigint): Unscaled {
  if (text.length > 1_100) return 'out-of-range';
  const m = DECIMAL.exec(text);
  if (!m) return 'malformed';
  const fraction = m[1] ?? '';
  if (fraction.length > scale) return 'too-precise';
  const whole = fraction === '' ? text : text.slice(0, -(fraction.length + 1));
  return within(BigInt(whole + fraction.padEnd(scale, '0')), text, bound);
}

/** The unscaled value of a JSON number: a safe integer, or a fraction that a double holds exactly at this scale (0.5, but not 0.1). */
export function decimalOfNumber(n: number, scale: number, bound: bigint): Unscaled {
  if (!Number.isFinite(n) || Object.is(n, -0)) return 'out-of-range';
  if (Number.isInteger(n)) {
    return Number.isSafeInteger(n) ? within(BigInt(n) * 10n ** BigInt(scale), '', bound) : 'out-of-range';
  }
  const shifted = n * 2 ** scale;
  if (!Number.isSafeInteger(shifted)) return 'too-precise';
  return within(BigInt(shifted) * 5n ** BigInt(scale), '', bound);
}

function within(value: bigint, text: string, bound: bigint): Unscaled {
  if (value === 0n && text.startsWith('-')) return 'out-of-range';
  return value < bound && value > -bound ? { value } : 'out-of-range';
}

/** The shortest big-endian two's complement, as Avro writes a decimal. */
export function toTwos(value: bigint): Buffer {
  let size = 1;
  while (BigInt.asIntN(size * 8, value) !== value) size++;
  const hex = BigInt.asUintN(size * 8, value)
    .toString(16)
    .padStart(size * 2, '0');
  return Buffer.from(hex, 'hex');
}

export function fromTwos(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`));
}

/** The decimal as text with all digits of its scale: `350000.00`. */
export function formatDecimal(value: bigint, scale: number): string {
  if (scale === 0) return value.toString();
  const sign = value < 0n ? '-' : '';
  const all = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  return `${sign}${all.slice(0, -scale)}.${all.slice(-scale)}`;
}
