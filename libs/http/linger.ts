import type { IncomingMessage, ServerResponse } from 'node:http';

/** A client that sends more than this after its refusal, or for longer, finds the connection closed. Nothing of it is kept. */
const MAX_BYTES = 256 * 1_048_576;
const MAX_MS = 5_000;

/**
 * Ends a refusal whose request body was not read (lingering close): the answer is written at once and in full, then the rest of the body is read and thrown
 * away, within bounds, before the connection closes. Closing with unread bytes in the kernel would reset the connection, and a client that sends its whole
 * body before it reads would see a broken pipe instead of the reason. https://www.rfc-editor.org/rfc/rfc9112#section-9.6
 */
export function endAfterBody(req: IncomingMessage, res: ServerResponse, answer: Buffer): void {
  res.write(answer);
  let bytes = 0;
  const end = (): void => {
    clearTimeout(timer);
    req.off('data', count).off('end', end).off('close', end);
    res.end();
  };
  const count = (chunk: Buffer): void => {
    if ((bytes += chunk.length) > MAX_BYTES) end();
  };
  const timer = setTimeout(end, MAX_MS);
  req.on('data', count).once('end', end).once('close', end);
  req.resume();
}
