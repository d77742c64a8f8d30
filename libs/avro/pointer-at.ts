import { escapeToken } from './walk.js';

/** RFC 6901 pointer to the object or list that holds the byte at this index of a JSON text. It reads the text again: only for a refusal. */
export function pointerAt(buf: Buffer, index: number): string {
  const path: (string | number)[] = [];
  for (let i = 0; i < index; i++) {
    const c = String.fromCharCode(buf[i]!);
    if (c === '"') {
      const end = closingQuote(buf, i + 1);
      // The name of a member, or a text value: the next colon tells.
      if (typeof path.at(-1) === 'string' && isName(buf, end + 1)) path[path.length - 1] = nameOf(buf, i, end);
      i = end;
    } else if (c === '{') path.push('');
    else if (c === '[') path.push(0);
    else if (c === '}' || c === ']') path.pop();
    else if (c === ',' && typeof path.at(-1) === 'number') path[path.length - 1] = Number(path.at(-1)) + 1;
  }
  return path
    .slice(0, -1)
    .map((token) => `/${escapeToken(token)}`)
    .join('');
}

function closingQuote(buf: Buffer, from: number): number {
  let i = from;
  while (i < buf.length && buf[i] !== 34) i += buf[i] === 92 ? 2 : 1;
  return i;
}

function isName(buf: Buffer, from: number): boolean {
  let i = from;
  while (buf[i] === 32 || buf[i] === 9 || buf[i] === 10 || buf[i] === 13) i++;
  return buf[i] === 58;
}

function nameOf(buf: Buffer, quote: number, end: number): string {
  try {
    return JSON.parse(buf.toString('utf8', quote, end + 1)) as string;
  } catch {
    return '';
  }
}
