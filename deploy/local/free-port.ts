import { createServer } from 'node:net';

/** A free TCP port of 127.0.0.1: `preferred` when it is free, else any. */
export function freePort(preferred = 0): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', (error) => (preferred === 0 ? fail(error) : done(freePort(0))));
    server.listen(preferred, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => done(port));
    });
  });
}
