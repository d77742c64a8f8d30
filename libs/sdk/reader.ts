import { connect, type Connection } from './connection.js';
import { faultOf } from './fault.js';
import { followLive, type LiveOptions } from './live.js';
import type { Receipt } from './publisher.js';
import { query, typeList } from './query.js';
import { Seen } from './seen.js';

/** A CloudEvent as the hub gives it. Masked fields are `"••••"` or null, and `digest` is then left out. */
export interface ReadEvent {
  readonly specversion: string;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly dataschema: string;
  readonly recordedtime: string;
  readonly digest?: string;
  /** `stream/partition/offset` */
  readonly position: string;
  /** W3C trace context as published. */
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly [extension: string]: unknown;
}

export interface ReadOptions {
  /** `earliest` · `latest` · ISO time · position. @default earliest */
  readonly from?: string;
  /** Exclusive. */
  readonly until?: string;
  readonly type?: string | readonly string[];
  readonly subject?: string;
  /** Only events that concern this unit. */
  readonly unit?: string;
  /** Events a page. */
  readonly limit?: number;
  /** Go on from a page's `next`. */
  readonly cursor?: string;
  /** Never end: wait at the end of the stream for what comes. @default false */
  readonly follow?: boolean;
  /** Longest wait of one call while following. @default 20 s */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

export interface EventPage {
  readonly events: readonly ReadEvent[];
  /** Where to go on, also after a restart. */
  readonly next: string;
}

export interface StateEntry {
  readonly view: string;
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
  readonly position: string;
  readonly updatedtime: string;
  readonly stale: boolean;
}

export interface StateOptions {
  /** Read your write: wait until the view has folded this position. */
  readonly after?: string;
  /** How long the hub may wait for it. @default 5 s */
  readonly waitMs?: number;
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

export interface ReaderOptions {
  readonly url?: string;
  readonly connection?: Connection;
  readonly key: string;
}

export interface Reader {
  /** Events in order per subject, copies left out; ends at the end of the stream unless `follow`. Goes on by itself over cuts and restarts of the hub. */
  read(stream: string, options?: ReadOptions): AsyncIterable<ReadEvent>;
  /** The same page by page, with the cursor to store. A page may be empty. */
  pages(stream: string, options?: ReadOptions): AsyncIterable<EventPage>;
  /** What comes from now on (or `from`), pushed by the hub; resumes after a cut without loss. */
  live(stream: string, options?: LiveOptions): AsyncIterable<ReadEvent>;
  /** undefined: no such entry (the hub never says so of what it is still rebuilding: the call then waits, `view_rebuilding` at the deadline). */
  state(view: string, key: string, options?: StateOptions): Promise<StateEntry | undefined>;
  /** The entry of clear subject fields (views keyed by a pseudonym). */
  lookup(
    view: string,
    subject: Readonly<Record<string, unknown>>,
    options?: StateOptions,
  ): Promise<StateEntry | undefined>;
  states(view: string, filters?: Readonly<Record<string, string>>, options?: StateOptions): AsyncIterable<StateEntry>;
  /** undefined: not in the log; final 120 s after the last attempt (R3.6). */
  receipt(source: string, id: string): Promise<Receipt | undefined>;
  units(filters?: Readonly<Record<string, string>>): AsyncIterable<UnitRow>;
  eventTypes(): AsyncIterable<EventTypeRow>;
  close(): Promise<void>;
}

export interface UnitRow {
  readonly id: string;
  readonly code: string;
  readonly name: string;
  readonly shortName?: string;
  readonly type: string;
  readonly class?: string;
  readonly parent?: string;
  readonly technicalParent?: string;
  readonly provinceCode?: string;
  readonly city?: string;
  readonly timezone?: string;
  readonly tz?: string;
  readonly checkpointKind?: string;
}

export interface EventTypeRow {
  readonly type: string;
  readonly stream: string;
  readonly version: number;
  readonly [more: string]: unknown;
}

export function createReader(options: ReaderOptions): Reader {
  const own = options.connection === undefined;
  const hub = options.connection ?? connect({ url: options.url ?? 'http://127.0.0.1:8080' });
  const { key } = options;
  const enc = encodeURIComponent;

  async function* pages(stream: string, o: ReadOptions = {}): AsyncGenerator<EventPage> {
    let cursor = o.cursor;
    const waitMs = o.follow === true ? (o.waitMs ?? 20_000) : undefined;
    for (;;) {
      const first = cursor === undefined;
      const path = `/v1/streams/${enc(stream)}/events${query({
        from: first ? o.from : undefined,
        until: o.until,
        type: typeList(o.type),
        subject: o.subject,
        unit: o.unit,
        limit: o.limit,
        cursor,
        wait: waitMs === undefined ? undefined : Math.ceil(waitMs / 1000),
      })}`;
      const reply = await hub.ask(path, {
        key,
        signal: o.signal,
        timeoutMs: (waitMs ?? 0) + 30_000,
        deadlineMs: o.follow === true ? Number.POSITIVE_INFINITY : 60_000,
      });
      if (reply.status !== 200) throw faultOf(reply.status, reply.body);
      const page = reply.body as EventPage & { readonly incomplete?: boolean };
      cursor = page.next;
      yield { events: page.events, next: page.next };
      if (o.follow !== true && page.events.length === 0 && page.incomplete !== true) return;
    }
  }

  async function* read(stream: string, o: ReadOptions = {}): AsyncGenerator<ReadEvent> {
    const seen = new Seen();
    for await (const page of pages(stream, o)) for (const e of page.events) if (seen.first(e)) yield e;
  }

  async function entry(path: string, call: Parameters<Connection['ask']>[1]): Promise<StateEntry | undefined> {
    const reply = await hub.ask(path, call);
    return reply.status === 404 ? undefined : (reply.body as StateEntry);
  }
  const preferring = (o: StateOptions): { headers?: Record<string, string> } =>
    o.waitMs === undefined ? {} : { headers: { prefer: `wait=${Math.ceil(o.waitMs / 1000)}` } };
  const calling = (o: StateOptions): Parameters<Connection['ask']>[1] => ({
    key,
    signal: o.signal,
    ...(o.deadlineMs === undefined ? {} : { deadlineMs: o.deadlineMs }),
    ...preferring(o),
  });

  async function* listed<T>(
    path: string,
    field: string,
    filters: Readonly<Record<string, string>> = {},
    o: StateOptions = {},
  ): AsyncGenerator<T> {
    let cursor: string | undefined;
    do {
      const reply = await hub.ask(path + query({ ...filters, cursor }), calling(o));
      if (reply.status !== 200) throw faultOf(reply.status, reply.body);
      const body = reply.body as Record<string, unknown>;
      yield* body[field] as T[];
      cursor = typeof body['next'] === 'string' && body['next'] !== cursor ? body['next'] : undefined;
      if ((body[field] as T[]).length === 0) return;
    } while (cursor !== undefined);
  }

  return {
    pages,
    read,
    live: (stream, o) => followLive(hub, key, stream, o ?? {}),
    state: (view, k, o = {}) => entry(`/v1/state/${enc(view)}/${enc(k)}${query({ after: o.after })}`, calling(o)),
    lookup: (view, subject, o = {}) =>
      entry(`/v1/state/${enc(view)}/lookup${query({ after: o.after })}`, {
        ...calling(o),
        method: 'POST',
        headers: { ...preferring(o).headers, 'content-type': 'application/json' },
        body: JSON.stringify({ subject }),
      }),
    states: (view, filters, o) => listed<StateEntry>(`/v1/state/${enc(view)}`, 'entries', filters, o),
    async receipt(source, id) {
      const reply = await hub.ask(`/v1/receipts${query({ source, id })}`, { key });
      return reply.status === 404 ? undefined : (reply.body as Receipt);
    },
    units: (filters) => listed<UnitRow>('/v1/units', 'units', { limit: '500', ...filters }),
    eventTypes: () => listed<EventTypeRow>('/v1/event-types', 'types'),
    async close() {
      if (own) await hub.close();
    },
  };
}
