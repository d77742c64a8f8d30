/** Characters that change how a line of source code looks or where it ends: controls, bidi controls, line separators, and half characters. */
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|\p{Surrogate}/gu;

const escaped = (c: string): string => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** A string literal of TypeScript. */
export function literal(text: string): string {
  return `'${text.replaceAll(/[\\']/g, '\\$&').replaceAll(UNSAFE, escaped)}'`;
}

/** A documentation comment with these paragraphs; empty without any. Text of a contract cannot end it, and is no tag (`@deprecated`, `@ts-ignore`). */
export function comment(paragraphs: readonly string[], indent = ''): string {
  const lines = paragraphs.flatMap((p) => p.split(/\r\n|[\r\n]/)).map(inComment);
  const [only, ...more] = lines.filter((line) => line !== '');
  if (only === undefined) return '';
  if (more.length === 0) return `${indent}/** ${only} */\n`;
  return [`${indent}/**`, ...[only, ...more].map((line) => `${indent} * ${line}`), `${indent} */\n`].join('\n');
}

function inComment(line: string): string {
  return line
    .trim()
    .replaceAll('*/', '*\\/')
    .replaceAll(/(^|[^\w.])@/g, '$1\\@')
    .replaceAll(UNSAFE, escaped);
}
