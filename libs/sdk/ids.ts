import { randomInt } from 'node:crypto';

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A random number in [0, 1) from the operating system. */
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
 * Creates a generator of ids in the form of a ULID: 26 characters, 48 bits of time and 80 random bits. The ids of one generator sort by text in the order
 * of their creation and are never equal, also when the clock does not move or goes back.
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
