import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '#concurrency';
import { CASE_VIEW, caseEvent, caseNumber } from './case-event.js';
import { whole, type Bar, type Finding } from './finding.js';
import { benchKey, openBenchHub, type BenchEngine, type BenchHub } from './hub.js';
import { ConnectionPool } from './connection-pool.js';
import { post, runLoad } from './load.js';
import { median, quantile } from './measure.js';
import { ROUNDS } from './rounds.js';

const CONNECTIONS = 32;
const MAX_SECONDS = 3;
const SECONDS = 5;
/** Events a second whose latency into state is measured; the others are load. */
const FOLLOWED = 60;
const CALM_MS = 100;
const CALM_WITHIN_MS = 60_000;

interface Latencies {
  /** Milliseconds from the time when an event was due until its receipt, ascending. */
  readonly receipt: Float64Array;
  /** Milliseconds from the time when an event was due until state contains it, ascending. */
  readonly state: Float64Array;
}

class Publisher {
  readonly #writers: ConnectionPool;
  readonly #readers: ConnectionPool;
  #serial = 0;

  constructor(
    private readonly hub: BenchHub,
    private readonly key: string,
    private readonly run: string,
  ) {
    this.#writers = new ConnectionPool(hub.host, hub.port, 64);
    this.#readers = new ConnectionPool(hub.host, hub.port, 64);
  }

  request(n: number): Buffer {
    return post('/v1/events', this.hub.host, this.key, 'application/cloudevents+json', caseEvent(this.run, n));
  }

  next(): number {
    return this.#serial++;
  }

  async publish(n: number): Promise<string> {
    const { status, body } = await this.#writers.ask(this.request(n));
    if (status !== 201) throw new Error(`an event was answered with ${status}: ${body}`);
    return (JSON.parse(body) as { readonly position: string }).position;
  }

  /** Resolves when state contains this event. */
  async seen(n: number, position: string): Promise<void> {
    const path = `/v1/state/${CASE_VIEW}/${caseNumber(this.run, n)}?after=${position}`;
    const head = `GET ${path} HTTP/1.1\r\nhost: ${this.hub.host}\r\nauthorization: Bearer ${this.key}\r\nprefer: wait=20\r\n\r\n`;
    const { status, body } = await this.#readers.ask(Buffer.from(head));
    if (status !== 200) throw new Error(`state answered ${status}: ${body}`);
  }

  /** Open loop: events are sent at fixed times, so that a slow hub does not reduce the load (coordinated omission). */
  async openLoop(rate: number, seconds: number): Promise<Latencies> {
    const receipt: number[] = [];
    const state: number[] = [];
    const every = Math.max(1, Math.floor(rate / FOLLOWED));
    const running = new Set<Promise<void>>();
    let failed: unknown;
    const count = Math.floor(rate * seconds);
    const began = performance.now();
    const one = async (i: number): Promise<void> => {
      const due = began + (i * 1000) / rate;
      const n = this.next();
      const position = await this.publish(n);
      receipt.push(performance.now() - due);
      if (i % every !== 0) return;
      await this.seen(n, position);
      state.push(performance.now() - due);
    };
    for (let i = 0; i < count && failed === undefined;) {
      for (const until = Math.min(count, ((performance.now() - began) * rate) / 1000); i < until; i++) {
        const going = one(i)
          .catch((e: unknown) => void (failed ??= e))
          .finally(() => running.delete(going));
        running.add(going);
      }
      await pause(1);
    }
    await Promise.all(running);
    if (failed !== undefined) throw failed instanceof Error ? failed : new Error(String(failed));
    return { receipt: Float64Array.from(receipt).sort(), state: Float64Array.from(state).sort() };
  }

  /** Waits until the events of the load before are folded. */
  async untilCalm(): Promise<void> {
    for (const end = performance.now() + CALM_WITHIN_MS; ;) {
      const { state } = await this.openLoop(16, 1);
      if (quantile(state, 1) < CALM_MS) return;
      if (performance.now() > end)
        throw new Error(`state stays ${Math.round(quantile(state, 1))} ms behind without load`);
    }
  }

  close(): void {
    this.#writers.close();
    this.#readers.close();
  }
}

async function measure(engine: BenchEngine): Promise<{ max: number; rate: number; rounds: readonly Latencies[] }> {
  const run = `l${randomBytes(4).toString('hex')}`;
  const dir = mkdtempSync(join(tmpdir(), 'simpul-bench-'));
  const hub = await openBenchHub({ app: 'hub', engine, dir: join(dir, 'hub'), prefix: `${run}.` });
  const publisher = new Publisher(hub, await benchKey(hub), run);
  try {
    const rates: number[] = [];
    for (let i = 0; i < 4; i++) {
      const { host, port } = hub;
      const request = (): Buffer => publisher.request(publisher.next());
      const done = await runLoad({ host, port, connections: CONNECTIONS, seconds: MAX_SECONDS, request });
      // The first round is the warm-up.
      if (i > 0) rates.push(done.answered / done.seconds);
    }
    const max = median(rates);
    const rate = max / 3;
    await publisher.untilCalm();
    const rounds: Latencies[] = [];
    for (let i = 0; i < ROUNDS; i++) rounds.push(await publisher.openLoop(rate, SECONDS));
    return { max, rate, rounds };
  } finally {
    publisher.close();
    await hub.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The time from the publisher until state contains the event, at a third of the maximum rate of the hub, on both engines. */
export async function latencyBench(): Promise<Finding> {
  const rows: string[][] = [];
  const bars: Bar[] = [];
  for (const engine of ['embedded', 'kafka'] as const) {
    const { max, rate, rounds } = await measure(engine);
    const of = (which: keyof Latencies, q: number): number => median(rounds.map((r) => quantile(r[which], q)));
    const ms = (which: keyof Latencies, q: number): string => of(which, q).toFixed(1);
    rows.push([
      engine,
      whole(max),
      whole(rate),
      ms('receipt', 0.5),
      ms('receipt', 0.99),
      ms('state', 0.5),
      ms('state', 0.99),
      rounds.map((r) => quantile(r.state, 0.99).toFixed(0)).join(' · '),
    ]);
    bars.push({
      text: `${engine}: p99 from publish to visible in state, ms`,
      value: of('state', 0.99),
      bar: 250,
      atMost: true,
    });
  }
  return {
    title: 'Latency: publish to visible in state, open loop at a third of the maximum rate, hub in one process',
    head: ['engine', 'max events/s', 'events/s', 'receipt p50 ms', 'p99', 'state p50 ms', 'p99', 'p99 of the rounds'],
    rows,
    bars,
  };
}
