import type { ServerResponse } from 'node:http';
import type { Answer } from './script.js';

const CHUNK = Buffer.alloc(65_536, 'x');

/** Gives the answer of a rule. */
export function write(res: ServerResponse, answer: Answer): void {
  if (answer.hang) return;
  if (answer.delayMs === undefined) now(res, answer);
  else setTimeout(() => now(res, answer), answer.delayMs).unref();
}

function now(res: ServerResponse, answer: Answer): void {
  const { reset, body = '', redirect, retryAfter, trickleMs, hugeBytes } = answer;
  if (res.destroyed) return;
  if (reset === 'request') {
    res.socket?.resetAndDestroy();
    return;
  }
  const headers: Record<string, string> = { ...answer.headers };
  if (redirect !== undefined) headers['location'] = redirect;
  if (retryAfter !== undefined) headers['retry-after'] = String(retryAfter);
  if (reset === 'body') headers['content-length'] = String(Buffer.byteLength(body) + 1_000);
  res.writeHead(
    answer.status ?? (redirect === undefined ? (reset || trickleMs || hugeBytes ? 200 : 204) : 302),
    headers,
  );
  if (reset === 'body') res.write(body === '' ? 'x' : body, () => setImmediate(() => res.socket?.resetAndDestroy()));
  else if (trickleMs !== undefined) trickle(res, trickleMs);
  else if (hugeBytes !== undefined) huge(res, hugeBytes);
  else res.end(body);
}

function trickle(res: ServerResponse, ms: number): void {
  res.flushHeaders();
  const timer = setInterval(() => res.write('x'), ms).unref();
  res.on('close', () => clearInterval(timer));
}

function huge(res: ServerResponse, bytes: number): void {
  let left = bytes;
  const more = (): void => {
    while (left > 0 && !res.destroyed) {
      const part = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
      left -= part.length;
      if (!res.write(part)) {
        res.once('drain', more);
        return;
      }
    }
    res.end();
  };
  more();
}
