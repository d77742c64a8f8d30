import { afterEach, describe, expect, it } from '@jest/globals';
import { Limits } from '#limits';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { Server } from 'node:http';
import { serveEdge } from '../../test/kit/doors/edge.js';
import { until } from '../../test/kit/projection/stage.js';
import type { Door, HttpServer } from './index.js';

/**
 * Members of Node that have no public counterpart, each by what would break without it. When a new version of Node fails here, `node-sockets.ts` must learn
 * what it needs in another way. No public API stops the parser: `maxRequestsPerSocket` answers each further request, which is made an object before, and
 * `pause()` does not hold back what was read already.
 */

let server: HttpServer | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.close();
  server = undefined;
});

function client(url: string): Socket {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => undefined);
  sockets.push(socket);
  return socket;
}

describe('without this member of Node', () => {
  it('socket.parser.onIncoming: all requests that were sent behind a refusal in one piece would be made objects', async () => {
    const held = Promise.withResolvers<void>();
    const budgets = new Limits({ values: { requests_per_connection: 1 } });
    const door: Door = ({ app }) => {
      app.get('/held', { config: { open: true } }, () => held.promise.then(() => ({})));
    };
    server = await serveEdge({ doors: [door], budgets });
    let requests = 0;
    (server.app.getHttpServer() as Server).on('request', () => requests++);
    const socket = client(server.url);
    let text = '';
    socket.setEncoding('latin1').on('data', (data: string) => (text += data));
    socket.write('GET /held HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(500));
    await until(() => requests >= 2);
    held.resolve();
    await once(socket, 'close');
    expect(text).toContain('"limit":"requests_per_connection"');
    // The one that is answered, and the one that is refused.
    expect(requests).toBe(2);
  });

  it('socket._httpMessage: a connection that waits for its answer would be taken for an idle one, and closed', async () => {
    const held = Promise.withResolvers<void>();
    const budgets = new Limits({ values: { new_connections_per_address: 1 } });
    const door: Door = ({ app }) => {
      app.get('/held', { config: { open: true } }, () => held.promise.then(() => ({ fine: true })));
    };
    server = await serveEdge({ doors: [door], budgets });
    const works = client(server.url);
    let text = '';
    works.setEncoding('latin1').on('data', (data: string) => (text += data));
    works.write('GET /held HTTP/1.1\r\nhost: x\r\n\r\n');
    const idle = client(server.url).resume();
    await once(idle, 'connect');
    client(server.url);
    await once(idle, 'close');
    held.resolve();
    await until(() => text.includes('"fine":true'));
  });

  it('socket._handle.writeQueueSize: a reader that takes a large answer slowly would be taken for one that takes nothing', async () => {
    const accepted = Promise.withResolvers<Socket>();
    const listening = createServer((socket) => accepted.resolve(socket)).listen(0, '127.0.0.1');
    await once(listening, 'listening');
    const { port } = listening.address() as { port: number };
    const reader = client(`http://127.0.0.1:${port}`).pause();
    const writer = await accepted.promise;
    sockets.push(writer);
    const size = (): number | undefined =>
      (writer as { _handle?: { writeQueueSize?: number } | null })._handle?.writeQueueSize;
    writer.write(Buffer.alloc(64 * 1_048_576));
    const before = size();
    expect(before).toBeGreaterThan(0);
    // Node itself tells only of whole writes.
    expect(writer.writableLength).toBe(64 * 1_048_576);
    reader.on('data', () => {
      if (size()! < before!) reader.pause();
    });
    reader.resume();
    await until(() => size()! < before!);
    expect(writer.writableLength).toBe(64 * 1_048_576);
    listening.close();
  });
});
