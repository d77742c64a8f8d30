import type { Server } from 'node:http';
import type { Socket } from 'node:net';

const SWEEP_MS = 20;

/**
 * Closes the connections of a server that drains, as soon as each has nothing left to do. Node closes only those that are idle at the moment of close():
 * a connection whose answer was still on its way then, or that has never sent a request (clients open some in advance), would hold the process for the
 * whole keep-alive time. A request head that is being sent gets `headersMs` to arrive. Answers the function that begins the drain.
 */
export function drainConnections(server: Server, headersMs: number): () => void {
  const unused = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  server.on('request', (req) => unused.delete(req.socket));
  return () => {
    const until = performance.now() + headersMs;
    const sweep = setInterval(() => {
      server.closeIdleConnections();
      for (const socket of unused) if (socket.bytesRead === 0 || performance.now() > until) socket.destroy();
    }, SWEEP_MS);
    server.once('close', () => clearInterval(sweep));
  };
}
