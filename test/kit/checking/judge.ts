import { setTimeout as pause } from 'node:timers/promises';
import type { HubClient } from './hub-client.js';
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
    else if (!shown.has(key)) problem(`lost: ${name} lies in the log but the read door does not show it`);
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

export async function judge(o: JudgeOptions): Promise<Judgement> {
  const problems: string[] = [];
  const problem = (text: string): void => void problems.push(text);
  const { history } = o;
  const log = await readLog(o.hub, problem);
  let broken = problems.length;

  const shownIds = new Map<string, number>();
  let doubled = 0;
  for (const e of log.shown) {
    const n = (shownIds.get(idOf(e)) ?? 0) + 1;
    shownIds.set(idOf(e), n);
    if (n === 1) continue;
    doubled++;
    problem(`doubled: ${e.source} ${e.id} is shown ${n} times at the read door (${e.position})`);
  }
  const lost = lostOnes(history, log, new Set(shownIds.keys()), problem);
  for (const key of history.refused)
    for (const line of log.firsts.get(key) ?? []) {
      broken++;
      problem(`refused, but in the log: ${line.source} ${line.id} at ${positionOf(line)}`);
    }
  const misordered = misorderedPairs(history, log);
  for (const [a, b] of misordered)
    problem(`order: ${positionOf(a)} was acknowledged before ${positionOf(b)} was sent (${a.subject})`);

  const firsts = log.shown.filter((e) => !log.copies.has(e.position));
  const behind = new Set<string>();
  for (const view of o.views) {
    const folded = foldView(view, firsts);
    const until = Date.now() + (o.waitMs ?? 60_000);
    let found: Difference[];
    for (;;) {
      found = differences(view, folded, await stateOf(o.hub, view.name));
      if (found.length === 0 || Date.now() > until) break;
      await pause(300);
    }
    const wrong = new Set(found.map((d) => d.key));
    for (const d of found) {
      doubled += d.tooMany;
      broken++;
      problem(d.text);
    }
    if (wrong.size > 0)
      for (const [position, keys] of folded.touched) if (keys.some((k) => wrong.has(k))) behind.add(position);
  }

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
    if (first !== undefined && shownIds.has(key) && !behind.has(positionOf(first))) projected++;
  }
  const verdict: Verdict = {
    engine: o.engine,
    published: history.offered.size,
    acknowledged,
    refused: history.refusals,
    projected,
    lost: lost.size,
    doubled,
    misordered: misordered.length,
    units: history.units,
    seconds: Math.round(history.seconds * 10) / 10,
  };
  const good =
    broken === 0 &&
    lost.size === 0 &&
    doubled === 0 &&
    misordered.length === 0 &&
    acknowledged === history.offered.size &&
    acknowledged > 0 &&
    projected === acknowledged;
  return { verdict, problems, good };
}
