import type { FaultCode, Problem, Text } from '#faults';
import { Sink } from './sink.js';
import { texts } from './texts.js';

export const MAX_PROBLEMS = 50;
/** Limit for the entries of all lists and maps of one event together. */
export const MAX_ITEMS = 100_000;
/** Characters that no text may contain: NUL, and bidi controls, which can make a text look like another (embeddings, overrides, isolates). */
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const FORBIDDEN = /[\0\u202A-\u202E\u2066-\u2069]/;

/** The state of one encoding: the current path, the problems found, and the sink for the bytes. */
export class Walk {
  readonly sink = new Sink();
  readonly path: (string | number)[] = [];
  depth = 0;
  items = 0;
  problems: Problem[] = [];

  begin(): void {
    this.depth = 0;
    this.items = 0;
    if (this.problems.length > 0) this.problems = [];
  }

  get full(): boolean {
    return this.problems.length >= MAX_PROBLEMS;
  }

  problem(reason: Text, expected?: Text, code?: FaultCode): void {
    if (this.full) return;
    this.problems.push({
      pointer: this.pointer(),
      reason,
      ...(expected === undefined ? {} : { expected }),
      ...(code === undefined ? {} : { code }),
    });
  }

  pointer(): string {
    let out = '/data';
    for (let i = 0; i < this.depth; i++) out += `/${escapeToken(this.path[i]!)}`;
    return out;
  }

  /** Writes a text with its length, or adds a problem for a forbidden character. */
  text(text: string): void {
    if (this.sink.shortAscii(text)) return;
    if (!isClean(text)) this.problem(reasonOf(text), texts.clean_text(), 'forbidden_character');
    else this.sink.text(text);
  }
}

export function isClean(text: string): boolean {
  return text.isWellFormed() && !FORBIDDEN.test(text);
}

function reasonOf(text: string): Text {
  if (!text.isWellFormed()) return texts.lone_surrogate();
  const code = FORBIDDEN.exec(text)![0].codePointAt(0)!;
  return texts.forbidden_character({ hex: code.toString(16).toUpperCase().padStart(4, '0') });
}

/** One token of an RFC 6901 pointer, cut at 200 characters. */
export function escapeToken(token: string | number): string {
  if (typeof token === 'number') return String(token);
  const cut = token.length > 200 ? `${token.slice(0, 200)}…` : token;
  return cut.replaceAll('~', '~0').replaceAll('/', '~1').toWellFormed();
}

/** The candidate with the smallest edit distance to a misspelt name: at most 2 edits or a third of its length (half of it when shorter than 4 characters). */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  if (name.length > 80) return undefined;
  const plain = name.toLowerCase().replaceAll('-', '_');
  let best: string | undefined;
  const most = name.length < 4 ? Math.floor(name.length / 2) : Math.max(2, Math.floor(name.length / 3));
  let least = most + 1;
  for (const c of candidates) {
    const d = edits(plain, c.toLowerCase(), least);
    if (d < least) {
      least = d;
      best = c;
    }
  }
  return best;
}

function edits(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + cost));
    }
    row = next;
  }
  return row[b.length]!;
}
