import { readFileSync } from 'node:fs';

/** One line of the history file; the order of lines is the order in which things happened. */
export interface HistoryLine {
  readonly t: number;
  readonly process: string;
  readonly type: 'invoke' | 'ok' | 'fail' | 'info';
  readonly f: string;
  readonly source: string;
  readonly id: string;
  readonly evtype?: string;
  readonly stream?: string;
  readonly position?: string;
  readonly digest?: string;
  readonly duplicate?: boolean;
  readonly status?: number;
  readonly code?: string;
  /** Wrong on purpose: not counted as offered. */
  readonly bad?: boolean;
  /** Wrong because the id belongs to another event that was accepted. */
  readonly reuse?: boolean;
}

/** What the ministry says of one event that it offered. */
export interface Offered {
  readonly source: string;
  readonly id: string;
  readonly evtype: string;
  /** Line number of the first invoke. */
  readonly began: number;
  /** Line number of the first acknowledgement. */
  acked?: number;
  readonly receipts: { position: string; digest: string; duplicate: boolean }[];
  refusal?: string;
}

export interface History {
  readonly offered: ReadonlyMap<string, Offered>;
  /** (source, id) refused on purpose; must not lie in the log. */
  readonly refused: ReadonlySet<string>;
  /** How many answers were 4xx. */
  readonly refusals: number;
  readonly units: number;
  readonly seconds: number;
}

export const idOf = (e: { readonly source: string; readonly id: string }): string => `${e.source}\n${e.id}`;

export function readHistory(files: readonly string[]): History {
  const lines: HistoryLine[] = [];
  for (const file of files)
    for (const text of readFileSync(file, 'utf8').split('\n'))
      if (text !== '') {
        const line = JSON.parse(text) as HistoryLine;
        if (line.f === 'send') lines.push(line);
      }
  return foldHistory(lines);
}

export function foldHistory(lines: readonly HistoryLine[]): History {
  const offered = new Map<string, Offered>();
  const refused = new Set<string>();
  const bad = new Set<string>();
  const units = new Set<string>();
  let refusals = 0;
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (const [n, line] of lines.entries()) {
    const key = idOf(line);
    first = Math.min(first, line.t);
    last = Math.max(last, line.t);
    if (line.type === 'fail') refusals++;
    if (line.bad === true) {
      if (line.type === 'fail' && line.reuse !== true) refused.add(key);
      if (line.type === 'ok') bad.add(key);
      continue;
    }
    let o = offered.get(key);
    if (o === undefined) {
      o = { source: line.source, id: line.id, evtype: line.evtype ?? '', began: n, receipts: [] };
      offered.set(key, o);
    }
    if (line.type === 'ok') {
      o.acked ??= n;
      o.receipts.push({ position: line.position ?? '', digest: line.digest ?? '', duplicate: line.duplicate === true });
      if (line.source.startsWith('urn:simpul:unit:')) units.add(line.source.split(':')[3] ?? '');
    } else if (line.type === 'fail') {
      o.refusal = line.code ?? String(line.status);
      refused.add(key);
    }
  }
  for (const key of offered.keys()) if (offered.get(key)!.acked !== undefined) refused.delete(key);
  // Garbage that was taken is an event in the log all the same, and a fault of the hub.
  for (const key of bad) refused.add(key);
  return { offered, refused, refusals, units: units.size, seconds: last > first ? (last - first) / 1000 : 0 };
}
