import { sourceUrn, streamOf } from '#event';
import { backoffMs, connect, type Connection, type Reply } from './connection.js';
import { faultOf, SdkFault, unanswered } from './fault.js';
import { createIds } from './ids.js';
import { Lanes } from './lanes.js';
import { Sequences } from './sequence.js';

/** A fact to publish. Only type and data are needed; the hub computes the subject. */
export interface NewEvent {
  readonly type: string;
  /** Plain JSON of the Avro record. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly id?: string;
  /** RFC 3339. @default now */
  readonly time?: string;
  readonly subject?: string;
  readonly dataschema?: string;
  /** W3C trace context of what led to this fact; whoever reads the event gets it again. */
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** CloudEvents extensions: `korelasi`, `kausasi`, … */
  readonly extensions?: Readonly<Record<string, string>>;
  /**
   * Events of one lane are sent one after another (R3.7). @default subject, else the whole stream.
   * Give the clear subject (the case number) to let cases pass each other. Never sent.
   */
  readonly lane?: string;
}

/** As sent. */
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
  /** `sha-256:<hex>` */
  readonly digest: string;
  readonly recordedtime: string;
  readonly duplicate: boolean;
}

export type Outcome =
  { readonly ok: true; readonly receipt: Receipt } | { readonly ok: false; readonly fault: SdkFault };

/** What happens to one event, told as it happens: `info` = the outcome is unknown so far. */
export type Step =
  | { readonly kind: 'invoke'; readonly event: PreparedEvent }
  | { readonly kind: 'ok'; readonly event: PreparedEvent; readonly status: number; readonly receipt: Receipt }
  | { readonly kind: 'fail' | 'info'; readonly event: PreparedEvent; readonly fault: SdkFault };

export interface PublisherOptions {
  readonly url?: string;
  /** Share sockets; else the publisher opens its own to `url`. */
  readonly connection?: Connection;
  readonly key: string;
  /** `SU…` or `EXT-…`. */
  readonly owner: string;
  readonly system: string;
  /** Requests under way at once. @default 8 */
  readonly width?: number;
  /** How long publish() waits for the outcome; sending goes on after it. @default without end */
  readonly deadlineMs?: number;
  readonly now?: () => number;
  readonly random?: () => number;
  /** Last `urutanunit` used per stream. */
  readonly sequences?: Readonly<Record<string, number>>;
  readonly onStep?: (step: Step) => void;
}

export interface Publisher {
  readonly source: string;
  /** Fills id, source, time and `urutanunit`: what the next publish() of this object will send, however often. */
  prepare(event: NewEvent): PreparedEvent;
  /**
   * Resolves with the hub's receipt: durable. Throws `SdkFault`: refused (4xx, nothing was written, the lane goes on), or
   * `not_settled` when deadlineMs passed: the outcome is unknown, the event keeps its place in its lane and goes on being sent.
   */
  publish(event: NewEvent): Promise<Receipt>;
  /** Many at once as NDJSON, outcomes in order; at most 1,000 events or 4 MiB a request. One refused event does not hold up the others. */
  publishBatch(events: readonly NewEvent[]): Promise<Outcome[]>;
  /** Events not settled yet. */
  readonly pending: number;
  /** Resolves when every event is settled. */
  flush(): Promise<void>;
  sequences(): Record<string, number>;
  /** Stops sending; events not settled are rejected as `closed`. flush() first to lose none. */
  close(): Promise<void>;
}

const MAX_ITEMS = 1000;
const MAX_BYTES = 4 << 20;

function wire(e: PreparedEvent): string {
  const { lane: _lane, extensions, data, ...attributes } = e;
  return JSON.stringify({ specversion: '1.0', ...extensions, ...attributes, data });
}

interface Sending {
  readonly event: PreparedEvent;
  readonly body: string;
}

export function createPublisher(options: PublisherOptions): Publisher {
  const own = options.connection === undefined;
  const hub = options.connection ?? connect({ url: options.url ?? 'http://127.0.0.1:8080' });
  const now = options.now ?? Date.now;
  const random = options.random ?? hub.random;
  const source = sourceUrn(options.owner, options.system);
  const ids = createIds({ now, random });
  const lanes = new Lanes(options.width ?? 8);
  const sequences = new Sequences(options.sequences);
  const numbered = new Map<string, number>();
  const stop = new AbortController();
  const tell = options.onStep ?? (() => undefined);

  const prepare = (e: NewEvent): PreparedEvent => {
    if (e.extensions?.['urutanunit'] !== undefined && e.id !== undefined && e.time !== undefined)
      return { ...e, id: e.id, time: e.time, source };
    const id = e.id ?? ids();
    const n = sequences.take(streamOf(e.type));
    numbered.set(id, n);
    return {
      ...e,
      id,
      source,
      time: e.time ?? new Date(now()).toISOString(),
      extensions: { ...e.extensions, urutanunit: String(n) },
    };
  };

  const settle = (s: Sending, out: Outcome, status: number): Outcome => {
    const n = numbered.get(s.event.id);
    numbered.delete(s.event.id);
    if (out.ok) tell({ kind: 'ok', event: s.event, status, receipt: out.receipt });
    else {
      if (n !== undefined) sequences.giveBack(streamOf(s.event.type), n);
      tell({ kind: 'fail', event: s.event, fault: out.fault });
    }
    return out;
  };
  const unknown = (s: Sending, fault: SdkFault): void => tell({ kind: 'info', event: s.event, fault });

  /** Sends until every one is settled; the same ids each time. */
  const drive = async (
    all: readonly Sending[],
    send: (open: readonly Sending[]) => Promise<{ reply: Reply; items: readonly ItemReply[] }>,
  ): Promise<Outcome[]> => {
    if (stop.signal.aborted) throw unanswered(stop.signal.reason, 'closed');
    const out = Array.from<Outcome | undefined>({ length: all.length });
    let open = all.map((_, i) => i);
    for (const s of all) tell({ kind: 'invoke', event: s.event });
    for (let n = 1; ; n++) {
      let last: SdkFault | undefined;
      try {
        const { reply, items } = await send(open.map((i) => all[i]!));
        open = open.filter((i, at) => {
          const item = items[at] ?? { status: reply.status, problem: reply.body };
          if (item.receipt !== undefined && item.status < 300) {
            out[i] = settle(all[i]!, { ok: true, receipt: item.receipt }, item.status);
            return false;
          }
          const fault = faultOf(item.status < 300 ? 502 : item.status, item.problem, reply.retryAfterMs);
          if (fault.retryable) {
            last = fault;
            unknown(all[i]!, fault);
            return true;
          }
          out[i] = settle(all[i]!, { ok: false, fault }, item.status);
          return false;
        });
      } catch (e) {
        if (stop.signal.aborted) throw unanswered(e, 'closed');
        last = e as SdkFault;
        for (const i of open) unknown(all[i]!, last);
      }
      if (open.length === 0) return out as Outcome[];
      try {
        await hub.pause(backoffMs(n, last?.retryAfterMs, random, hub.retry), stop.signal);
      } catch (e) {
        throw unanswered(e, 'closed');
      }
    }
  };

  const post = (path: string, type: string, body: string): Promise<Reply> =>
    hub.call(path, {
      method: 'POST',
      key: options.key,
      headers: { 'content-type': type },
      body,
      signal: stop.signal,
    });

  const sendOne = async (open: readonly Sending[]): Promise<{ reply: Reply; items: ItemReply[] }> => {
    const reply = await post('/v1/events', 'application/cloudevents+json', open[0]!.body);
    return { reply, items: reply.status < 300 ? [itemOf(reply.status, reply.body)] : [] };
  };
  const sendMany = async (open: readonly Sending[]): Promise<{ reply: Reply; items: readonly ItemReply[] }> => {
    const reply = await post('/v1/events?partial=true', 'application/x-ndjson', open.map((s) => s.body).join('\n'));
    return { reply, items: itemsOf(reply) };
  };

  const laneOf = (e: NewEvent): string => `${streamOf(e.type)}\n${e.lane ?? e.subject ?? ''}`;
  const within = async <T>(work: Promise<T>): Promise<T> => {
    if (options.deadlineMs === undefined) return work;
    work.catch(() => undefined);
    const done = new AbortController();
    const late = hub.pause(options.deadlineMs, done.signal).then(
      () => {
        throw new SdkFault(0, { code: 'not_settled' }, { retryable: true });
      },
      () => work,
    );
    try {
      return await Promise.race([work, late]);
    } finally {
      done.abort();
    }
  };

  const publish = (event: NewEvent): Promise<Receipt> => {
    const e = prepare(event);
    const job = lanes.run([laneOf(e)], () => drive([{ event: e, body: wire(e) }], sendOne));
    return within(
      job.then(([out]) => {
        if (out!.ok) return out!.receipt;
        throw out!.fault;
      }),
    );
  };

  const publishBatch = async (events: readonly NewEvent[]): Promise<Outcome[]> => {
    const jobs: Promise<Outcome[]>[] = [];
    let chunk: Sending[] = [];
    let bytes = 0;
    const cut = (): void => {
      const sending = chunk;
      chunk = [];
      bytes = 0;
      if (sending.length > 0)
        jobs.push(
          lanes.run(
            sending.map((s) => laneOf(s.event)),
            () => drive(sending, sendMany),
          ),
        );
    };
    for (const event of events) {
      const e = prepare(event);
      const body = wire(e);
      if (chunk.length >= MAX_ITEMS || bytes + body.length > MAX_BYTES) cut();
      chunk.push({ event: e, body });
      bytes += Buffer.byteLength(body) + 1;
    }
    cut();
    return within(Promise.all(jobs).then((lists) => lists.flat()));
  };

  return {
    source,
    prepare,
    publish,
    publishBatch,
    get pending() {
      return lanes.pending;
    },
    flush: () => lanes.idle(),
    sequences: () => sequences.snapshot(),
    async close() {
      stop.abort();
      await lanes.idle();
      if (own) await hub.close();
    },
  };
}

interface ItemReply {
  readonly status: number;
  readonly receipt?: Receipt;
  readonly problem?: unknown;
}

function itemOf(status: number, receipt: unknown): ItemReply {
  const r = receipt as Partial<Receipt> | undefined;
  return typeof r?.position === 'string' ? { status, receipt: r as Receipt } : { status: 502 };
}

/** Items of a 207 or 503 (`results`) or of a 201/200 (`receipts`); none: the status of the answer holds for all. */
function itemsOf(reply: Reply): readonly ItemReply[] {
  const body = (reply.body ?? {}) as { results?: unknown; receipts?: unknown };
  if (Array.isArray(body.results))
    return (body.results as ItemReply[]).map((r) =>
      r.status < 300 ? itemOf(r.status, r.receipt) : { status: r.status, problem: r.problem },
    );
  if (Array.isArray(body.receipts)) return body.receipts.map((r) => itemOf(reply.status, r));
  return [];
}
