import { Fault, type FaultCode } from '#faults';
import type { Socket } from 'node:net';
import { problemOf } from './problem.js';

/** What Node's parser says of a connection before there is a request. */
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

const REASONS: Partial<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
};

/** Answers a broken connection by hand, in our shape, and closes it. There is no request yet, so the language is Indonesian. */
export function answerBrokenConnection(error: { code?: string }, socket: Socket, instance: string): void {
  const code = codeOf(error);
  if (code === undefined || !socket.writable) {
    socket.destroy();
    return;
  }
  const doc = problemOf(new Fault(code), 'id', instance);
  const text = JSON.stringify(doc);
  // An answer that has begun cannot be replaced.
  const begun = (socket as { _httpMessage?: { headersSent?: boolean } })._httpMessage?.headersSent === true;
  if (begun) {
    socket.destroy();
    return;
  }
  socket.end(
    `HTTP/1.1 ${doc.status} ${REASONS[doc.status] ?? 'Error'}\r\ncontent-type: application/problem+json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
  // A reader that never takes the answer must not hold the socket.
  socket.setTimeout(2_000, () => socket.destroy());
}
