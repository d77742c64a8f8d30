import { randomInt } from 'node:crypto';

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A number in [0, 1) from the operating system. */
export function systemRandom(): number {
  return randomInt(0x1_0000_0000) / 0x1_0000_0000;
}

export interface IdOptions {
  /** ms since 1970. @default Date.now */
  readonly now?: () => number;
  /** A number in [0, 1). @default the operating system */
  readonly random?: () => number;
}

/**
 * A maker of ids of 26 characters (as ULID): 48 bits of time, 80 bits of chance, in text order of their making.
 * Two ids of one maker are never equal, also when the clock stands still or goes back.
 */
export function createIds(options: IdOptions = {}): () => string {
  const now = options.now ?? Date.now;
  const random = options.random ?? systemRandom;
  let last = -1;
  let digits: number[] = [];
  return () => {
    const t = Math.max(Math.floor(now()), last);
    if (t > last || digits.length === 0) digits = Array.from({ length: 16 }, () => Math.floor(random() * 32));
    else for (let i = 15; i >= 0 && (digits[i] = (digits[i]! + 1) & 31) === 0; i--);
    last = t;
    let head = '';
    for (let i = 0, rest = t; i < 10; i++, rest = Math.floor(rest / 32)) head = CROCKFORD[rest % 32]! + head;
    return head + digits.map((d) => CROCKFORD[d]!).join('');
  };
}
