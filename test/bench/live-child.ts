import { connect } from 'node:net';
import { pause } from '#concurrency';
import { caseEvent } from './case-event.js';
import { serve } from './child.js';
import { ConnectionPool } from './connection-pool.js';
import { post } from './load.js';

/** The readers and the publisher of the bench of live streams, in a process of their own. They count messages and do not parse them. */
export interface LiveReaders {
  readonly host: string;
  readonly port: number;
  /** Path of the live door. */
  readonly path: string;
  /** Readers share them in turn; the first one publishes. */
  readonly keys: readonly string[];
  readonly readers: number;
}

export interface LiveLoad {
  /** Events a second. */
  readonly rate: number;
  readonly seconds: number;
  /** Prefix of the event ids. */
  readonly run: string;
}

export interface LiveAnswer {
  /** Messages that all readers together received. */
  readonly events: number;
  readonly seconds: number;
  readonly published: number;
  /** Readers that did not receive exactly the published events. */
  readonly wrong: number;
  /** From the request of the publisher to the reader, for one reader in 50, ms. */
  readonly p50: number;
  readonly p99: number;
}

const MESSAGE = Buffer.from('\ndata: {');
const RETRY = Buffer.from('retry: ');
const OPENING_AT_ONCE = 50;
const DRAIN_MS = 10_000;

/** When each event of the running load was sent, by its number. */
const sent: number[] = [];
const latencies: number[] = [];
const readers: Reader[] = [];
let opened: LiveReaders | undefined;

class Reader {
  /** Messages since the load began. */
  count = 0;
  readonly opened: Promise<void>;
  readonly #sampled: boolean;
  /** The last bytes of the chunk before, because a message mark may be cut in two. */
  #rest: Buffer = Buffer.alloc(0);

  constructor({ host, port, path }: LiveReaders, key: string, sampled: boolean) {
    this.#sampled = sampled;
    const socket = connect({ host, port, noDelay: true });
    socket.write(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${key}\r\n\r\n`);
    this.opened = new Promise((done, fail) => {
      socket.on('error', fail);
      socket.once('close', () => fail(new Error('a live stream was closed')));
      socket.on('data', (chunk: Buffer) => {
        this.#take(this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]));
        if (chunk.includes(RETRY)) done();
      });
    });
  }

  #take(all: Buffer): void {
    let from = 0;
    for (let at = all.indexOf(MESSAGE); at >= 0; at = all.indexOf(MESSAGE, from)) {
      if (this.#sampled) latencies.push(performance.now() - sent[this.count]!);
      this.count++;
      from = at + MESSAGE.length;
    }
    this.#rest = Buffer.from(all.subarray(Math.max(from, all.length - MESSAGE.length + 1)));
  }
}

async function open(request: LiveReaders): Promise<void> {
  opened = request;
  for (let i = 0; i < request.readers; i++) {
    readers.push(new Reader(request, request.keys[i % request.keys.length]!, i % 50 === 0));
    if (i % OPENING_AT_ONCE === 0) await readers.at(-1)!.opened;
  }
  await Promise.all(readers.map((r) => r.opened));
}

async function load({ rate, seconds, run }: LiveLoad): Promise<LiveAnswer> {
  const { host, port, keys } = opened!;
  for (const reader of readers) reader.count = 0;
  sent.length = latencies.length = 0;
  const pool = new ConnectionPool(host, port, 8);
  const answers: Promise<unknown>[] = [];
  const began = performance.now();
  for (let passed = 0; passed < seconds * 1000; passed = performance.now() - began) {
    for (const due = (passed * rate) / 1000; sent.length < due;) {
      sent.push(performance.now());
      const event = caseEvent(run, sent.length);
      answers.push(pool.ask(post('/v1/events', host, keys[0]!, 'application/cloudevents+json', event)));
    }
    await pause(1);
  }
  await Promise.all(answers);
  const published = sent.length;
  const all = (): boolean => readers.every((r) => r.count >= published);
  for (const end = performance.now() + DRAIN_MS; !all() && performance.now() < end;) await pause(10);
  pool.close();
  latencies.sort((a, b) => a - b);
  const at = (q: number): number => latencies[Math.floor(latencies.length * q)] ?? Number.NaN;
  return {
    events: readers.reduce((sum, r) => sum + r.count, 0),
    seconds: (performance.now() - began) / 1000,
    published,
    wrong: readers.filter((r) => r.count !== published).length,
    p50: at(0.5),
    p99: at(0.99),
  };
}

serve<LiveReaders | LiveLoad>(async (request) => {
  if ('rate' in request) return load(request);
  await open(request);
  return { events: 0, seconds: 0 };
});
