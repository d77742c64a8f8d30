import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeliveryBench } from './deliveries-stage.js';
import { cpuMicros, whole, type Finding } from './finding.js';
import type { BenchEngine } from './hub.js';
import { median, type Round } from './measure.js';
import { byHand, bySdk, type CatchUp } from './pull-readers.js';
import { interleave, underTest, untilCalm } from './rounds.js';

/** The CPU of the hub, and that of this process, which reads. */
interface PullRound extends Round {
  readonly readerCpu: number;
}

const EVENTS = 200_000;
const MILLION = 1_000_000;
const SUBJECTS = 50_000;
const BAR = 20_000;

async function caughtUp(hub: DeliveryBench, name: string, wanted: number, read: CatchUp): Promise<PullRound> {
  await untilCalm(hub.hub.pid);
  const before = process.cpuUsage();
  const round = await underTest(hub.hub.pid, async () => {
    const began = performance.now();
    await read(hub.place, name, wanted);
    return { events: wanted, seconds: (performance.now() - began) / 1_000 };
  });
  const { user, system } = process.cpuUsage(before);
  return { ...round, readerCpu: (user + system) / 1e6 };
}

const rowOf = (name: string, rounds: readonly PullRound[]): readonly string[] => [
  name,
  whole(median(rounds.map((r) => r.events / r.seconds))),
  median(rounds.map(cpuMicros)).toFixed(1),
  median(rounds.map((r) => (r.readerCpu * 1e6) / r.events)).toFixed(1),
  rounds.map((r) => whole(r.events / r.seconds)).join(' · '),
];

async function bench(engines: readonly BenchEngine[], events: number, isOnce: boolean): Promise<Finding> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-bench-pull-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const variants: Record<string, () => Promise<PullRound>> = {};
  let made = 0;
  for (const engine of engines) {
    const hub = stack.use(await DeliveryBench.open(engine, join(dir, engine)));
    await hub.backlog(events, SUBJECTS);
    variants[`pull and commit, ${engine}`] = () => caughtUp(hub, `tarik-${made++}`, events, byHand);
    variants[`subscribe() of the SDK, ${engine}`] = () => caughtUp(hub, `langgan-${made++}`, events, bySdk);
  }
  const found: Record<string, PullRound[]> = {};
  if (isOnce) for (const [name, run] of Object.entries(variants)) found[name] = [await run()];
  else Object.assign(found, await interleave(variants));
  return {
    title: `Catch-up of one reader by pull: ${whole(events)} events of about 1 KB, ${whole(SUBJECTS)} subjects, leases of 1,000, each event committed; hub and reader on this machine`,
    head: ['', 'events/s', 'CPU µs an event, hub', 'CPU µs an event, reader', 'rates of the rounds'],
    rows: Object.entries(found).map(([name, rounds]) => rowOf(name, rounds)),
    bars: Object.entries(found).map(([name, rounds]) => ({
      text: `${name}, events a second`,
      value: median(rounds.map((r) => r.events / r.seconds)),
      bar: BAR,
    })),
  };
}

/** `npm run bench -- pull`: how fast one reader that was away gets what it missed. */
export const pullBench = (): Promise<Finding> => bench(['embedded', 'kafka'], EVENTS, false);

/** `npm run bench -- pull-million`: the same over 1,000,000 events, once, on an embedded hub. */
export const pullMillionBench = (): Promise<Finding> => bench(['embedded'], MILLION, true);
