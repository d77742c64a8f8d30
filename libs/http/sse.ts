import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HttpLimits, HttpReport } from './types.js';
import type { WaitingQuota } from './waiting-quota.js';

export interface SseOptions {
  /** How long EventSource waits before it reconnects. @default 2,000 ms */
  readonly retryMs?: number;
}

export interface SseEvent {
  readonly id?: string;
  readonly event?: string;
  /** One line or several; usually JSON text. Absent: the message only moves the id on. */
  readonly data?: string;
}

/** One open live stream. */
export interface Sse {
  /** false once the stream has ended. A reader with more than limits.liveBytes waiting is disconnected (backpressure). */
  send(event: SseEvent): boolean;
  /** Resolves when the reader has received what was sent, or the stream has ended. A reader that receives nothing for limits.stallMs is disconnected. */
  drained(): Promise<void>;
  /** Aborts when the stream has ended, by either side. */
  readonly closed: AbortSignal;
  end(): void;
}

export interface SseHost {
  readonly limits: HttpLimits;
  /** The functions that end the open streams; all are called when the server drains. */
  readonly open: Set<() => void>;
  readonly quota: WaitingQuota;
  readonly report: HttpReport;
  /** Whether the credentials of this request are still valid. */
  valid(req: FastifyRequest): boolean;
}

/** Takes over the connection and writes the response head. Fault too_many_requests, before the head is written. */
export function openSse(host: SseHost, req: FastifyRequest, reply: FastifyReply, options: SseOptions = {}): Sse {
  const release = host.quota.acquire(req);
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
  const finish = (destroy: boolean): void => {
    if (ended.signal.aborted) return;
    clearInterval(heartbeat);
    clearInterval(check);
    release();
    host.open.delete(end);
    host.report.live?.(host.open.size);
    if (destroy) raw.destroy();
    else raw.end();
    ended.abort();
  };
  const end = (): void => {
    finish(false);
  };
  const write = (text: string): boolean => {
    if (ended.signal.aborted) return false;
    // Checked before the write: one large event does not mean that the reader is slow.
    if (raw.writableLength > host.limits.liveBytes) {
      finish(true);
      return false;
    }
    raw.write(text);
    return true;
  };
  const heartbeat = setInterval(() => write(': \n\n'), host.limits.heartbeatMs);
  const check = setInterval(() => {
    if (!host.valid(req)) end();
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

/** WHATWG event stream format: line breaks in data become several data lines; in ids and names they are left out. */
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
