import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

// What Node says of the requests of a connection in no other way: node-internals.int.spec.ts fails when a version of Node changes it.

type Incoming = (req: IncomingMessage, keepAlive: boolean) => number;

/**
 * Makes the parser of Node stop at the first request that comes once `isOver`: it would make objects of all requests that one read has brought, some
 * thousand, in one go, also of a connection that is destroyed. The parser answers with `clientError`.
 */
export function stopParsing(socket: Socket, isOver: () => boolean): void {
  const { parser } = socket as { parser?: { onIncoming?: Incoming | null } | null };
  const incoming = parser?.onIncoming;
  if (parser && incoming) parser.onIncoming = (req, keepAlive) => (isOver() ? -1 : incoming(req, keepAlive));
}

/** Whether no request of this connection is being answered. */
export function isIdle(socket: Socket): boolean {
  return ((socket as { _httpMessage?: unknown })._httpMessage ?? undefined) === undefined;
}
