import { setTimeout as pause } from 'node:timers/promises';
import type { HubClient } from './hub-client.js';
import { judgeFollowers, type FromKafka } from './followers.js';
import { judgeDeliveries, type Deliveries, type Readers } from './deliveries.js';
import { foldView, same, type Folded, type ViewFile } from './fold.js';
import { idOf, type History } from './history.js';
import { positionOf, readLog, type LogLine, type WholeLog } from './log.js';

/** The verdict (R14). */
export interface Verdict {
  readonly engine: string;
  readonly published: number;
  readonly acknowledged: number;
  readonly refused: number;
  readonly projected: number;
  readonly lost: number;
  readonly doubled: number;
  readonly misordered: number;
  readonly units: number;
  readonly seconds: number;
  /** Absent: nobody read straight from Kafka. */
  readonly kafka?: FromKafka;
  /** Absent: there was no subscription. */
  readonly deliveries?: Deliveries;
}

export interface Judgement {
  readonly verdict: Verdict;
  readonly problems: readonly string[];
  readonly good: boolean;
}

export interface JudgeOptions {
  readonly hub: HubClient;
  readonly history: History;
  readonly views: readonly ViewFile[];
  readonly engine: string;
  /** Of those that have subscriptions. @default none is known */
  readonly readers?: Readers;
  /** How long to wait for views that are still behind. @default 60 s */
  readonly waitMs?: number;
}

/** Pairs of events of one subject where the first was acknowledged before the second was sent, but has the greater offset. */
export function misorderedPairs(history: History, log: WholeLog): [LogLine, LogLine][] {
  const groups = new Map<string, { began: number; acked: number; at: LogLine }[]>();
  for (const o of history.offered.values()) {
    const at = log.firsts.get(idOf(o))?.[0];
    if (o.acked === undefined || at === undefined) continue;
    const group = `${at.stream}/${at.partition}\n${at.subject}`;
    groups.set(group, [...(groups.get(group) ?? []), { began: o.began, acked: o.acked, at }]);
  }
  const out: [LogLine, LogLine][] = [];
  for (const group of groups.values())
    for (const a of group)
      for (const b of group) if (a.acked < b.began && a.at.offset > b.at.offset) out.push([a.at, b.at]);
  return out;
}

/** Keys of events that were acknowledged, but are not in the log with the digest of their receipt, or are not shown to readers. */
function lostOnes(
  history: History,
  log: WholeLog,
  shown: ReadonlySet<string>,
  problem: (t: string) => void,
): Set<string> {
  const lost = new Set<string>();
  for (const [key, o] of history.offered) {
    if (o.acked === undefined) continue;
    const name = `${o.source} ${o.id} (${o.evtype})`;
    const first = log.firsts.get(key)?.[0];
    const found = o.receipts.some((r) => {
      const at = log.byPosition.get(r.position);
      return [at, first].some((l) => l !== undefined && idOf(l) === key && r.digest === `sha-256:${l.digest}`);
    });
    if (!found)
      problem(`lost: ${name} was acknowledged at ${o.receipts[0]?.position ?? '?'} and is not there with its digest`);
    else if (!shown.has(key)) problem(`lost: ${name} is in the log but readers do not get it`);
    else continue;
    lost.add(key);
  }
  return lost;
}

async function stateOf(hub: HubClient, view: string): Promise<Map<string, unknown>> {
  const out = new Map<string, unknown>();
  for await (const e of hub.state(view)) out.set(e.key, e.value);
  return out;
}

interface Difference {
  readonly key: string;
  readonly text: string;
  /** By how much a count is too high. */
  readonly tooMany: number;
}

function differences(view: ViewFile, folded: Folded, state: ReadonlyMap<string, unknown>): Difference[] {
  const out: Difference[] = [];
  const number = (v: unknown): number =>
    Number((v as Record<string, unknown> | undefined)?.[view.count ?? 'jumlah'] ?? 0);
  for (const key of new Set([...folded.entries.keys(), ...state.keys()])) {
    const want = folded.entries.get(key);
    const have = state.get(key);
    if (want !== undefined && have !== undefined && same(want, have)) continue;
    const tooMany = view.kind === 'count' || view.kind === 'timeline' ? Math.max(0, number(have) - number(want)) : 0;
    const why =
      have === undefined
        ? 'is missing'
        : want === undefined
          ? 'should not be there'
          : `differs in ${members(want, have)}`;
    out.push({ key, tooMany, text: `state: ${view.name} ${key} ${why}` });
  }
  return out;
}

/** Names of the members that differ. Values are left out: they may be personal data. */
function members(a: unknown, b: unknown): string {
  const x = a as Record<string, unknown>;
  const y = b as Record<string, unknown>;
  return [...new Set([...Object.keys(x), ...Object.keys(y)])].filter((n) => !same(x[n], y[n])).join(', ');
}

/** Reports events that readers got more than once. Returns how often each key (`idOf`) was given, and the number of repeats. */
function countShown(
  log: WholeLog,
  problem: (t: string) => void,
): { shown: ReadonlyMap<string, number>; repeats: number } {
  const shown = new Map<string, number>();
  let repeats = 0;
  for (const e of log.shown) {
    const n = (shown.get(idOf(e)) ?? 0) + 1;
    shown.set(idOf(e), n);
    if (n === 1) continue;
    repeats++;
    problem(`doubled: ${e.source} ${e.id} is given to readers ${n} times (${e.position})`);
  }
  return { shown, repeats };
}

/** Compares every view with a fold of the log, and waits for views that are still behind. */
async function judgeViews(
  { hub, views, waitMs = 60_000 }: JudgeOptions,
  log: WholeLog,
  problem: (t: string) => void,
): Promise<{ tooMany: number; behind: ReadonlySet<string> }> {
  const events = log.shown.filter((e) => !log.copies.has(e.position));
  const behind = new Set<string>();
  let tooMany = 0;
  for (const view of views) {
    const folded = foldView(view, events);
    const until = Date.now() + waitMs;
    let found: Difference[];
    for (;;) {
      found = differences(view, folded, await stateOf(hub, view.name));
      if (found.length === 0 || Date.now() > until) break;
      await pause(300);
    }
    for (const d of found) {
      tooMany += d.tooMany;
      problem(d.text);
    }
    const wrong = new Set(found.map((d) => d.key));
    if (wrong.size > 0)
      for (const [position, keys] of folded.touched) if (keys.some((k) => wrong.has(k))) behind.add(position);
  }
  return { tooMany, behind };
}

/** Judges a day: the history of the publishers against the log, the reads and the views of the hub. `good` only when there is no problem. */
export async function judge(options: JudgeOptions): Promise<Judgement> {
  const problems: string[] = [];
  const problem = (text: string): void => void problems.push(text);
  const { history } = options;
  const log = await readLog(options.hub, problem);
  const { shown, repeats } = countShown(log, problem);
  const lost = lostOnes(history, log, new Set(shown.keys()), problem);
  for (const key of history.refused)
    for (const line of log.firsts.get(key) ?? [])
      problem(`refused, but in the log: ${line.source} ${line.id} at ${positionOf(line)}`);
  const misordered = misorderedPairs(history, log);
  for (const [a, b] of misordered)
    problem(`order: ${positionOf(a)} was acknowledged before ${positionOf(b)} was sent (${a.subject})`);
  const fromKafka = judgeFollowers(history, log, problem);
  const deliveries = await judgeDeliveries(history, log, options.readers ?? (() => undefined), problem);
  const { tooMany, behind } = await judgeViews(options, log, problem);

  let acknowledged = 0;
  let projected = 0;
  for (const [key, event] of history.offered) {
    if (event.acked === undefined) {
      problem(
        `not acknowledged: ${event.source} ${event.id} (${event.evtype}) ${event.refusal ?? 'without an answer'}`,
      );
      continue;
    }
    acknowledged++;
    const first = log.firsts.get(key)?.[0];
    if (first !== undefined && shown.has(key) && !behind.has(positionOf(first))) projected++;
  }
  const verdict: Verdict = {
    engine: options.engine,
    published: history.offered.size,
    acknowledged,
    refused: history.refusals,
    projected,
    lost: lost.size,
    doubled: repeats + tooMany,
    misordered: misordered.length,
    units: history.units,
    seconds: Math.round(history.seconds * 10) / 10,
    ...(fromKafka === undefined ? {} : { kafka: fromKafka }),
    ...(deliveries === undefined ? {} : { deliveries }),
  };
  return { verdict, problems, good: problems.length === 0 && acknowledged > 0 && projected === acknowledged };
}
