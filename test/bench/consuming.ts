import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConsumer, HubSource, onEvent } from '#consuming';
import { createReader, defineEvent, type Reader } from '#sdk';
import { CASE_STREAM, CASE_TYPE, caseEvent } from './case-event.js';
import { ConnectionPool } from './connection-pool.js';
import { cpuMicros, HEAD, row, type Finding } from './finding.js';
import { benchKey, openBenchHub } from './hub.js';
import { post } from './load.js';
import { median } from './measure.js';
import { interleave, ROUNDS, underTest } from './rounds.js';

const EVENTS = 30_000;
const BATCH = 100;
const CASE = defineEvent({ type: CASE_TYPE, stream: CASE_STREAM, version: 1, schema: '{}' });

async function bare(reader: Reader): Promise<void> {
  let events = 0;
  for await (const page of reader.pages(CASE_STREAM, { from: 'earliest', limit: 1_000, follow: true }))
    if ((events += page.events.length) >= EVENTS) return;
}

async function consumed(reader: Reader): Promise<void> {
  let events = 0;
  const all = Promise.withResolvers<void>();
  const places = { load: () => undefined, save: () => undefined };
  const handler = onEvent(CASE, async () => {
    await null;
    if (++events === EVENTS) all.resolve();
  });
  const consumer = createConsumer({ source: new HubSource({ reader, places }), handlers: [handler] });
  const running = consumer.run();
  await Promise.race([all.promise, running]);
  await consumer.stop();
  await running;
}

/** The consumer over HTTP: events a second of one process, and what it adds to each event beside the bare pages of the SDK. */
export async function consumingBench(): Promise<Finding> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-bench-'));
  const run = randomBytes(4).toString('hex');
  const hub = await openBenchHub({ app: 'hub', engine: 'embedded', dir: join(dir, 'hub'), prefix: `v${run}.` });
  const key = await benchKey(hub);
  const reader = createReader({ url: `http://${hub.host}:${hub.port}`, key });
  try {
    const pool = new ConnectionPool(hub.host, hub.port, 8);
    const type = 'application/cloudevents-batch+json';
    for (let at = 0; at < EVENTS; at += BATCH) {
      const events = Array.from({ length: BATCH }, (_, i) => caseEvent(run, at + i));
      const answer = await pool.ask(post('/v1/events', hub.host, key, type, `[${events.join()}]`));
      if (answer.status >= 300) throw new Error(`publish: ${answer.status} ${answer.body.slice(0, 300)}`);
    }
    pool.close();
    await bare(reader);
    const timed = (work: () => Promise<void>) => () =>
      underTest(process.pid, async () => {
        const began = performance.now();
        await work();
        return { events: EVENTS, seconds: (performance.now() - began) / 1000 };
      });
    const rounds = await interleave({ bare: timed(() => bare(reader)), consumer: timed(() => consumed(reader)) });
    return {
      title: `Handlers over HTTP: ${EVENTS} events of about 1 KB from an embedded hub, ${ROUNDS} rounds`,
      head: HEAD,
      rows: [row('pages of the SDK', rounds.bare), row('consumer with a handler', rounds.consumer)],
      bars: [
        {
          text: 'events a second of a consumer over HTTP',
          value: median(rounds.consumer.map((r) => r.events / r.seconds)),
          bar: 20_000,
        },
        {
          text: 'CPU µs an event that the consumer adds',
          value: median(rounds.consumer.map((r, i) => cpuMicros(r) - cpuMicros(rounds.bare[i]!))),
          bar: 15,
          atMost: true,
        },
      ],
    };
  } finally {
    await reader.close();
    await hub.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
