import type { ReceiverProcess } from '../kit/receiver/process.js';
import { caseEvent } from './case-event.js';
import { openStage, untilRequests, type DeliveryBench } from './deliveries-stage.js';
import { HEAD, perCpu, row, type Finding } from './finding.js';
import type { BenchEngine } from './hub.js';
import { median, type Round } from './measure.js';
import { interleave, underTest, untilCalm } from './rounds.js';

/** Events of a round, and of a round of the fetch loop, which is slower. */
const PUSHED = 20_000;
const FETCHED = 5_000;
const CALLERS = 64;

/** The backlog of one subscription, published while it was paused, goes out. */
async function pushed(hub: DeliveryBench, id: string, to: ReceiverProcess, requests = PUSHED): Promise<Round> {
  await hub.pause(id);
  await hub.publish(PUSHED);
  await untilCalm(hub.hub.pid);
  await to.forget();
  return underTest(hub.hub.pid, async () => {
    const began = performance.now();
    await hub.resume(id);
    await untilRequests(to, requests);
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

/** `npm run bench -- deliveries-push`: what it costs to deliver by a webhook, one event in each request. */
export async function pushBench(): Promise<Finding> {
  await using stage = openStage();
  const receiver = await stage.receiver(false);
  const open = async (engine: BenchEngine): Promise<() => Promise<Round>> => {
    const hub = await stage.hub(engine);
    const id = await hub.subscribe('dorong', { kind: 'webhook', url: receiver.url });
    return () => pushed(hub, id, receiver);
  };
  const found = await interleave({
    embedded: await open('embedded'),
    kafka: await open('kafka'),
    fetch: () => fetched(receiver),
  });
  const rate = (rounds: readonly Round[]): number => median(rounds.map((r) => r.events / r.seconds));
  return {
    title: 'Push: one subscription with a webhook; receiver and hub on this machine, every attempt on record',
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
    ],
  };
}
