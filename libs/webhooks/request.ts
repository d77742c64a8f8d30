import type { HeaderLines } from './header-lines.js';

/** Up to this size head and body are one piece of memory: one system call is cheaper than two pieces. */
const ONE_PIECE = 16_384;

/** A request of HTTP/1.1 as it goes out: its head and its body, in one piece or in two. */
export type Request = readonly [Buffer] | readonly [head: Buffer, body: Buffer];

interface Begin {
  readonly path: string;
  readonly host: string;
}
const begins = new WeakMap<URL, Begin>();

/** The bytes of a text. They are those of the next text as soon as it is asked for: requestOf() copies them. */
export function bytesOf(text: string): Buffer {
  if (text.length * 3 > work.length) return Buffer.from(text);
  return work.subarray(0, work.write(text));
}

/** Most bodies become bytes here, to be signed and to be copied behind their head: memory of their own would be garbage at once. */
const work = Buffer.allocUnsafeSlow(3 * ONE_PIECE);

/** `headers`: without Host and the length. undefined: a value of them cannot stand in a header. */
export function requestOf(
  method: 'POST' | 'OPTIONS',
  url: URL,
  headers: HeaderLines,
  body: Buffer,
): Request | undefined {
  if (!headers.isFit) return undefined;
  const { path, host } = beginOf(url);
  const length = method === 'POST' ? `content-length: ${body.length}\r\n` : '';
  const head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n${headers.text}${length}\r\n`;
  const size = head.length + body.length;
  if (size > ONE_PIECE) return [Buffer.from(head, 'latin1'), body.buffer === work.buffer ? Buffer.from(body) : body];
  const all = Buffer.allocUnsafe(size);
  all.write(head, 'latin1');
  all.set(body, head.length);
  return [all];
}

function beginOf(url: URL): Begin {
  let begin = begins.get(url);
  if (begin === undefined) begins.set(url, (begin = { path: url.pathname + url.search, host: url.host }));
  return begin;
}
