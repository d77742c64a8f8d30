import { Fault, type FaultCode } from '#faults';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { instanceOf, problemOf, PROBLEM_TYPE } from './problem.js';
import type { RefusedLog } from './refused-log.js';

/** The fault code of an error of Node's HTTP parser; undefined when the peer has gone. */
function codeOf(error: { code?: string }): FaultCode | undefined {
  switch (error.code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return undefined;
    case 'HPE_HEADER_OVERFLOW':
      return 'header_too_large';
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return 'body_too_large';
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'request_timeout';
    case 'HPE_INVALID_EOF_STATE':
      return 'length_mismatch';
    default:
      return 'bad_request_line';
  }
}

export const REASONS: Partial<Record<number, string>> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  503: 'Service Unavailable',
};

interface InFlight {
  readonly headersSent: boolean;
  readonly req?: { readonly complete: boolean };
  once(event: 'close', then: () => void): unknown;
}

const answered = new WeakSet<Socket>();

/**
 * Writes the problem document of a connection that Node's HTTP parser has refused, and closes it. There is no request yet, so no header names a
 * language: Indonesian.
 */
export function answerBrokenConnection(
  error: { code?: string },
  socket: Socket,
  request: string,
  refused: RefusedLog,
): void {
  if (answered.has(socket)) return;
  answered.add(socket);
  const code = codeOf(error);
  const before = (socket as { _httpMessage?: InFlight | null })._httpMessage ?? undefined;
  if (code === undefined || !socket.writable) socket.destroy();
  else if (before === undefined) answer(socket, code, request, refused);
  // The broken bytes follow a request that was received completely and may be on its way into the log: that request is answered first.
  else if (before.req?.complete === true) before.once('close', () => answer(socket, code, request, refused));
  else if (before.headersSent) socket.destroy();
  else answer(socket, code, request, refused);
}

/** Answers a CONNECT request with 405: the hub is no proxy. Node would close the connection without a word. */
export function answerConnect(socket: Duplex, request: string, refused: RefusedLog): void {
  // Node has taken its own listeners off: a client that leaves must not end the process.
  socket.on('error', () => undefined);
  answer(socket as Socket, 'method_not_allowed', request, refused, 'allow: GET, HEAD, POST, DELETE\r\n');
}

function answer(socket: Socket, code: FaultCode, request: string, refused: RefusedLog, headers = ''): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const doc = problemOf(new Fault(code), 'id', instanceOf(request));
  refused.add({ code, status: doc.status, method: null, route: null, request, keyId: null });
  const text = JSON.stringify(doc);
  socket.end(
    `HTTP/1.1 ${doc.status} ${REASONS[doc.status] ?? 'Error'}\r\ncontent-type: ${PROBLEM_TYPE}\r\n` +
      `${headers}content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
  // A client that never reads the answer must not hold the socket.
  socket.setTimeout(2_000, () => socket.destroy());
}
