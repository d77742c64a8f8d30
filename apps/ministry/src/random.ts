/** Seeded pseudo-random numbers: the same seed gives the same numbers on every machine. */
export class Random {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  constructor(seed: string) {
    this.#seed = seed;
    let h = 1779033703 ^ seed.length;
    const word = (): number => {
      for (let i = 0; i < seed.length; i++) {
        h = Math.imul(h ^ seed.charCodeAt(i), 3432918353);
        h = (h << 13) | (h >>> 19);
      }
      h = Math.imul(h ^ (h >>> 16), 2246822507);
      return (h ^= h >>> 13) >>> 0;
    };
    this.#a = word();
    this.#b = word();
    this.#c = word();
    for (let i = 0; i < 12; i++) this.next();
  }

  /** A number in [0, 1), by sfc32. */
  next(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + t) | 0;
    return (t >>> 0) / 4294967296;
  }

  /** A generator with its own seed for one part of the day, so that numbers drawn in one part do not change another part. */
  fork(name: string): Random {
    return new Random(`${this.#seed}/${name}`);
  }

  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.next() < p;
  }

  pick<const T>(of: readonly T[]): T {
    return of[Math.floor(this.next() * of.length)]!;
  }

  /** `n` different items in random order; all of them when there are fewer. */
  sample<T>(of: readonly T[], n: number): T[] {
    const left = [...of];
    const out: T[] = [];
    while (out.length < n && left.length > 0) out.push(left.splice(Math.floor(this.next() * left.length), 1)[0]!);
    return out;
  }

  digits(n: number): string {
    return Array.from({ length: n }, () => this.int(0, 9)).join('');
  }

  hex(n: number): string {
    return Array.from({ length: n }, () => this.int(0, 15).toString(16)).join('');
  }
}
