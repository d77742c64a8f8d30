import { Fault } from '#faults';
import type { FastifyRequest } from 'fastify';
import type { Socket } from 'node:net';

/** One for each connection: a listener for each of its requests would be a warning of Node. */
const SIGNALS = new WeakMap<Socket, AbortSignal>();

/** Aborts when the connection of a request is closed: nobody reads its answer any more. The reason is a Fault request_timeout. */
export function goneOf({ raw: { socket } }: FastifyRequest): AbortSignal {
  const known = SIGNALS.get(socket);
  if (known !== undefined) return known;
  const gone = new AbortController();
  const leave = (): void => gone.abort(new Fault('request_timeout', { detail: 'the client has disconnected' }));
  SIGNALS.set(socket, gone.signal);
  if (socket.destroyed) leave();
  else socket.once('close', leave);
  return gone.signal;
}
