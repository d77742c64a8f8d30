import { pause } from '#concurrency';
import type { ReceiverProcess } from '../kit/receiver/process.js';
import { openStage, type DeliveryBench } from './deliveries-stage.js';
import { whole, type Finding } from './finding.js';
import type { BenchEngine } from './hub.js';
import { quantile } from './measure.js';

/** Publishing in even steps. */
const PACE_MS = 10;
const PACED_SECONDS = 10;
/** A third of the rates that `deliveries-push` asks for. */
const RATES: Readonly<Record<BenchEngine, number>> = { embedded: 4_000, kafka: 2_000 };

/** Publishes so many events a second; from the receipt of each event to its arrival, ms. `wanted`: whether the event counts. */
export async function paced(
  hub: DeliveryBench,
  to: ReceiverProcess,
  options: { readonly rate: number; readonly seconds: number; readonly subjectOf?: (n: number) => number },
  wanted: (id: string) => boolean = () => true,
): Promise<Float64Array> {
  const { rate, seconds, subjectOf } = options;
  const acked = new Map<string, number>();
  await to.forget();
  const ends = performance.now() + seconds * 1_000;
  const each = (rate * PACE_MS) / 1_000;
  for (let next = performance.now(); next < ends; next += PACE_MS) {
    await pause(Math.max(0, next - performance.now()));
    const ids = await hub.publish(each, subjectOf);
    const at = Date.now();
    for (const id of ids) if (wanted(id)) acked.set(id, at);
  }
  const came = new Map<string, number>();
  while (came.size < acked.size) {
    for (const { at, answer, events } of await to.received())
      for (const { id } of events)
        if (acked.has(id) && answer === 204 && !came.has(id)) came.set(id, at - acked.get(id)!);
    if (came.size < acked.size) await pause(PACE_MS * 10);
  }
  return Float64Array.from(came.values()).sort();
}

/** `npm run bench -- deliveries-latency`: from the receipt of an event to its arrival at a webhook, at a third of the rate that is asked for. */
export async function deliveryLatencyBench(): Promise<Finding> {
  await using stage = openStage();
  const receiver = await stage.receiver(true);
  const found: { readonly engine: BenchEngine; readonly ms: Float64Array }[] = [];
  for (const engine of ['embedded', 'kafka'] as const) {
    const hub = await stage.hub(engine);
    const id = await hub.subscribe('laju', { kind: 'webhook', url: receiver.url });
    await hub.resume(id);
    const rate = RATES[engine];
    // The first seconds find the code cold, and begin with few requests at a time.
    await paced(hub, receiver, { rate: rate / 4, seconds: 3 });
    found.push({ engine, ms: await paced(hub, receiver, { rate, seconds: PACED_SECONDS }) });
    await hub.pause(id);
  }
  return {
    title: 'Push: from the receipt of an event to its arrival at a webhook',
    head: ['engine', 'events/s', 'p50 ms', 'p99', 'most'],
    rows: found.map(({ engine, ms }) => [
      engine,
      whole(RATES[engine]),
      ...[0.5, 0.99, 1].map((q) => whole(quantile(ms, q))),
    ]),
    bars: found.map(({ engine, ms }) => ({
      text: `${engine}, p99 from receipt to arrival at ${whole(RATES[engine])} events a second, ms`,
      value: quantile(ms, 0.99),
      bar: 1_000,
      atMost: true,
    })),
  };
}
