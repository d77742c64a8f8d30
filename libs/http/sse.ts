import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Places } from './places.js';
import type { HttpLimits, HttpReport } from './types.js';

export interface SseOptions {
  /** What EventSource waits before it connects again. @default 2,000 ms */
  readonly retryMs?: number;
}

export interface SseEvent {
  readonly id?: string;
  readonly event?: string;
  /** One line or several; usually JSON text. Absent: only the id moves on. */
  readonly data?: string;
}

/** One open live stream. */
export interface Sse {
  /** false once the stream has ended; a reader that has too much waiting is cut. */
  send(event: SseEvent): boolean;
  /** Resolves when the reader has taken what was sent, or the stream has ended; a reader that takes nothing for limits.stallMs is cut. */
  drained(): Promise<void>;
  /** Aborts when the stream has ended, whoever ended it. */
  readonly closed: AbortSignal;
  end(): void;
}

export interface SseHost {
  readonly limits: HttpLimits;
  /** Ends of all open streams, called when the server drains. */
  readonly open: Set<() => void>;
  readonly places: Places;
  readonly report: HttpReport;
  /** Whether the key of this request still holds. */
  holds(req: FastifyRequest): boolean;
}

/** Takes the connection over and writes the head. Fault too_many_requests before. */
export function openSse(host: SseHost, req: FastifyRequest, reply: FastifyReply, options: SseOptions = {}): Sse {
  const giveBack = host.places.take(req);
  reply.hijack();
  const raw = reply.raw;
  const ended = new AbortController();
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    'x-request-id': req.id,
  });
  raw.flushHeaders();
  raw.write(`retry: ${options.retryMs ?? 2_000}\n\n`);
  const finish = (cut: boolean): void => {
    if (ended.signal.aborted) return;
    clearInterval(heart);
    clearInterval(check);
    giveBack();
    host.open.delete(end);
    host.report.live?.(host.open.size);
    if (cut) raw.destroy();
    else raw.end();
    ended.abort();
  };
  const end = (): void => {
    finish(false);
  };
  const write = (text: string): boolean => {
    if (ended.signal.aborted) return false;
    // Judged before the write: one large event is no sign of a slow reader.
    if (raw.writableLength > host.limits.liveBytes) {
      finish(true);
      return false;
    }
    raw.write(text);
    return true;
  };
  const heart = setInterval(() => write(': \n\n'), host.limits.heartbeatMs);
  const check = setInterval(() => {
    if (!host.holds(req)) end();
  }, host.limits.recheckMs);
  raw.on('close', () => {
    finish(true);
  });
  raw.on('error', () => {
    finish(true);
  });
  host.open.add(end);
  host.report.live?.(host.open.size);
  return {
    send: (event) => write(formatEvent(event)),
    drained: () =>
      new Promise((resolve) => {
        if (ended.signal.aborted || !raw.writableNeedDrain) {
          resolve();
          return;
        }
        const stalled = setTimeout(() => {
          finish(true);
        }, host.limits.stallMs);
        const done = (): void => {
          clearTimeout(stalled);
          raw.off('drain', done);
          ended.signal.removeEventListener('abort', done);
          resolve();
        };
        raw.once('drain', done);
        ended.signal.addEventListener('abort', done, { once: true });
      }),
    closed: ended.signal,
    end,
  };
}

/** WHATWG event stream: line breaks in data become several data lines; in ids and names they are left out. */
export function formatEvent(event: SseEvent): string {
  let out = '';
  if (event.id !== undefined) out += `id: ${oneLine(event.id)}\n`;
  if (event.event !== undefined) out += `event: ${oneLine(event.event)}\n`;
  for (const line of event.data?.split(/\r\n|\r|\n/) ?? []) out += `data: ${line}\n`;
  return `${out}\n`;
}

function oneLine(text: string): string {
  return text.replace(/[\r\n\0]/g, '');
}
