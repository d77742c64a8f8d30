import type { Context } from './context.js';

/** One cell: text without tabs and line breaks, a list of texts with commas, other values as JSON, a missing value as `-`. */
function cell(value: unknown): string {
  if (value === undefined || value === null) return '-';
  if (typeof value === 'string') return value.replaceAll(/[\t\r\n]/g, ' ');
  if (Array.isArray(value) && value.every((v) => typeof v === 'string')) return value.join(',');
  return JSON.stringify(value);
}

/** Prints rows: an aligned table on a terminal, tab-separated values without a header in a pipe, or JSON. Field names are never translated. */
export function printRows(ctx: Pick<Context, 'format'>, rows: readonly object[], columns: readonly string[]): void {
  if (ctx.format === 'json') {
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  if (ctx.format === 'jsonl') {
    for (const r of rows) process.stdout.write(`${JSON.stringify(r)}\n`);
    return;
  }
  const lines = rows.map((r) => columns.map((c) => cell((r as Record<string, unknown>)[c])));
  if (!process.stdout.isTTY) {
    for (const l of lines) process.stdout.write(`${l.join('\t')}\n`);
    return;
  }
  const widths = columns.map((c, i) => Math.min(60, Math.max(c.length, ...lines.map((l) => l[i]!.length))));
  const draw = (l: readonly string[]): string =>
    l
      .map((t, i) => (i === l.length - 1 ? t : t.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  process.stdout.write(`${draw(columns.map((c) => c.toUpperCase()))}\n`);
  for (const l of lines) process.stdout.write(`${draw(l)}\n`);
}

/** Prints one object as indented JSON (one line with -o jsonl). */
export function printOne(ctx: Context, value: unknown): void {
  process.stdout.write(`${ctx.format === 'jsonl' ? JSON.stringify(value) : JSON.stringify(value, null, 2)}\n`);
}
