import type { Received } from '../kit/receiver/script.js';
import { openStage, untilRequests, type Stage } from './deliveries-stage.js';
import { HEAD, row, whole, type Finding } from './finding.js';
import { ratioOfRates, type Round } from './measure.js';
import { underTest, untilCalm } from './rounds.js';

const HALF = 250;
/** Events of a round, and their subjects. */
const EACH = 200;
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
  let made = 0;
  /** Deliveries of the healthy half. `beside`: the others run; their targets are known to be down, or begin to fail in this round (`falling`). */
  const run = async (beside?: 'down' | 'falling'): Promise<Round> => {
    await each([...healthy, ...failing], (id) => hub.pause(id));
    const fresh = beside === 'falling' ? await subscriptions(hub, `jatuh-${made++}`, bad.url) : [];
    await hub.publish(EACH, (n) => n % SUBJECTS);
    if (beside === 'down') await each(failing, (id) => hub.resume(id));
    await untilCalm(hub.hub.pid);
    await good.forget();
    await each(fresh, (id) => hub.resume(id));
    const round = await underTest(hub.hub.pid, async () => {
      const began = performance.now();
      await each(healthy, (id) => hub.resume(id));
      await untilRequests(good, HALF * EACH);
      return { events: HALF * EACH, seconds: (performance.now() - began) / 1_000 };
    });
    judged.push(judge(await good.received()));
    await each(fresh, (id) => hub.remove(id));
    return round;
  };
  // The first failures take the targets down.
  await run('down');
  const found: Record<'alone' | 'down' | 'falling', Round[]> = { alone: [], down: [], falling: [] };
  for (let round = 0; round < ROUNDS; round++) {
    found.alone.push(await run());
    found.down.push(await run('down'));
    found.falling.push(await run('falling'));
  }
  const sum = (of: (one: Judged) => number): number => judged.reduce((all, one) => all + of(one), 0);
  return {
    title: `Push: ${2 * HALF} subscriptions, half of them with a receiver that answers 500`,
    head: HEAD,
    rows: [
      row('the healthy half alone', found.alone),
      row('beside a half whose targets are down', found.down),
      row('beside a half whose targets begin to fail', found.falling),
    ],
    bars: [
      {
        text: 'beside a half whose targets are down: rate against alone',
        value: ratioOfRates(found.down, found.alone),
        bar: 0.9,
      },
      {
        text: 'beside a half whose targets begin to fail: rate against alone',
        value: ratioOfRates(found.falling, found.alone),
        bar: 0.9,
      },
      { text: 'events out of order in their subject', value: sum((j) => j.misordered), bar: 0, atMost: true },
      { text: 'events that came twice', value: sum((j) => j.repeated), bar: 0, atMost: true },
    ],
    notes: [
      `${whole(EACH)} events of ${SUBJECTS} subjects a round, to each subscription; one host for each half, so 64 requests at a time to it.`,
    ],
  };
}
