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
  /** Of a line `subscribe`: its filters, and the recorded time from which on events are due. */
  readonly filters?: readonly SubscriptionFilter[];
  readonly since?: string;
  /** Of the lines `subscribe` and `deliver`: the id of the subscription. */
  readonly subscription?: string;
  readonly webhookId?: string;
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

/** Attributes, or fields of the data (`data.unit`), that must have these values. */
export interface SubscriptionFilter {
  readonly exact: Readonly<Record<string, string>>;
}

/** A webhook that came in, at its place in the history. */
export interface Arrival {
  /** Line number. */
  readonly at: number;
  readonly source: string;
  readonly id: string;
  readonly position: string;
  readonly webhookId: string;
  /** The receiver answered 2xx. */
  readonly taken: boolean;
}

/** A subscription, and every webhook of it, in that order. */
export interface Subscriber {
  readonly process: string;
  readonly subscription: string;
  readonly types: ReadonlySet<string>;
  readonly filters: readonly SubscriptionFilter[];
  readonly since: string;
  readonly arrivals: Arrival[];
}

export interface History {
  readonly followers: readonly Follower[];
  readonly subscribers: readonly Subscriber[];
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
  const subscribers = new Map<string, Subscriber>();
  let refusals = 0;
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (const [n, line] of lines.entries()) {
    const { process, source, id, position = '' } = line;
    if (line.f === 'follow') followers.set(process, { process, types: new Set(line.evtypes), received: [] });
    if (line.f === 'receive') followers.get(process)?.received.push({ source, id, position });
    if (line.f === 'subscribe') subscribers.set(line.subscription ?? '', subscriberOf(line));
    if (line.f === 'deliver')
      subscribers.get(line.subscription ?? '')?.arrivals.push({
        ...{ at: n, source, id, position },
        webhookId: line.webhookId ?? '',
        taken: line.type === 'ok',
      });
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
    subscribers: [...subscribers.values()],
    offered,
    refused,
    refusals,
    units: units.size,
    seconds: last > first ? (last - first) / 1000 : 0,
  };
}

const subscriberOf = ({ process, subscription, evtypes, filters, since }: HistoryLine): Subscriber => ({
  process,
  subscription: subscription ?? '',
  types: new Set(evtypes),
  filters: filters ?? [],
  since: since ?? '',
  arrivals: [],
});
