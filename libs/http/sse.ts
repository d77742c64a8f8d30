import { LARGE_BYTES } from '#reading';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
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
  /** Sends whole messages in the event stream format, the parts of a list together. `full`: the reader has not taken what was sent; see onDrained. */
  sendBytes(messages: Buffer | readonly Buffer[]): 'sent' | 'full' | 'ended';
  /** Called when the reader has taken what was sent, after `full`. */
  onDrained: (() => void) | undefined;
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
  readonly streams: WatchedStreams;
  readonly now: () => number;
  /** Called when the kernel did not take what was written at once. */
  readonly wrote: (socket: Socket) => void;
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
    host.streams.remove(watched);
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
  /** Since when the reader has not taken what was sent; undefined when it has. */
  let stalledSince: number | undefined;
  const write = (bytes: string | Buffer | readonly Buffer[]): boolean => {
    if (ended.signal.aborted) return false;
    // Checked before the write: one large event does not mean that the reader is slow.
    if (raw.writableLength > host.limits.liveBytes) {
      finish(true);
      return false;
    }
    if (!writeAll(raw, bytes)) {
      stalledSince ??= host.now();
      host.wrote(req.raw.socket);
    }
    return true;
  };
  const waiting = new Set<() => void>();
  raw.on('drain', () => {
    stalledSince = undefined;
    for (const resolve of waiting) resolve();
    waiting.clear();
    live.onDrained?.();
  });
  const watched = {
    beat: () => void write(': \n\n'),
    check: () => {
      if (!host.valid(req)) end();
      else if (stalledSince !== undefined && host.now() - stalledSince >= host.limits.stallMs) finish(true);
    },
  };
  raw.on('close', () => {
    finish(true);
  });
  raw.on('error', () => {
    finish(true);
  });
  ended.signal.addEventListener('abort', () => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  });
  host.streams.add(watched);
  host.open.add(end);
  host.report.live?.(host.open.size);
  if (req.method === 'HEAD') end();
  const live: Sse = {
    onDrained: undefined,
    send: (event) => write(formatEvent(event)),
    sendBytes: (messages) => {
      if (!write(messages)) return 'ended';
      return stalledSince === undefined ? 'sent' : 'full';
    },
    drained: () => {
      if (ended.signal.aborted || stalledSince === undefined) return Promise.resolve();
      return new Promise((resolve) => waiting.add(resolve));
    },
    closed: ended.signal,
    end,
  };
  return live;
}

/** Small parts are joined: each write is a chunk of its own. A large one is handed over as it is, because several streams may share its bytes. */
function writeAll(raw: Writable, bytes: string | Buffer | readonly Buffer[]): boolean {
  if (typeof bytes === 'string' || Buffer.isBuffer(bytes)) return raw.write(bytes);
  let small: Buffer[] = [];
  let isTaken = true;
  // Not corked: a response that is corked emits no `drain`.
  for (const part of bytes) {
    if (part.length <= LARGE_BYTES) small.push(part);
    else {
      if (small.length > 0) raw.write(Buffer.concat(small.splice(0)));
      isTaken = raw.write(part) && isTaken;
    }
  }
  if (small.length > 0) isTaken = raw.write(Buffer.concat(small)) && isTaken;
  return isTaken;
}

interface WatchedStream {
  beat(): void;
  check(): void;
}

/** The timers of all open streams: one for heartbeats, one for the checks of keys and of readers that take nothing. */
export class WatchedStreams {
  readonly #streams = new Set<WatchedStream>();
  readonly #limits: Pick<HttpLimits, 'heartbeatMs' | 'recheckMs'>;
  #timers: NodeJS.Timeout[] = [];

  constructor(limits: Pick<HttpLimits, 'heartbeatMs' | 'recheckMs'>) {
    this.#limits = limits;
  }

  add(stream: WatchedStream): void {
    this.#streams.add(stream);
    if (this.#timers.length > 0) return;
    const each = (call: (stream: WatchedStream) => void) => (): void => {
      for (const open of [...this.#streams]) call(open);
    };
    this.#timers = [
      setInterval(
        each((s) => s.beat()),
        this.#limits.heartbeatMs,
      ),
      setInterval(
        each((s) => s.check()),
        this.#limits.recheckMs,
      ),
    ];
  }

  remove(stream: WatchedStream): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
  }
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
