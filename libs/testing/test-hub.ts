import { pause } from '#concurrency';
import {
  connect,
  createPublisher,
  createReader,
  dataAs,
  dataschemaOf,
  newEvent,
  shapes,
  type Connection,
  type EventOf,
  type EventToken,
  type NewEvent,
  type Publisher,
  type Reader,
  type ReadEvent,
  type Receipt,
} from '#sdk';
import { TestHubFault } from './fault.js';
import { startProcess, type HubProcess } from './hub-process.js';

export interface TestHubOptions {
  /**
   * Contracts beside those that come with the hub: tokens, or Avro schemas as JSON text with the members of Simpul. One that the hub has already is not registered
   * again. @default none
   */
  readonly types?: readonly (EventToken | string)[];
  /** Partitions of each stream. @default 1 */
  readonly partitions?: number;
  /** File of the node that runs the hub, when the tests run with an older one. @default that of this process */
  readonly node?: string;
}

/** An event that another unit has published before the test. */
export type GivenEvent = { readonly unit: string; /** @default 'uji' */ readonly system?: string } & (
  NewEvent | (Omit<NewEvent, 'type' | 'data' | 'dataschema'> & { readonly token: EventToken; readonly data: object })
);

/** A hub for tests: the same doors, contracts and rules as in operation, with the embedded engine in a folder of its own. */
export interface TestHub {
  readonly url: string;
  readonly adminKey: string;
  /** An API key; the same one for the same words. @default system 'uji' */
  key(unit: string, roles: readonly string[], system?: string): Promise<string>;
  /**
   * Publishes the events, in their order, as their units; resolves with the receipts when everybody can read them (settled). Rejects with the `SdkFault` of the first
   * event that the hub refuses.
   */
  given(events: readonly GivenEvent[]): Promise<Receipt[]>;
  /** All events of a type that the hub has recorded, in the order of each subject, unmasked as a steward reads them. */
  published<T extends object>(type: EventToken<T>): Promise<EventOf<T>[]>;
  published(type: string): Promise<ReadEvent[]>;
  /**
   * Resolves when readers and views have everything that the hub has recorded so far. What a publisher has not sent yet is not waited for: call its `flush()` first.
   * Rejects with `test_hub_not_settled` at the deadline. @default 10 s
   */
  settled(options?: { readonly deadlineMs?: number }): Promise<void>;
  /** Ends the hub and removes its data. Idempotent. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Range {
  readonly partition: number;
  readonly high: number | string;
  readonly settled: number | string;
}

/** The unit and the role with which the hub itself is looked at. */
const STEWARD = ['SU00002', ['steward'], 'uji-hub'] as const;
const SETTLE_MS = 10_000;

class RunningTestHub implements TestHub {
  readonly url: string;
  readonly adminKey: string;
  readonly #process: HubProcess;
  readonly #connection: Connection;
  readonly #keys = new Map<string, Promise<string>>();
  readonly #publishers = new Map<string, Promise<Publisher>>();
  #stopping: Promise<void> | undefined;

  constructor(process: HubProcess) {
    this.#process = process;
    this.url = process.url;
    this.adminKey = process.adminKey;
    this.#connection = connect({ url: process.url, retry: { firstMs: 5, maxMs: 200 } });
  }

  key(unit: string, roles: readonly string[], system = 'uji'): Promise<string> {
    return once(this.#keys, JSON.stringify([unit, system, roles]), async () => {
      const { body } = await this.#connection.callWithRetry('/v1/keys', {
        method: 'POST',
        key: this.adminKey,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ unit, system, roles }),
        shape: shapes.texts('key'),
      });
      return (body as { key: string }).key;
    });
  }

  async given(events: readonly GivenEvent[]): Promise<Receipt[]> {
    const receipts: Receipt[] = [];
    for (const { unit, system = 'uji', ...rest } of events) {
      const publisher = await once(this.#publishers, `${unit}:${system}`, async () =>
        createPublisher({
          connection: this.#connection,
          key: await this.key(unit, ['publisher'], system),
          ...{ owner: unit, system },
        }),
      );
      receipts.push(await publisher.publish(eventOf(rest)));
    }
    await this.settled();
    return receipts;
  }

  async published<T extends object>(type: EventToken<T> | string): Promise<(EventOf<T> | ReadEvent)[]> {
    const name = typeof type === 'string' ? type : type.type;
    const reader = await this.#reader();
    const events: (EventOf<T> | ReadEvent)[] = [];
    await this.settled();
    for await (const e of reader.read(name.slice(0, name.lastIndexOf('.'))))
      if (e.type === name) events.push(typeof type === 'string' ? e : inFormOf(type, e));
    return events;
  }

  async settled({ deadlineMs = SETTLE_MS } = {}): Promise<void> {
    const until = performance.now() + deadlineMs;
    const left = (): number => Math.max(1, until - performance.now());
    const ask = async (path: string, shape = shapes.texts()): Promise<Record<string, unknown>> => {
      const key = await this.key(...keyOf(STEWARD));
      return (await this.#connection.callWithRetry(path, { key, shape, deadlineMs: left() })).body as never;
    };
    const { streams } = await ask('/v1/streams', shapes.listOf('streams', shapes.texts('name')));
    const ends = new Map<string, readonly Range[]>();
    const wait = async ({ name }: { readonly name: string }): Promise<void> => {
      for (;;) {
        const ranges = (await ask(`/v1/streams/${name}`))['ranges'] as readonly Range[];
        ends.set(name, ends.get(name) ?? ranges);
        const open = ranges.find((r, i) => BigInt(r.settled) < BigInt(ends.get(name)![i]?.high ?? 0));
        if (open === undefined) return;
        if (performance.now() > until) throw new TestHubFault('test_hub_not_settled', `${name}/${open.partition}`);
        await pause(5);
      }
    };
    await Promise.all((streams as { name: string }[]).map(wait));
    const { views } = await ask('/v1/views', shapes.listOf('views', shapes.texts('view')));
    const folds = (views as { view: string; streams: string[] }[]).flatMap(({ view, streams: folded }) =>
      folded.flatMap((stream) =>
        (ends.get(stream) ?? [])
          .filter(({ high }) => BigInt(high) > 0n)
          .map(({ partition, high }) => this.#folded(view, `${stream}/${partition}/${BigInt(high) - 1n}`, left())),
      ),
    );
    await Promise.all(folds);
  }

  /** Resolves when the view has folded this position: the answer about any key, also one that has no entry, waits for it. */
  async #folded(view: string, position: string, deadlineMs: number): Promise<void> {
    try {
      await (await this.#reader()).state(view, '-', { after: position, deadlineMs });
    } catch (e) {
      throw new TestHubFault('test_hub_not_settled', `${view} ${position}`, e);
    }
  }

  async #reader(): Promise<Reader> {
    return createReader({ connection: this.#connection, key: await this.key(...keyOf(STEWARD)) });
  }

  stop(): Promise<void> {
    this.#stopping ??= (async () => {
      for (const publisher of this.#publishers.values()) await (await publisher).close();
      await this.#connection.close();
      await this.#process.stop();
    })();
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

const keyOf = ([unit, roles, system]: typeof STEWARD) => [unit, roles, system] as const;

/** The value of this name, made once; a failure is not kept. */
function once<T>(made: Map<string, Promise<T>>, name: string, make: () => Promise<T>): Promise<T> {
  const known = made.get(name);
  if (known !== undefined) return known;
  const value = make();
  made.set(name, value);
  value.catch(() => made.delete(name));
  return value;
}

function eventOf(given: NewEvent | { readonly token: EventToken; readonly data: object }): NewEvent {
  if (!('token' in given)) return given;
  const { token, data, ...attributes } = given;
  return newEvent(token, data, attributes);
}

/** The event in the form of the token: its longs. An event of another version stays as the hub shows it. */
function inFormOf<T extends object>(token: EventToken<T>, event: ReadEvent): EventOf<T> {
  const own = event['dataschema'] === undefined || event['dataschema'] === dataschemaOf(token);
  return (own ? { ...event, data: dataAs(token, event.data) } : event) as unknown as EventOf<T>;
}

/** Starts a hub for tests on a free port of 127.0.0.1. Rejects with `TestHubFault`: `test_hub_missing`, `test_hub_node`, `test_hub_failed`. */
export async function startTestHub({ types = [], partitions = 1, node }: TestHubOptions = {}): Promise<TestHub> {
  const contracts = types.map((t) => (typeof t === 'string' ? t : t.schema));
  return new RunningTestHub(await startProcess({ contracts, partitions, ...(node === undefined ? {} : { node }) }));
}
