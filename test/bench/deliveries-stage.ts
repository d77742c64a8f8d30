import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '#concurrency';
import { startReceiver, type ReceiverProcess } from '../kit/receiver/process.js';
import type { Rule } from '../kit/receiver/script.js';
import { caseEvent, CASE_TYPE } from './case-event.js';
import { benchKey, openBenchHub, type BenchEngine, type BenchHub } from './hub.js';
import type { ReaderPlace } from './pull-readers.js';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Body = Record<string, any>;
const BATCH = 500;
const SENDERS = 4;
const READY_MS = 100;
const LOOK_MS = 20;

/** What a bench of deliveries has started; all of it ends with the stage. */
export interface Stage extends AsyncDisposable {
  hub(engine: BenchEngine): Promise<DeliveryBench>;
  /** `record`: with what came in; otherwise requests are counted only. */
  receiver(record: boolean, rules?: readonly Rule[]): Promise<ReceiverProcess>;
}

export function openStage(): Stage {
  const stack = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'simpul-bench-deliveries-'));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  return {
    hub: async (engine) => stack.use(await DeliveryBench.open(engine, join(dir, engine))),
    receiver: async (record, rules = []) => {
      const started = await startReceiver({ record, rules });
      stack.defer(() => started.close());
      return started;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Resolves when a receiver has had so many requests. */
export async function untilRequests(to: ReceiverProcess, wanted: number): Promise<void> {
  while ((await to.counts()).requests < wanted) await pause(LOOK_MS);
}

/** A hub with subscriptions to the events of the bench, and how it is asked. */
export class DeliveryBench implements AsyncDisposable {
  readonly hub: BenchHub;
  readonly #key: string;
  #published = 0;

  private constructor(hub: BenchHub, key: string) {
    this.hub = hub;
    this.#key = key;
  }

  static async open(engine: BenchEngine, dir: string): Promise<DeliveryBench> {
    const hub = await openBenchHub({ app: 'hub', engine, dir, prefix: `b${process.pid}${Date.now()}.` });
    // On Kafka a courier joins its group after the doors are open.
    while ((await fetch(`http://${hub.host}:${hub.port}/health/ready`)).status !== 200) await pause(READY_MS);
    return new DeliveryBench(hub, await benchKey(hub));
  }

  get place(): ReaderPlace {
    return { url: `http://${this.hub.host}:${this.hub.port}`, key: this.#key };
  }

  async ask(method: string, path: string, body?: unknown, type = 'application/json'): Promise<Body> {
    const answer = await fetch(`http://${this.hub.host}:${this.hub.port}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#key}`,
        ...(body === undefined ? {} : { 'content-type': type }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? {} : (JSON.parse(text) as Body);
  }

  /** A subscription that is paused. */
  async subscribe(name: string, target: object): Promise<string> {
    const { id } = await this.ask('POST', '/v1/subscriptions', { name, types: [CASE_TYPE], target });
    await this.pause(id as string);
    return id as string;
  }

  async pause(id: string): Promise<void> {
    await this.ask('POST', `/v1/subscriptions/${id}/pause`, { why: 'bench' });
  }

  async resume(id: string): Promise<void> {
    await this.ask('POST', `/v1/subscriptions/${id}/resume`);
  }

  async remove(id: string): Promise<void> {
    await this.ask('DELETE', `/v1/subscriptions/${id}`);
  }

  /** Passes over what was published before. */
  async toEnd(id: string): Promise<void> {
    await this.ask('POST', `/v1/subscriptions/${id}/seek`, { to: 'end' });
  }

  /** Publishes so many events of so many subjects, as fast as batches go. */
  async backlog(count: number, subjects: number): Promise<void> {
    let at = 0;
    const sender = async (): Promise<void> => {
      while (at < count) {
        const events = Array.from({ length: Math.min(BATCH, count - at) }, () => {
          const n = at++;
          return caseEvent('b', n, n % subjects);
        });
        await this.#post(events);
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, sender));
  }

  /** Publishes so many events, each with a subject of its own unless `subjectOf` says another number; resolves when they are durable. */
  async publish(count: number, subjectOf?: (n: number) => number): Promise<readonly string[]> {
    const ids: string[] = [];
    for (let at = 0; at < count; at += BATCH) {
      const events = Array.from({ length: Math.min(BATCH, count - at) }, () => {
        const n = this.#published++;
        ids.push(`b-${n}`);
        return caseEvent('b', n, subjectOf?.(n));
      });
      await this.#post(events);
    }
    return ids;
  }

  #post(events: readonly string[]): Promise<Body> {
    return this.ask('POST', '/v1/events', `[${events.join(',')}]`, 'application/cloudevents-batch+json');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hub.stop();
  }
}
