import type { Request } from './exchange.js';

/** What a value of a header may hold. */
const VALUE = /^[\t\x20-\x7e]*$/;

interface Begin {
  readonly path: string;
  readonly host: string;
}
const begins = new WeakMap<URL, Begin>();

/** A request of HTTP/1.1. `headers`: name after value, without Host and the length. undefined: a value that cannot stand in a header. */
export function requestOf(
  method: 'POST' | 'OPTIONS',
  url: URL,
  headers: readonly string[],
  body: Buffer | string,
): Request | undefined {
  const { path, host } = beginOf(url);
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  for (let i = 0; i < headers.length; i += 2) {
    const value = headers[i + 1]!;
    if (!VALUE.test(value)) return undefined;
    head += `${headers[i]!}: ${value}\r\n`;
  }
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  if (method === 'POST') head += `content-length: ${length}\r\n`;
  return { head: `${head}\r\n`, body };
}

function beginOf(url: URL): Begin {
  let begin = begins.get(url);
  if (begin === undefined) begins.set(url, (begin = { path: url.pathname + url.search, host: url.host }));
  return begin;
}
