import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { pause } from '#concurrency';
import { backoffMs, type Connection } from './connection.js';
import { isSdkFault, SdkFault, unanswered } from './fault.js';
import { query, typeList } from './query.js';
import type { EventPage, ReadEvent, ReadOptions } from './reader.js';
import { Deduplicator } from './deduplicator.js';

export interface LiveOptions {
  /** @default latest */
  readonly from?: string;
  readonly type?: string | readonly string[];
  readonly subject?: string;
  readonly unit?: string;
  /** Continue after this event id of the server-sent events (Last-Event-ID). */
  readonly lastEventId?: string;
  /** Ends the iteration without an error. */
  readonly signal?: AbortSignal;
  readonly report?: LiveReport;
}

export interface LiveReport {
  /**
   * The hub no longer has what lies behind the last event (`code` in `detail`: `offset_out_of_range`, `stream_recreated`, `unknown_cursor`); the events that
   * follow begin with the earliest that it has, so some of them may have come before.
   * @default a line on standard error: nothing is left out in silence
   */
  readonly gap?: (detail: unknown) => void;
  /** The hub cannot read the record at `position` of `detail` any more. @default a line on standard error */
  readonly damaged?: (detail: unknown) => void;
  /** The connection broke; the reader connects again by itself. */
  readonly disconnected?: (fault: SdkFault | undefined) => void;
  /** Connected, for the first time or again. */
  readonly connected?: () => void;
}

/** How the reader of a subscription goes on, and what it tells. */
export type SubscriptionLiveOptions = Pick<LiveOptions, 'lastEventId' | 'signal' | 'report'>;

/** The events of a stream as server-sent events. After a broken connection it resumes with Last-Event-ID, until the signal aborts. Throws `SdkFault` for a 4xx. */
export function followLive(hub: Connection, key: string, stream: string, o: LiveOptions): AsyncGenerator<ReadEvent> {
  return follow(hub, key, stream, (last) => streamPath(stream, o, last), o);
}

/** The events of a subscription with the target sse, in the same way; it also ends when a newer connection takes the subscription over. */
export function followSubscription(
  hub: Connection,
  key: string,
  id: string,
  o: SubscriptionLiveOptions,
): AsyncGenerator<ReadEvent> {
  return follow(hub, key, id, () => `/v1/subscriptions/${encodeURIComponent(id)}/live`, o);
}

async function* follow(
  hub: Connection,
  key: string,
  name: string,
  path: (lastEventId: string | undefined) => string,
  o: SubscriptionLiveOptions,
): AsyncGenerator<ReadEvent> {
  const copies = new Deduplicator();
  let lastEventId = o.lastEventId;
  let failures = 0;
  const stopped = (): boolean => o.signal?.aborted === true;
  while (!stopped()) {
    let fault: SdkFault | undefined;
    try {
      const body = await openLive(hub, key, path(lastEventId), o, lastEventId);
      o.report?.connected?.();
      for await (const { messages, id = lastEventId } of chunksOf(body)) {
        lastEventId = id;
        for (const m of messages) {
          failures = 0;
          if (m.event === 'gap') (o.report?.gap ?? printGap(name))(parsed(m.data));
          if (m.event === 'damaged') (o.report?.damaged ?? printDamage)(parsed(m.data));
          if (m.event === 'taken_over') return;
          const e = eventOf(m);
          if (e !== undefined && copies.isNew(e)) yield e;
        }
      }
    } catch (e) {
      if (stopped()) return;
      if (isSdkFault(e)) {
        if (!e.retryable) throw e;
        fault = e;
      }
    }
    if (stopped()) return;
    o.report?.disconnected?.(fault);
    failures++;
    await pause(backoffMs(failures, fault?.retryAfterMs, hub.random, hub.retry), o.signal);
  }
}

const printGap = (stream: string) => (detail: unknown) => {
  process.stderr.write(`gap ${stream} ${String((detail as { code?: unknown } | undefined)?.code)}\n`);
};

const printDamage = (detail: unknown): void =>
  printDamaged([String((detail as { position?: unknown } | undefined)?.position)]);

/** Where an app does not listen to it. */
export function printDamaged(positions: readonly string[]): void {
  for (const position of positions) process.stderr.write(`corrupt_record ${position}\n`);
}

/**
 * What comes behind a cursor, in pages as the hub pushes it, until the connection breaks. Throws `SdkFault`: what the hub answers to the connection, and for a gap what it
 * answers to a page at that cursor.
 */
export async function* livePages(
  hub: Connection,
  key: string,
  stream: string,
  o: ReadOptions,
  cursor: string,
): AsyncGenerator<EventPage> {
  const body = await openLive(hub, key, streamPath(stream, o, cursor), o, cursor);
  let next = cursor;
  for await (const { messages, id = next, bytes } of chunksOf(body)) {
    next = id;
    const damaged: string[] = [];
    const events: ReadEvent[] = [];
    for (const m of messages) {
      const data = m.event === undefined ? undefined : (parsed(m.data) as Record<string, unknown> | undefined);
      if (m.event === 'gap') {
        const code = String(data?.['code']);
        throw new SdkFault(code === 'unknown_cursor' ? 412 : 410, { code }, { retryable: false });
      }
      if (m.event === 'damaged') damaged.push(String(data?.['position']));
      const e = eventOf(m);
      if (e !== undefined) events.push(e);
    }
    yield { events, next, bytes, ...(damaged.length === 0 ? {} : { damaged }) };
  }
}

function streamPath(
  stream: string,
  { from, type, subject, unit }: Pick<LiveOptions, 'from' | 'type' | 'subject' | 'unit'>,
  lastEventId: string | undefined,
): string {
  const start = lastEventId === undefined ? from : undefined;
  return `/v1/streams/${encodeURIComponent(stream)}/live${query({ from: start, type: typeList(type), subject, unit })}`;
}

async function openLive(
  hub: Connection,
  key: string,
  path: string,
  o: Pick<LiveOptions, 'signal'>,
  lastEventId: string | undefined,
): Promise<AsyncIterable<Uint8Array>> {
  const { body } = await hub.open(path, {
    key,
    signal: o.signal,
    headers: { accept: 'text/event-stream', ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) },
  });
  return body;
}

interface Chunk {
  readonly messages: readonly EventSourceMessage[];
  /** Cursor behind the last message. A message without data has only that. */
  readonly id: string | undefined;
  readonly bytes: number;
}

/** Messages as they come together. */
async function* chunksOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<Chunk> {
  const messages: EventSourceMessage[] = [];
  let last: string | undefined;
  const parser = createParser({
    onEvent: (m) => messages.push(m),
    onId: (id) => (last = id),
  });
  const text = new TextDecoder();
  let bytes = 0;
  for await (const piece of answered(body)) {
    bytes += piece.length;
    parser.feed(text.decode(piece, { stream: true }));
    if (messages.length === 0 && last === undefined) continue;
    yield { messages: messages.splice(0), id: last, bytes };
    bytes = 0;
    last = undefined;
  }
}

/** A connection that breaks is a retryable fault. */
async function* answered(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (e) {
    throw isSdkFault(e) ? e : unanswered(e);
  }
}

/** The event of a message; undefined: it has none. */
function eventOf({ event, data }: EventSourceMessage): ReadEvent | undefined {
  if (event !== undefined && event !== 'event' && event !== 'message') return undefined;
  const e = parsed(data) as ReadEvent | undefined;
  return typeof e?.id === 'string' ? e : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
