import { pause, withDeadline } from '#concurrency';
import { sourceUrn, streamOf } from '#event';
import { FAULTS, type FaultRow } from '#faults';
import { isObject, isProblem, type Shape } from './answer.js';
import { attributesOf, avroHeaders, inJsonForm } from './binary-form.js';
import { backoffMs, connect, type Connection, type Reply } from './connection.js';
import { faultOf, SdkFault, unanswered } from './fault.js';
import { createIds } from './ids.js';
import { KeyedQueue, type Turn } from './keyed-queue.js';
import { SequenceNumbers } from './sequence-numbers.js';
import { isReceipt } from './shapes.js';

/** An event to publish. Only type and data are required; the hub computes the subject. */
export interface NewEvent {
  readonly type: string;
  /** The Avro record as plain JSON. */
  readonly data: Readonly<Record<string, unknown>>;
  /** @default a new id in the form of a ULID */
  readonly id?: string;
  /** RFC 3339. @default now */
  readonly time?: string;
  readonly subject?: string;
  readonly dataschema?: string;
  /** W3C trace context of the cause of this event; readers of the event receive it. */
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** CloudEvents extensions: `korelasi`, `kausasi`, … */
  readonly extensions?: Readonly<Record<string, string>>;
  /**
   * Ordering key: events of one stream with the same key are sent one after another (R3.7). @default the subject, else one key for the whole stream.
   * Use the clear subject (the case number), so that a waiting case does not delay others. The key is never sent.
   */
  readonly orderingKey?: string;
}

/** An event with everything that is sent. */
export interface PreparedEvent extends NewEvent {
  readonly id: string;
  readonly source: string;
  readonly time: string;
}

export interface Receipt {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly stream: string;
  readonly partition: number;
  readonly offset: string | number;
  readonly position: string;
  /** `sha-256:<hex>`; absent when the receipt is asked for by a key that reads the event masked. */
  readonly digest?: string;
  readonly recordedtime: string;
  readonly duplicate: boolean;
  /** A test event (extension `simpultest`): it is in `_simpul.test`, and in no stream. */
  readonly test?: true;
}

export type Outcome =
  { readonly ok: true; readonly receipt: Receipt } | { readonly ok: false; readonly fault: SdkFault };

/** A step in the life of one event: `invoke` before it is sent, `info` after each attempt with an uncertain outcome, then `ok` or `fail` once. */
export type Step =
  | { readonly kind: 'invoke'; readonly event: PreparedEvent }
  | { readonly kind: 'ok'; readonly event: PreparedEvent; readonly status: number; readonly receipt: Receipt }
  | { readonly kind: 'fail' | 'info'; readonly event: PreparedEvent; readonly fault: SdkFault };

export interface PublisherOptions {
  /** Address of the hub; not used when `connection` is given. @default http://127.0.0.1:8080 */
  readonly url?: string;
  /** A connection to share. Without it the publisher opens its own to `url`. */
  readonly connection?: Connection;
  /** API key. */
  readonly key: string;
  /** The unit of the key: `SU…` or `EXT-…`. */
  readonly owner: string;
  /** Name of the system of that unit. */
  readonly system: string;
  /** Most requests in flight. @default 8 */
  readonly width?: number;
  /** Longest wait of publish() for the outcome, ms; after it the publisher still sends the event. @default no limit */
  readonly deadlineMs?: number;
  /** ms since 1970. @default Date.now */
  readonly now?: () => number;
  /** A random number in [0, 1). @default that of the connection */
  readonly random?: () => number;
  /** Last `urutanunit` used per stream, from an earlier run: the result of sequences(). */
  readonly sequences?: Readonly<Record<string, number>>;
  readonly report?: PublisherReport;
}

export interface PublisherReport {
  readonly step?: (step: Step) => void;
}

export interface Publisher {
  /** The CloudEvents source of this publisher: `urn:simpul:unit:<owner>:<system>`. */
  readonly source: string;
  /** Fills in id, source, time and `urutanunit`. Every publish() of the result sends the same event, so it is idempotent. */
  prepare(event: NewEvent): PreparedEvent;
  /**
   * Resolves with the receipt of the hub: the event is durable. Retries while the outcome is uncertain. Rejects with `SdkFault`: a refusal (4xx; nothing was
   * written; later events of the ordering key are sent), `not_settled` when deadlineMs is over (the outcome is uncertain; the event keeps its place in the
   * order and is still sent), or `closed`. `avro`: the data as bare Avro of the version that `dataschema` names (`encodeEvent`), sent in place of the JSON: less to
   * send and to parse, the same event, receipt and refusals. Ignored without a `dataschema`, and when the attributes are too long for headers.
   */
  publish(event: NewEvent, avro?: Uint8Array): Promise<Receipt>;
  /** Publishes a list in requests of at most 1,000 events or 4 MiB (NDJSON). Outcomes in the order of the events; a refused event does not stop the others. */
  publishBatch(events: readonly NewEvent[]): Promise<Outcome[]>;
  /** Number of requests (single events and batches) whose outcome is open. */
  readonly pending: number;
  /** Resolves when every event has its outcome. */
  flush(): Promise<void>;
  /** Last `urutanunit` used per stream: the option `sequences` of the next run. */
  sequences(): Record<string, number>;
  /** Stops sending. Events without an outcome reject with `closed`, so call flush() first to lose none. */
  close(): Promise<void>;
}

const MAX_BATCH_EVENTS = 1000;
const MAX_BATCH_BYTES = 4 << 20;
const NDJSON = { 'content-type': 'application/x-ndjson' };
const ONE_JSON = { 'content-type': 'application/cloudevents+json' };

const serialize = (e: PreparedEvent): string => JSON.stringify({ ...attributesOf(e), data: e.data });

/** An event in a request. */
interface Item {
  readonly event: PreparedEvent;
}

/** An event that is the only one of its request. */
interface SingleItem extends Item {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

interface BatchItem extends Item {
  readonly body: string;
}

interface BatchReply {
  readonly reply: Reply;
  readonly items: readonly ItemReply[];
}
type Send<I extends Item> = (items: readonly I[]) => Promise<BatchReply>;

class HttpPublisher implements Publisher {
  readonly source: string;
  readonly #options: PublisherOptions;
  readonly #connection: Connection;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #newId: () => string;
  readonly #queue: KeyedQueue;
  readonly #numbers: SequenceNumbers;
  /** `urutanunit` of each event without an outcome, by event id. */
  readonly #numberOf = new Map<string, number>();
  readonly #stop = new AbortController();

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#connection = options.connection ?? connect({ url: options.url ?? 'http://127.0.0.1:8080' });
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? this.#connection.random;
    this.#newId = createIds({ now: this.#now, random: this.#random });
    this.#queue = new KeyedQueue(options.width ?? 8);
    this.#numbers = new SequenceNumbers(options.sequences);
    this.source = sourceUrn(options.owner, options.system);
  }

  get pending(): number {
    return this.#queue.pending;
  }

  prepare(event: NewEvent): PreparedEvent {
    const { source } = this;
    const { id, time, extensions } = event;
    if (extensions?.['urutanunit'] !== undefined && id !== undefined && time !== undefined)
      return { ...event, id, time, source };
    const newId = id ?? this.#newId();
    const number = this.#numbers.take(streamOf(event.type));
    this.#numberOf.set(newId, number);
    return {
      ...event,
      id: newId,
      source,
      time: time ?? new Date(this.#now()).toISOString(),
      extensions: { ...extensions, urutanunit: String(number) },
    };
  }

  publish(event: NewEvent, avro?: Uint8Array): Promise<Receipt> {
    const item = singleOf(this.prepare(event), avro);
    const job = this.#queue.run([orderingKeyOf(item.event)], (turn) =>
      this.#sendUntilSettled([item], this.#sendOne, turn),
    );
    return this.#withinDeadline(
      job.then(([outcome]) => {
        if (outcome!.ok) return outcome!.receipt;
        throw outcome!.fault;
      }),
    );
  }

  async publishBatch(events: readonly NewEvent[]): Promise<Outcome[]> {
    const jobs: Promise<Outcome[]>[] = [];
    let batch: BatchItem[] = [];
    let bytes = 0;
    const flushBatch = (): void => {
      const items = batch;
      batch = [];
      bytes = 0;
      if (items.length === 0) return;
      const keys = items.map((item) => orderingKeyOf(item.event));
      jobs.push(this.#queue.run(keys, (turn) => this.#sendUntilSettled(items, this.#sendMany, turn)));
    };
    for (const event of events) {
      const prepared = this.prepare(event);
      const item: BatchItem = { event: prepared, body: serialize(prepared) };
      if (batch.length >= MAX_BATCH_EVENTS || bytes + item.body.length > MAX_BATCH_BYTES) flushBatch();
      batch.push(item);
      bytes += Buffer.byteLength(item.body) + 1;
    }
    flushBatch();
    return this.#withinDeadline(Promise.all(jobs).then((lists) => lists.flat()));
  }

  flush(): Promise<void> {
    return this.#queue.idle();
  }

  sequences(): Record<string, number> {
    return this.#numbers.lastUsed();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#queue.idle();
    if (this.#options.connection === undefined) await this.#connection.close();
  }

  /**
   * Sends the items, with the same ids in each attempt, until each has its outcome. Later events of those that have theirs need not wait; while all that are
   * left need the operator of the hub, other requests take this one's place. Rejects with `closed` after close().
   */
  async #sendUntilSettled<I extends Item>(all: readonly I[], send: Send<I>, turn: Turn): Promise<Outcome[]> {
    const { signal } = this.#stop;
    if (signal.aborted) throw unanswered(signal.reason, 'closed');
    const outcomes = Array.from<Outcome | undefined>({ length: all.length });
    let open = all.map((_, i) => i);
    for (const { event } of all) this.#step({ kind: 'invoke', event });
    for (let attempt = 1; ; attempt++) {
      let uncertain: SdkFault | undefined;
      let lasting = true;
      try {
        const { reply, items } = await send(open.map((i) => all[i]!));
        open = open.filter((i, at) => {
          const result = this.#settle(all[i]!, items[at] ?? { status: reply.status, problem: reply.body }, reply);
          if (result instanceof SdkFault) {
            uncertain = result;
            lasting &&= needsOperator(result);
          } else outcomes[i] = result;
          return result instanceof SdkFault;
        });
      } catch (e) {
        if (signal.aborted) throw unanswered(e, 'closed');
        uncertain = e as SdkFault;
        lasting = false;
        for (const i of open) this.#step({ kind: 'info', event: all[i]!.event, fault: uncertain });
      }
      if (open.length === 0) return outcomes as Outcome[];
      const held = new Set(open.map((i) => orderingKeyOf(all[i]!.event)));
      turn.release(all.map(({ event }) => orderingKeyOf(event)).filter((key) => !held.has(key)));
      const waiting = pause(backoffMs(attempt, uncertain?.retryAfterMs, this.#random, this.#connection.retry), signal);
      await (lasting ? turn.rest(waiting) : waiting);
      if (signal.aborted) throw unanswered(signal.reason, 'closed');
    }
  }

  /** The outcome of one item of a reply; a retryable `SdkFault` when the outcome is still uncertain. */
  #settle({ event }: Item, item: ItemReply, reply: Reply): Outcome | SdkFault {
    if (item.receipt !== undefined && item.status < 300) {
      this.#numberOf.delete(event.id);
      this.#step({ kind: 'ok', event, status: item.status, receipt: item.receipt });
      return { ok: true, receipt: item.receipt };
    }
    const fault = faultOf(item.status < 300 ? 502 : item.status, item.problem, reply.retryAfterMs);
    if (fault.retryable) {
      this.#step({ kind: 'info', event, fault });
      return fault;
    }
    const number = this.#numberOf.get(event.id);
    this.#numberOf.delete(event.id);
    if (number !== undefined) this.#numbers.release(streamOf(event.type), number);
    this.#step({ kind: 'fail', event, fault });
    return { ok: false, fault };
  }

  #step(step: Step): void {
    this.#options.report?.step?.(step);
  }

  readonly #sendOne: Send<SingleItem> = async (items) => {
    const { headers, body, event } = items[0]!;
    const shape = isReceipt(event.source, event.id);
    const answered = await this.#post('/v1/events', headers, body, shape);
    const reply = answered.status < 400 ? answered : { ...answered, body: inJsonForm(answered.body) };
    return { reply, items: reply.status < 300 ? [{ status: reply.status, receipt: reply.body as Receipt }] : [] };
  };

  readonly #sendMany: Send<BatchItem> = async (items) => {
    const body = items.map((item) => item.body).join('\n');
    const shape: Shape = (b) => listIn(b)?.length === items.length;
    const reply = await this.#post('/v1/events?partial=true', NDJSON, body, shape);
    return { reply, items: itemsOf(reply, items) };
  };

  #post(path: string, headers: SingleItem['headers'], body: string | Uint8Array, shape: Shape): Promise<Reply> {
    return this.#connection.call(path, {
      method: 'POST',
      key: this.#options.key,
      headers,
      body,
      signal: this.#stop.signal,
      shape,
    });
  }

  #withinDeadline<T>(work: Promise<T>): Promise<T> {
    const { deadlineMs } = this.#options;
    if (deadlineMs === undefined) return work;
    return withDeadline(work, deadlineMs, () => {
      throw new SdkFault(0, { code: 'not_settled' }, { retryable: true });
    });
  }
}

function singleOf(event: PreparedEvent, avro: Uint8Array | undefined): SingleItem {
  const headers = avro === undefined || event.dataschema === undefined ? undefined : avroHeaders(event);
  return headers === undefined ? { event, headers: ONE_JSON, body: serialize(event) } : { event, headers, body: avro! };
}

/** Whether the hub cannot take the event before its operator has acted: its topic is gone, for example. */
export const needsOperator = ({ code }: SdkFault): boolean =>
  (FAULTS as Readonly<Record<string, FaultRow>>)[code]?.class === 'unusable';

/** Opens a publisher of the events of one system. It sends nothing before the first publish(). */
export function createPublisher(options: PublisherOptions): Publisher {
  return new HttpPublisher(options);
}

/** The ordering key of an event, with its stream: events that share it are sent one after another (R3.7). */
export const orderingKeyOf = (e: NewEvent): string => `${streamOf(e.type)}\n${e.orderingKey ?? e.subject ?? ''}`;

/** The answer of the hub for one event. */
interface ItemReply {
  readonly status: number;
  readonly receipt?: Receipt;
  readonly problem?: unknown;
}

/** The `results` of a 207 or 503, or the `receipts` of a 200 or 201: one for each event, in the order of the request. */
function listIn(body: unknown): readonly unknown[] | undefined {
  const { results, receipts } = (body ?? {}) as { results?: unknown; receipts?: unknown };
  if (Array.isArray(results)) return results;
  return Array.isArray(receipts) ? receipts : undefined;
}

/** The items of a reply to a list. Empty: the status of the reply counts for every item. */
function itemsOf({ status, body }: Reply, sent: readonly BatchItem[]): readonly ItemReply[] {
  const list = listIn(body);
  if (list === undefined) return [];
  const isResults = Array.isArray((body as { results?: unknown }).results);
  return sent.map(({ event }, i) => itemOf(isResults ? list[i] : { status, receipt: list[i] }, event));
}

/** What an answer says of one event. It says nothing when it is not about this event: 502, so that the event is sent again. */
function itemOf(result: unknown, { source, id }: PreparedEvent): ItemReply {
  const { status = 0, receipt, problem } = (result ?? {}) as Partial<ItemReply>;
  if (status >= 200 && status < 300 && isObject(receipt) && isReceipt(source, id)(receipt)) return { status, receipt };
  if (status >= 400 && isProblem(problem, status)) return { status, problem };
  return { status: 502 };
}
