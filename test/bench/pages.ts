import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '#concurrency';
import { CASE_STREAM, caseEvent } from './case-event.js';
import { ConnectionPool } from './connection-pool.js';
import type { Finding } from './finding.js';
import { benchKey, openBenchHub, type BenchEngine } from './hub.js';
import { post } from './load.js';
import { median, ratioPerCpu, type Round } from './measure.js';
import { interleave, ROUNDS, underTest, untilCalm } from './rounds.js';

const EVENTS = 30_000;
const BATCH = 100;
const SECONDS = 3;
/** How long a hub keeps what a fetch brought beyond a page: each round begins without it. */
const KEPT_MS = 6_000;

const KINDS = ['page of 1,000', 'page of 100', 'one event'] as const;
type Kind = (typeof KINDS)[number];
/** µs of CPU an event that the hub may take. */
const BARS: Readonly<Record<Kind, number>> = { 'page of 1,000': 25, 'page of 100': 40, 'one event': 500 };

interface Page {
  readonly events: readonly { readonly position?: string }[];
  readonly next: string;
}

/** A hub with events, and one reader of it. */
class Stage {
  readonly #pool: ConnectionPool;
  readonly #host: string;
  readonly #key: string;
  #positions: string[] = [];

  constructor(host: string, port: number, key: string) {
    this.#pool = new ConnectionPool(host, port, 8);
    this.#host = host;
    this.#key = key;
  }

  /** Publishes the events and waits until every one of them is readable. */
  async fill(run: string): Promise<void> {
    const batches = Array.from({ length: EVENTS / BATCH }, (_, b) =>
      Array.from({ length: BATCH }, (_, i) => caseEvent(run, b * BATCH + i)),
    );
    const type = 'application/cloudevents-batch+json';
    for (const answer of await Promise.all(
      batches.map((b) => this.#pool.ask(post('/v1/events', this.#host, this.#key, type, `[${b.join()}]`))),
    ))
      if (answer.status >= 300) throw new Error(`publish: ${answer.status} ${answer.body.slice(0, 300)}`);
    while (this.#positions.length < EVENTS) {
      this.#positions = [];
      for (let cursor: string | undefined; ;) {
        const page = await this.#page(1_000, cursor);
        for (const e of page.events) this.#positions.push(e.position ?? '');
        cursor = page.next;
        if (page.events.length === 0) break;
      }
      await pause(200);
    }
  }

  /** Reads for some seconds, page after page from the beginning, or events at random positions. */
  async read(kind: Kind): Promise<{ readonly events: number; readonly seconds: number }> {
    const began = performance.now();
    const passed = (): number => (performance.now() - began) / 1000;
    let events = 0;
    if (kind === 'one event')
      while (passed() < SECONDS) {
        const position = this.#positions[Math.floor(Math.random() * EVENTS)]!;
        await this.#get(`/v1/events/${position}`);
        events++;
      }
    else {
      const limit = kind === 'page of 100' ? 100 : 1_000;
      for (let cursor: string | undefined; passed() < SECONDS;) {
        const page = await this.#page(limit, cursor);
        events += page.events.length;
        cursor = page.events.length === 0 ? undefined : page.next;
      }
    }
    return { events, seconds: passed() };
  }

  close(): void {
    this.#pool.close();
  }

  async #page(limit: number, cursor: string | undefined): Promise<Page> {
    const place = cursor === undefined ? 'from=earliest' : `cursor=${encodeURIComponent(cursor)}`;
    return JSON.parse(await this.#get(`/v1/streams/${CASE_STREAM}/events?limit=${limit}&${place}`)) as Page;
  }

  async #get(path: string): Promise<string> {
    const head = `GET ${path} HTTP/1.1\r\nhost: ${this.#host}\r\nauthorization: Bearer ${this.#key}\r\n\r\n`;
    const answer = await this.#pool.ask(Buffer.from(head));
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.body.slice(0, 300)}`);
    return answer.body;
  }
}

async function measure(engine: BenchEngine): Promise<Record<Kind, Round[]>> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-bench-'));
  const prefix = `p${randomBytes(4).toString('hex')}.`;
  const hub = await openBenchHub({ app: 'hub', engine, dir: join(dir, 'hub'), prefix });
  const stage = new Stage(hub.host, hub.port, await benchKey(hub));
  try {
    await stage.fill(prefix);
    const variants = Object.fromEntries(
      KINDS.map((kind) => [kind, () => underTest(hub.pid, () => stage.read(kind))]),
    ) as Record<Kind, () => Promise<Round>>;
    return await interleave(variants, () => pause(KEPT_MS).then(() => untilCalm(hub.pid)));
  } finally {
    stage.close();
    await hub.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What a read costs the hub at its HTTP doors: pages of a stream, and one event by its position. */
export async function pagesBench(): Promise<Finding> {
  const embedded = await measure('embedded');
  const kafka = await measure('kafka');
  const micros = (rounds: readonly Round[]): number => median(rounds.map((r) => (r.cpu * 1e6) / r.events));
  return {
    title: `Reads at the HTTP doors: ${EVENTS.toLocaleString('en')} events of 1 KB, one reader, ${ROUNDS} rounds of ${SECONDS} s`,
    head: ['engine', 'read', 'CPU µs an event', 'events/s', 'per CPU, Kafka : embedded', 'CPU µs of the rounds'],
    rows: (['embedded', 'kafka'] as const).flatMap((engine) =>
      KINDS.map((kind) => {
        const rounds = (engine === 'kafka' ? kafka : embedded)[kind];
        return [
          engine,
          kind,
          micros(rounds).toFixed(1),
          median(rounds.map((r) => r.events / r.seconds)).toFixed(0),
          engine === 'kafka' ? ratioPerCpu(kafka[kind], embedded[kind]).toFixed(2) : '',
          rounds.map((r) => ((r.cpu * 1e6) / r.events).toFixed(1)).join(' · '),
        ];
      }),
    ),
    bars: KINDS.map((kind) => ({
      text: `kafka: ${kind}, CPU µs an event`,
      value: micros(kafka[kind]),
      bar: BARS[kind],
      atMost: true,
    })),
  };
}
