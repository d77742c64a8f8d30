import { INDONESIAN } from './indonesian.js';
import { FAULTS } from './table.js';

const HOLE = /(\{(?:text)?\})/;

interface Form {
  /** What stands before the first hole. */
  readonly head: string;
  readonly match: RegExp;
  /** Of each hole: whether a text of the table stands there. */
  readonly texts: readonly boolean[];
  /** Pieces of the answer around the holes. */
  readonly pieces: readonly string[];
}

const exact = new Map<string, string>(Object.values(FAULTS).map((f) => [f.title.en, f.title.id]));
const forms: Form[] = [];
for (const [en, id] of Object.entries(INDONESIAN)) {
  const parts = en.split(HOLE);
  if (parts.length === 1) exact.set(en, id);
  else
    forms.push({
      head: parts[0]!,
      match: new RegExp(`^${parts.map((p) => (HOLE.test(p) ? '(.+?)' : escaped(p))).join('')}$`, 's'),
      texts: parts.filter((p) => HOLE.test(p)).map((p) => p === '{text}'),
      pieces: id.split(HOLE).filter((p) => !HOLE.test(p)),
    });
}

/** Longer texts are not ours: none of them may cost time. */
const MAX_LENGTH = 4_000;

/** The text of a problem in Indonesian; what has no row of the table stays as it is. Total. */
export function inIndonesian(text: string): string {
  return translated(text, 4) ?? text;
}

function translated(text: string, depth: number): string | undefined {
  const known = exact.get(text);
  if (known !== undefined || depth === 0 || text.length > MAX_LENGTH) return known;
  for (const form of forms) {
    const found = text.startsWith(form.head) ? form.match.exec(text) : null;
    if (!found) continue;
    const filled = form.texts.map((isText, i) => (isText ? translated(found[i + 1]!, depth - 1) : found[i + 1]));
    if (filled.every((f) => f !== undefined))
      return form.pieces.reduce((out, piece, i) => out + filled[i - 1]! + piece);
  }
  return undefined;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
