import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { pause } from '#concurrency';
import { backoffMs, type Connection } from './connection.js';
import { isSdkFault, type SdkFault } from './fault.js';
import { query, typeList } from './query.js';
import type { ReadEvent } from './reader.js';
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
   */
  readonly gap?: (detail: unknown) => void;
  /** The hub cannot read the record at `position` of `detail` any more. */
  readonly damaged?: (detail: unknown) => void;
  /** The connection broke; the reader connects again by itself. */
  readonly disconnected?: (fault: SdkFault | undefined) => void;
  /** Connected, for the first time or again. */
  readonly connected?: () => void;
}

/** The events of a stream as server-sent events. After a broken connection it resumes with Last-Event-ID, until the signal aborts. Throws `SdkFault` for a 4xx. */
export async function* followLive(
  hub: Connection,
  key: string,
  stream: string,
  o: LiveOptions,
): AsyncGenerator<ReadEvent> {
  const copies = new Deduplicator();
  let lastEventId = o.lastEventId;
  let failures = 0;
  const stopped = (): boolean => o.signal?.aborted === true;
  while (!stopped()) {
    let fault: SdkFault | undefined;
    try {
      const path = `/v1/streams/${encodeURIComponent(stream)}/live${query({
        from: lastEventId === undefined ? o.from : undefined,
        type: typeList(o.type),
        subject: o.subject,
        unit: o.unit,
      })}`;
      const { body } = await hub.open(path, {
        key,
        signal: o.signal,
        headers: {
          accept: 'text/event-stream',
          ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
        },
      });
      o.report?.connected?.();
      const messages: EventSourceMessage[] = [];
      const parser = createParser({ onEvent: (m) => messages.push(m), onId: (id) => (lastEventId = id) });
      const text = new TextDecoder();
      for await (const bytes of body) {
        parser.feed(text.decode(bytes, { stream: true }));
        for (const m of messages.splice(0)) {
          failures = 0;
          if (m.event === 'gap') o.report?.gap?.(parsed(m.data));
          if (m.event === 'damaged') o.report?.damaged?.(parsed(m.data));
          if (m.event !== undefined && m.event !== 'event' && m.event !== 'message') continue;
          const e = parsed(m.data) as ReadEvent | undefined;
          if (typeof e?.id === 'string' && copies.isNew(e)) yield e;
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

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
