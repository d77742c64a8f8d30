import { backoffMs, connect, type Connection } from './connection.js';
import { pause } from '#concurrency';
import type { Shape } from './answer.js';
import { faultOf, isSdkFault } from './fault.js';
import {
  followLive,
  followSubscription,
  livePages,
  printDamaged,
  type LiveOptions,
  type SubscriptionLiveOptions,
} from './live.js';
import type { Receipt } from './publisher.js';
import { query, typeList } from './query.js';
import { Deduplicator } from './deduplicator.js';
import { isEntry, isListedEntry, isMe, isPage, isReceipt, listOf, texts } from './shapes.js';

/** A CloudEvent from the hub. Masked fields are `"••••"` or null; an event with masked fields has no `digest`. */
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
  /** W3C trace context of the publisher. */
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly [extension: string]: unknown;
}

export interface ReadOptions {
  /** `earliest`, `latest`, an ISO 8601 time or a position. @default earliest */
  readonly from?: string;
  /** Exclusive end: an ISO 8601 time or a position. */
  readonly until?: string;
  readonly type?: string | readonly string[];
  readonly subject?: string;
  /** Only events that concern this unit. */
  readonly unit?: string;
  /** Most events per page. */
  readonly limit?: number;
  /** Continue at the `next` of an earlier page. */
  readonly cursor?: string;
  /**
   * At the end of the stream wait for new events instead of ending: true by long poll; `live`: the hub pushes them on a socket of its own, which costs the hub less and
   * is as exact, but needs a way to the hub that passes server-sent events on at once. @default false
   */
  readonly follow?: boolean | 'live';
  /** Longest wait of one long poll, ms. @default 20 s */
  readonly waitMs?: number;
  /** Deadline of each page with its retries, ms. @default 60 s; with `follow` none */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  /** Called with the positions of records that the hub cannot read any more, as pages have them. @default read() writes them to standard error */
  readonly damaged?: (positions: readonly string[]) => void;
}

export interface EventPage {
  readonly events: readonly ReadEvent[];
  /** Cursor of the next page. Store it to continue after a restart. */
  readonly next: string;
  /** Length of the page as it came. */
  readonly bytes?: number;
  /** Positions of records that the hub cannot read any more: what they were is not known. Tell a person. */
  readonly damaged?: readonly string[];
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
  /** Read your writes: the hub waits until the view has folded this position. */
  readonly after?: string;
  /** Longest wait of the hub for it, ms. @default 5 s */
  readonly waitMs?: number;
  /** Deadline of the call with its retries, ms. @default 60 s */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

export interface ReaderOptions {
  /** Address of the hub; not used when `connection` is given. @default http://127.0.0.1:8080 */
  readonly url?: string;
  /** A connection to share. Without it the reader opens its own to `url`. */
  readonly connection?: Connection;
  /** API key. */
  readonly key: string;
}

export interface Reader {
  /**
   * The events of a stream, in order per subject, without copies. Ends at the end of the stream, or with `follow` never. Retries by itself after broken
   * connections and restarts of the hub. Throws `SdkFault` when the hub refuses the request.
   */
  read(stream: string, options?: ReadOptions): AsyncIterable<ReadEvent>;
  /** The events page by page, with copies, and with the cursor to store. A page may be empty. */
  pages(stream: string, options?: ReadOptions): AsyncIterable<EventPage>;
  /** New events from now on (or from `from`), pushed by the hub; resumes after a broken connection without loss, and reports a gap when retention removed events, or when the stream was made again or restored from an older backup. */
  live(stream: string, options?: LiveOptions): AsyncIterable<ReadEvent>;
  /** The events of a subscription with the target `sse`, from where it is. Ends when the signal aborts, or when a newer connection takes the subscription over; resumes after a broken connection. */
  subscription(id: string, options?: SubscriptionLiveOptions): AsyncIterable<ReadEvent>;
  /** The entry of a key; undefined: the view has no such entry. While the view is rebuilding, the call retries; at the deadline it throws `view_rebuilding` (R7). */
  state(view: string, key: string, options?: StateOptions): Promise<StateEntry | undefined>;
  /** The entry of a subject given by its clear fields, for views whose keys are pseudonyms. */
  lookup(
    view: string,
    subject: Readonly<Record<string, unknown>>,
    options?: StateOptions,
  ): Promise<StateEntry | undefined>;
  /** All entries of a view that pass the filters. */
  states(view: string, filters?: Readonly<Record<string, string>>, options?: StateOptions): AsyncIterable<StateEntry>;
  /** The receipt of an event; undefined: the event is not in the log. That answer is final 120 s after the last attempt to publish (R3.6). */
  receipt(source: string, id: string): Promise<Receipt | undefined>;
  /** Whose the key is. */
  me(options?: Pick<StateOptions, 'deadlineMs' | 'signal'>): Promise<KeyOwner>;
  units(filters?: Readonly<Record<string, string>>): AsyncIterable<UnitRow>;
  eventTypes(): AsyncIterable<EventTypeRow>;
  close(): Promise<void>;
}

/** The unit, party or hub that a key belongs to, and what the key may do. */
export interface KeyOwner {
  readonly keyId: string;
  /** `SU…`, `EXT-…` or `hub`: the option `owner` of a publisher. */
  readonly unit: string;
  readonly system: string;
  /** The CloudEvents source of events that this key publishes. */
  readonly source: string;
  readonly roles: readonly string[];
  /** Day of today in the zone of the unit, `YYYY-MM-DD`: before 07:00 in Jakarta the day of UTC is still yesterday. A hub of an earlier release does not give it. */
  readonly today?: string;
  /** Of a unit: its code, name, type and zone. */
  readonly code?: string;
  readonly name?: string;
  readonly type?: string;
  readonly timezone?: string;
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

/** Opens a reader of streams, state, receipts, units and event types. */
export function createReader(options: ReaderOptions): Reader {
  const ownsConnection = options.connection === undefined;
  const hub = options.connection ?? connect({ url: options.url ?? 'http://127.0.0.1:8080' });
  const { key } = options;
  const enc = encodeURIComponent;

  async function* pages(stream: string, o: ReadOptions = {}): AsyncGenerator<EventPage> {
    let cursor = o.cursor;
    let failures = 0;
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
      const reply = await hub.callWithRetry(path, {
        key,
        signal: o.signal,
        timeoutMs: (waitMs ?? 0) + 30_000,
        deadlineMs: o.deadlineMs ?? (o.follow ? Number.POSITIVE_INFINITY : 60_000),
        shape: isPage(stream),
      });
      if (reply.status !== 200) throw faultOf(reply.status, reply.body);
      const page = reply.body as EventPage & { readonly incomplete?: boolean };
      cursor = page.next;
      if (page.damaged !== undefined) o.damaged?.(page.damaged);
      yield {
        events: page.events,
        next: page.next,
        bytes: reply.size,
        ...(page.damaged === undefined ? {} : { damaged: page.damaged }),
      };
      if (o.follow === true || page.events.length > 0 || page.incomplete === true) continue;
      if (o.follow !== 'live') return;
      const begin = cursor;
      try {
        for await (const pushed of livePages(hub, key, stream, o, cursor)) {
          cursor = pushed.next;
          if (pushed.damaged !== undefined) o.damaged?.(pushed.damaged);
          yield pushed;
        }
      } catch (e) {
        if (!isSdkFault(e) || !e.retryable) throw e;
      }
      failures = cursor === begin ? failures + 1 : 1;
      await pause(backoffMs(failures, undefined, hub.random, hub.retry), o.signal);
      o.signal?.throwIfAborted();
    }
  }

  async function* read(stream: string, o: ReadOptions = {}): AsyncGenerator<ReadEvent> {
    const copies = new Deduplicator();
    for await (const page of pages(stream, { damaged: printDamaged, ...o }))
      for (const e of page.events) if (copies.isNew(e)) yield e;
  }

  async function entry(
    path: string,
    call: Parameters<Connection['callWithRetry']>[1],
  ): Promise<StateEntry | undefined> {
    const reply = await hub.callWithRetry(path, call);
    return reply.status === 404 ? undefined : (reply.body as StateEntry);
  }
  const preferHeader = (o: StateOptions): { headers?: Record<string, string> } =>
    o.waitMs === undefined ? {} : { headers: { prefer: `wait=${Math.ceil(o.waitMs / 1000)}` } };
  const callOf = (o: StateOptions, shape: Shape): Parameters<Connection['callWithRetry']>[1] => ({
    key,
    shape,
    signal: o.signal,
    ...(o.deadlineMs === undefined ? {} : { deadlineMs: o.deadlineMs }),
    ...preferHeader(o),
  });

  async function* listAll<T>(
    path: string,
    field: string,
    shape: Shape,
    filters: Readonly<Record<string, string>> = {},
    o: StateOptions = {},
  ): AsyncGenerator<T> {
    let cursor: string | undefined;
    for (;;) {
      const reply = await hub.callWithRetry(path + query({ ...filters, cursor }), callOf(o, shape));
      if (reply.status !== 200) throw faultOf(reply.status, reply.body);
      const body = reply.body as Record<string, unknown>;
      yield* body[field] as T[];
      // An empty page is not the end of a list: the hub ends a page when it has looked at many entries that it does not show (`incomplete`).
      if (typeof body['next'] !== 'string' || body['next'] === cursor) return;
      cursor = body['next'];
    }
  }

  return {
    pages,
    read,
    live: (stream, o) => followLive(hub, key, stream, o ?? {}),
    subscription: (id, o) => followSubscription(hub, key, id, o ?? {}),
    state: (view, k, o = {}) =>
      entry(`/v1/state/${enc(view)}/${enc(k)}${query({ after: o.after })}`, callOf(o, isEntry(view, k))),
    lookup: (view, subject, o = {}) =>
      entry(`/v1/state/${enc(view)}/lookup${query({ after: o.after })}`, {
        ...callOf(o, isEntry(view)),
        method: 'POST',
        headers: { ...preferHeader(o).headers, 'content-type': 'application/json' },
        body: JSON.stringify({ subject }),
      }),
    states: (view, filters, o) =>
      listAll<StateEntry>(`/v1/state/${enc(view)}`, 'entries', listOf('entries', isListedEntry), filters, o),
    async receipt(source, id) {
      const path = `/v1/receipts${query({ source, id })}`;
      const reply = await hub.callWithRetry(path, { key, shape: isReceipt(source, id) });
      return reply.status === 404 ? undefined : (reply.body as Receipt);
    },
    async me(o = {}) {
      const reply = await hub.callWithRetry('/v1/me', callOf(o, isMe));
      if (reply.status !== 200) throw faultOf(reply.status, reply.body);
      return reply.body as KeyOwner;
    },
    units: (filters) =>
      listAll<UnitRow>('/v1/units', 'units', listOf('units', texts('id')), { limit: '500', ...filters }),
    eventTypes: () => listAll<EventTypeRow>('/v1/event-types', 'types', listOf('types', texts('type'))),
    async close() {
      if (ownsConnection) await hub.close();
    },
  };
}
