import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '#concurrency';
import { startReceiver, type ReceiverProcess } from '../kit/receiver/process.js';
import { caseEvent } from './case-event.js';
import { DeliveryBench } from './deliveries-stage.js';
import { HEAD, perCpu, row, type Finding } from './finding.js';
import type { BenchEngine } from './hub.js';
import { median, quantile, type Round } from './measure.js';
import { interleave, underTest, untilCalm } from './rounds.js';

/** Events of a round, and of a round of the fetch loop, which is slower. */
const PUSHED = 20_000;
const FETCHED = 5_000;
const CALLERS = 64;
const HALF = 250;
const EACH = 100;
const LOOK_MS = 20;
const PACE_MS = 10;
const PACED = 40;
const PACED_SECONDS = 5;

async function untilRequests(to: ReceiverProcess, wanted: number): Promise<number> {
  const began = performance.now();
  while ((await to.counts()).requests < wanted) await pause(LOOK_MS);
  return (performance.now() - began) / 1_000;
}

/** The backlog of one subscription, published while it was paused, goes out. */
async function pushed(hub: DeliveryBench, id: string, to: ReceiverProcess): Promise<Round> {
  await hub.pause(id);
  await hub.publish(PUSHED);
  await untilCalm(hub.hub.pid);
  await to.forget();
  return underTest(hub.hub.pid, async () => {
    const began = performance.now();
    await hub.resume(id);
    await untilRequests(to, PUSHED);
    return { events: PUSHED, seconds: (performance.now() - began) / 1_000 };
  });
}

/** The plain design: this process sends each event with fetch. Nothing is signed, recorded or ordered. */
async function fetched(to: ReceiverProcess): Promise<Round> {
  let sent = 0;
  const body = caseEvent('f', 1);
  const caller = async (): Promise<void> => {
    while (sent < FETCHED) {
      sent++;
      const answer = await fetch(to.url, {
        method: 'POST',
        headers: { 'content-type': 'application/cloudevents+json' },
        body,
      });
      await answer.arrayBuffer();
    }
  };
  return underTest(process.pid, async () => {
    const began = performance.now();
    await Promise.all(Array.from({ length: CALLERS }, caller));
    return { events: FETCHED, seconds: (performance.now() - began) / 1_000 };
  });
}

/** From the receipt of an event to its arrival, ms, at 4,000 events a second. */
async function latencies(hub: DeliveryBench, to: ReceiverProcess): Promise<Float64Array> {
  const acked = new Map<string, number>();
  await to.forget();
  const ends = performance.now() + PACED_SECONDS * 1_000;
  for (let next = performance.now(); next < ends; next += PACE_MS) {
    await pause(Math.max(0, next - performance.now()));
    const ids = await hub.publish(PACED);
    const at = Date.now();
    for (const id of ids) acked.set(id, at);
  }
  await untilRequests(to, acked.size);
  const found = (await to.received()).flatMap(({ at, events }) => events.map(({ id }) => at - acked.get(id)!));
  return Float64Array.from(found).sort();
}

/** The rate of the healthy half of 500 subscriptions, alone and beside a half that fails; and whether each got its subjects in order. */
async function besideFailing(hub: DeliveryBench, to: ReceiverProcess, bad: ReceiverProcess): Promise<number> {
  const make = (kind: string, url: string): Promise<string[]> =>
    Promise.all(
      Array.from({ length: HALF }, (_, n) =>
        hub.subscribe(`${kind}-${n}`, { kind: 'webhook', url: `${url}${kind}/${n}` }),
      ),
    );
  const healthy = await make('sehat', to.url);
  const failing = await make('gagal', bad.url);
  await bad.rules([{ answer: { status: 500 } }]);
  const ratios: number[] = [];
  const run = async (ids: readonly string[]): Promise<number> => {
    for (const id of [...healthy, ...failing]) await hub.pause(id);
    await hub.publish(EACH);
    await untilCalm(hub.hub.pid);
    await to.forget();
    for (const id of ids) await hub.resume(id);
    return (HALF * EACH) / (await untilRequests(to, HALF * EACH));
  };
  for (let round = 0; round < 3; round++) {
    const alone = await run(healthy);
    ratios.push((await run([...failing, ...healthy])) / alone);
  }
  return median(ratios);
}

/** `npm run bench -- deliveries`: what it costs to deliver, and whom a bad receiver holds up. */
export async function deliveriesBench(): Promise<Finding> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-bench-deliveries-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const receiver = async (record: boolean): Promise<ReceiverProcess> => {
    const started = await startReceiver({ record });
    stack.defer(() => started.close());
    return started;
  };
  const counted = await receiver(false);
  const open = async (engine: BenchEngine): Promise<{ hub: DeliveryBench; id: string }> => {
    const hub = stack.use(await DeliveryBench.open(engine, join(dir, engine)));
    return { hub, id: await hub.subscribe('dorong', { kind: 'webhook', url: counted.url }) };
  };
  const embedded = await open('embedded');
  const kafka = await open('kafka');
  const found = await interleave({
    embedded: () => pushed(embedded.hub, embedded.id, counted),
    kafka: () => pushed(kafka.hub, kafka.id, counted),
    fetch: () => fetched(counted),
  });
  const recording = await receiver(true);
  await embedded.hub.pause(embedded.id);
  const paced = await embedded.hub.subscribe('laju', { kind: 'webhook', url: recording.url });
  await embedded.hub.toEnd(paced);
  await embedded.hub.resume(paced);
  const quiet = await latencies(embedded.hub, recording);
  await embedded.hub.pause(paced);
  const share = await besideFailing(embedded.hub, counted, await receiver(false));
  const rate = (rounds: readonly Round[]): number => median(rounds.map((r) => r.events / r.seconds));
  return {
    title: 'Deliveries: one subscription with a webhook; receiver and hub on this machine, every attempt on record',
    head: HEAD,
    rows: [
      row('hub, embedded', found.embedded),
      row('hub, Kafka', found.kafka),
      row('a loop of fetch, nothing recorded', found.fetch),
    ],
    bars: [
      perCpu('embedded hub / loop of fetch', 4, found.embedded, found.fetch),
      perCpu('hub on Kafka / loop of fetch', 4, found.kafka, found.fetch),
      { text: 'embedded, deliveries a second', value: rate(found.embedded), bar: 12_000 },
      { text: 'Kafka, deliveries a second', value: rate(found.kafka), bar: 6_000 },
      {
        text: 'p99 from receipt to arrival at 4,000 a second, ms',
        value: quantile(quiet, 0.99),
        bar: 1_000,
        atMost: true,
      },
      { text: '500 subscriptions, half failing: rate of the healthy half against alone', value: share, bar: 0.9 },
    ],
  };
}
