import { readFileSync } from 'node:fs';

/** One line of the history file. The order of the lines is the order in which the steps happened. */
export interface HistoryLine {
  readonly t: number;
  readonly process: string;
  readonly type: 'invoke' | 'ok' | 'fail' | 'info';
  readonly f: string;
  readonly source: string;
  readonly id: string;
  readonly evtype?: string;
  /** Of a line `follow`: what a program reads straight from Kafka. */
  readonly evtypes?: readonly string[];
  readonly stream?: string;
  readonly position?: string;
  readonly digest?: string | undefined;
  readonly duplicate?: boolean;
  readonly status?: number;
  readonly code?: string;
  /** Invalid on purpose: not counted as published. */
  readonly bad?: boolean;
  /** Invalid because its id is that of an accepted event with other content (R2.5). */
  readonly reuse?: boolean;
}

/** What the history says about one event that was sent. */
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

/** A program that reads straight from Kafka, and what it received, in that order. */
export interface Follower {
  readonly process: string;
  readonly types: ReadonlySet<string>;
  readonly received: { readonly source: string; readonly id: string; readonly position: string }[];
}

export interface History {
  readonly followers: readonly Follower[];
  readonly offered: ReadonlyMap<string, Offered>;
  /** Keys (`idOf`) of refused events: they must not be in the log. */
  readonly refused: ReadonlySet<string>;
  /** Number of 4xx answers. */
  readonly refusals: number;
  readonly units: number;
  readonly seconds: number;
}

export const idOf = (e: { readonly source: string; readonly id: string }): string => `${e.source}\n${e.id}`;

export function readHistory(files: readonly string[]): History {
  const lines: HistoryLine[] = [];
  for (const file of files)
    for (const text of readFileSync(file, 'utf8').split('\n'))
      if (text !== '') lines.push(JSON.parse(text) as HistoryLine);
  return foldHistory(lines);
}

export function foldHistory(lines: readonly HistoryLine[]): History {
  const offered = new Map<string, Offered>();
  const refused = new Set<string>();
  const acceptedInvalid = new Set<string>();
  const units = new Set<string>();
  const followers = new Map<string, Follower>();
  let refusals = 0;
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (const [n, line] of lines.entries()) {
    const { process, source, id, position = '' } = line;
    if (line.f === 'follow') followers.set(process, { process, types: new Set(line.evtypes), received: [] });
    if (line.f === 'receive') followers.get(process)?.received.push({ source, id, position });
    if (line.f !== 'send') continue;
    const key = idOf(line);
    first = Math.min(first, line.t);
    last = Math.max(last, line.t);
    if (line.type === 'fail') refusals++;
    if (line.bad === true) {
      if (line.type === 'fail' && line.reuse !== true) refused.add(key);
      if (line.type === 'ok') acceptedInvalid.add(key);
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
  // An invalid event that the hub accepted is a fault of the hub, so it counts as one that must not be in the log.
  for (const key of acceptedInvalid) refused.add(key);
  return {
    followers: [...followers.values()],
    offered,
    refused,
    refusals,
    units: units.size,
    seconds: last > first ? (last - first) / 1000 : 0,
  };
}
