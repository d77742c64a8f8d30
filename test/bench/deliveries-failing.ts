import type { Received } from '../kit/receiver/script.js';
import { openStage, untilRequests, type Stage } from './deliveries-stage.js';
import { whole, type Finding } from './finding.js';
import { median } from './measure.js';
import { untilCalm } from './rounds.js';

const HALF = 250;
/** Events of a round, and their subjects. */
const EACH = 100;
const SUBJECTS = 20;
const ROUNDS = 3;
/** Requests to the hub that run at a time. */
const TOGETHER = 50;

async function each(ids: readonly string[], work: (id: string) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < ids.length; at += TOGETHER) await Promise.all(ids.slice(at, at + TOGETHER).map(work));
}

interface Judged {
  readonly misordered: number;
  readonly repeated: number;
}

/** Whether each subscription got the events of each subject in the order of the log, each once. */
export function judge(all: readonly Received[]): Judged {
  const last = new Map<string, bigint>();
  const had = new Set<string>();
  let misordered = 0;
  let repeated = 0;
  for (const { subscription, events } of all)
    for (const { subject, position } of events) {
      const offset = BigInt(position!.slice(position!.lastIndexOf('/') + 1));
      const lane = `${subscription} ${subject}`;
      if (had.has(`${subscription} ${position}`)) repeated++;
      else if (offset < (last.get(lane) ?? -1n)) misordered++;
      had.add(`${subscription} ${position}`);
      last.set(lane, offset);
    }
  return { misordered, repeated };
}

/** Makes so many subscriptions, paused, each with a path of its own. */
async function subscriptions(hub: Awaited<ReturnType<Stage['hub']>>, name: string, url: string): Promise<string[]> {
  const ids: string[] = [];
  const names = Array.from({ length: HALF }, (_, n) => `${name}-${n}`);
  await each(names, async (one) => ids.push(await hub.subscribe(one, { kind: 'webhook', url: `${url}${one}` })));
  return ids;
}

/** `npm run bench -- deliveries-failing`: whether receivers that answer 500 hold up the others. */
export async function failingBench(): Promise<Finding> {
  await using stage = openStage();
  const hub = await stage.hub('embedded');
  const good = await stage.receiver(true);
  const bad = await stage.receiver(false, [{ answer: { status: 500 } }]);
  const healthy = await subscriptions(hub, 'sehat', good.url);
  const failing = await subscriptions(hub, 'gagal', bad.url);
  const judged: Judged[] = [];
  /** Deliveries a second of the healthy half. `beside`: the others run, from before (`down`) or from the same moment on (`falling`). */
  const run = async (beside?: 'down' | 'falling'): Promise<number> => {
    await each([...healthy, ...failing], (id) => hub.pause(id));
    await hub.publish(EACH, (n) => n % SUBJECTS);
    if (beside === 'down') await each(failing, (id) => hub.resume(id));
    await untilCalm(hub.hub.pid);
    await good.forget();
    const began = performance.now();
    await each(beside === 'falling' ? healthy.flatMap((id, n) => [failing[n]!, id]) : healthy, (id) => hub.resume(id));
    await untilRequests(good, HALF * EACH);
    const seconds = (performance.now() - began) / 1_000;
    judged.push(judge(await good.received()));
    return (HALF * EACH) / seconds;
  };
  await run();
  const rates: { readonly alone: number; readonly down: number; readonly falling: number }[] = [];
  for (let round = 0; round < ROUNDS; round++)
    rates.push({ alone: await run(), down: await run('down'), falling: await run('falling') });
  const sum = (of: (one: Judged) => number): number => judged.reduce((all, one) => all + of(one), 0);
  const share = (kind: 'down' | 'falling'): number => median(rates.map((r) => r[kind] / r.alone));
  const line = (name: string, kind: keyof (typeof rates)[0]): readonly string[] => [
    name,
    whole(median(rates.map((r) => r[kind]))),
    rates.map((r) => whole(r[kind])).join(' · '),
  ];
  return {
    title: `Push: ${2 * HALF} subscriptions, half of them with a receiver that answers 500`,
    head: ['the healthy half', 'events/s', 'of the rounds'],
    rows: [
      line('alone', 'alone'),
      line('beside a half that fails', 'down'),
      line('beside a half that begins at the same moment, and fails', 'falling'),
    ],
    bars: [
      { text: 'beside a half that fails: rate against alone', value: share('down'), bar: 0.9 },
      { text: 'beside a half that begins at the same moment: rate against alone', value: share('falling'), bar: 0.9 },
      { text: 'events out of order in their subject', value: sum((j) => j.misordered), bar: 0, atMost: true },
      { text: 'events that came twice', value: sum((j) => j.repeated), bar: 0, atMost: true },
    ],
    notes: [
      `${whole(EACH)} events of ${SUBJECTS} subjects a round, to each subscription; one host for each half, so 64 requests at a time to it.`,
    ],
  };
}
