import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { backoffMs, type Connection } from './connection.js';
import { isSdkFault, type SdkFault } from './fault.js';
import { query, typeList } from './query.js';
import type { ReadEvent } from './reader.js';
import { Seen } from './seen.js';

export interface LiveOptions {
  /** @default latest */
  readonly from?: string;
  readonly type?: string | readonly string[];
  readonly subject?: string;
  readonly unit?: string;
  /** Go on after this event id of the stream of server-sent events. */
  readonly lastEventId?: string;
  readonly signal?: AbortSignal;
  /** The hub can no longer give everything since the last event; what follows starts behind a gap. */
  readonly onGap?: (detail: unknown) => void;
  /** A cut; the stream goes on by itself. */
  readonly onCut?: (fault: SdkFault | undefined) => void;
  /** Connected (again). */
  readonly onOpen?: () => void;
}

/** Server-sent events of a stream, resumed with Last-Event-ID after every cut until the signal aborts. A refusal (4xx) is thrown. */
export async function* followLive(
  hub: Connection,
  key: string,
  stream: string,
  o: LiveOptions,
): AsyncGenerator<ReadEvent> {
  const seen = new Seen();
  let last = o.lastEventId;
  let failures = 0;
  const stopped = (): boolean => o.signal?.aborted === true;
  while (!stopped()) {
    let fault: SdkFault | undefined;
    try {
      const path = `/v1/streams/${encodeURIComponent(stream)}/live${query({
        from: last === undefined ? o.from : undefined,
        type: typeList(o.type),
        subject: o.subject,
        unit: o.unit,
      })}`;
      const { body } = await hub.open(path, {
        key,
        signal: o.signal,
        headers: { accept: 'text/event-stream', ...(last === undefined ? {} : { 'last-event-id': last }) },
      });
      o.onOpen?.();
      const ready: EventSourceMessage[] = [];
      const parser = createParser({ onEvent: (m) => ready.push(m), onId: (id) => (last = id) });
      const text = new TextDecoder();
      for await (const bytes of body) {
        parser.feed(text.decode(bytes, { stream: true }));
        for (const m of ready.splice(0)) {
          failures = 0;
          if (m.event === 'gap') o.onGap?.(parsed(m.data));
          if (m.event !== undefined && m.event !== 'event' && m.event !== 'message') continue;
          const e = parsed(m.data) as ReadEvent | undefined;
          if (typeof e?.id === 'string' && seen.first(e)) yield e;
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
    o.onCut?.(fault);
    failures++;
    try {
      await hub.pause(backoffMs(failures, fault?.retryAfterMs, hub.random, hub.retry), o.signal);
    } catch {
      return;
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
