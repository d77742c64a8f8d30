import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { endpoint, message } from './events.fixture.js';
import { WebhookSender } from './index.js';

/** What a receiver does on a connection once a whole request has come in. `n`: the number of the request, from 1, over all connections. */
type Act = (socket: Socket, n: number) => void;

let server: Server;
let sockets: Set<Socket>;
let requests: number;
let act: Act;
let sender: WebhookSender;
let url: string;
const unhandled: unknown[] = [];
const note = (e: unknown): void => void unhandled.push(e);

beforeEach(async () => {
  sockets = new Set();
  requests = 0;
  process.on('unhandledRejection', note);
  server = createServer((socket) => {
    sockets.add(socket);
    let came = '';
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      came += chunk.toString('latin1');
      const head = came.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = Number(/content-length: (\d+)/.exec(came)?.[1] ?? 0);
      if (came.length < head + 4 + length) return;
      came = came.slice(head + 4 + length);
      act(socket, ++requests);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  sender = new WebhookSender({ allow: ['127.0.0.0/8'], timeoutMs: 400 });
});

afterEach(async () => {
  await sender.close();
  expect(sender.use).toEqual({ origins: 0, inFlight: 0 });
  // Nothing of the sender holds a connection open any more.
  while (sockets.size > 0) await new Promise(setImmediate);
  await new Promise((done) => server.close(done));
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

const send = () => sender.send(endpoint(url), message());
const says =
  (...parts: (string | Buffer)[]): Act =>
  (socket) => {
    for (const part of parts) socket.write(part);
  };
/** 50 MB of zeros. */
const BOMB = gzipSync(Buffer.alloc(50_000_000));
const OK = 'HTTP/1.1 204 No Content\r\n\r\n';

/** Writes again and again until the connection is gone. */
const forEver =
  (first: string, again: string | Buffer): Act =>
  (socket) => {
    socket.write(first);
    const more = (): void => {
      if (socket.destroyed) return;
      if (socket.write(again)) setImmediate(more);
      else socket.once('drain', more);
    };
    more();
  };
const slowly =
  (text: string): Act =>
  (socket) => {
    let at = 0;
    const timer = setInterval(() => socket.write(text[at++ % text.length]!), 5);
    socket.on('close', () => clearInterval(timer));
  };

describe('a receiver that is hostile gets one request, one attempt of its time, and an outcome', () => {
  it.each<[string, Act, object]>([
    ['writes its head one byte after the other', slowly('HTTP/1.1 200 OK\r\nx: '), { reason: 'timeout' }],
    [
      'writes a header for ever',
      forEver('HTTP/1.1 200 OK\r\n', 'x: y\r\n'.repeat(1_000)),
      { reason: 'answer_too_large' },
    ],
    ['writes one huge header', forEver('HTTP/1.1 200 OK\r\nx: ', 'y'.repeat(65_536)), { reason: 'answer_too_large' }],
    ['does not speak HTTP', says('SSH-2.0-OpenSSH_9.9\r\n'), { reason: 'invalid_answer' }],
    ['answers with HTTP/2', says(Buffer.from('00000c04000000000000', 'hex')), { reason: 'invalid_answer' }],
    ['has an impossible status', says('HTTP/1.1 99999 X\r\n\r\n'), { reason: 'invalid_answer' }],
    [
      'has two lengths',
      says('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx'),
      { kind: 'failed' },
    ],
    [
      'has a length and chunks',
      says('HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'),
      { kind: 'failed' },
    ],
    ['says 100 Continue', says('HTTP/1.1 100 Continue\r\n\r\n', OK), { reason: 'invalid_answer' }],
    ['says 100 Continue for ever', forEver('', 'HTTP/1.1 100 Continue\r\n\r\n'), { reason: 'invalid_answer' }],
    ['says 103 for ever', forEver('', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(100)), { reason: 'invalid_answer' }],
    [
      'switches protocols',
      says('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'),
      { reason: 'invalid_answer' },
    ],
    ['ends the connection without an answer', (socket) => socket.end(), { reason: 'reset' }],
    ['resets the connection without an answer', (socket) => socket.resetAndDestroy(), { reason: 'reset' }],
    ['ends it in the middle of the head', (socket) => socket.end('HTTP/1.1 200 OK\r\nx: '), { reason: 'reset' }],
    [
      'ends it in the middle of a body with a length',
      (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx'),
      { reason: 'reset', status: 200 },
    ],
    [
      'ends it in the middle of the last body of a connection',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9\r\n\r\nx'),
      { reason: 'reset', status: 200 },
    ],
    [
      'ends it in the middle of the last chunk of a connection',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nx'),
      { reason: 'reset', status: 200 },
    ],
    [
      'ends it in the middle of a chunk',
      (socket) => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nx'),
      { reason: 'reset', status: 200 },
    ],
    [
      'lies about the size of a chunk',
      says('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nx'),
      { kind: 'failed' },
    ],
    [
      'never ends the size of a chunk',
      forEver('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;', 'x'.repeat(1_000)),
      { kind: 'failed' },
    ],
    [
      'never ends its trailers',
      forEver('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n', 'x: y\r\n'.repeat(1_000)),
      { kind: 'failed' },
    ],
    [
      'says nothing more after a head with a length',
      says('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n'),
      { reason: 'timeout', status: 200 },
    ],
  ])('that %s', async (_what, acts, expected) => {
    act = acts;
    const outcome = await send();
    expect(outcome).toMatchObject({ kind: 'failed', ...expected });
    expect(outcome.ms).toBeLessThan(1_500);
    expect(requests).toBe(1);
    act = says(OK);
    expect(await send()).toMatchObject({ kind: 'delivered' });
  });

  it.each<[string, Act, object]>([
    [
      'without end in chunks of a byte',
      forEver('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', '1\r\nx\r\n'.repeat(1_000)),
      { head: 'x'.repeat(1_000) },
    ],
    [
      'without end and without a length',
      forEver('HTTP/1.1 200 OK\r\n\r\n', 'x'.repeat(65_536)),
      { head: 'x'.repeat(1_000) },
    ],
    [
      'of gzip that would be 50 MB',
      (socket) => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${BOMB.length}\r\n\r\n`);
        socket.write(BOMB);
      },
      {},
    ],
    ['that ends with the connection', (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nok'), { head: 'ok' }],
    ['after two hints', says('HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n'.repeat(2), OK), { status: 204 }],
    ['of 204 with a body', says('HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nxx'), { status: 204 }],
  ])('with an answer %s: delivered', async (_what, acts, expected) => {
    act = acts;
    const before = process.memoryUsage().arrayBuffers;
    expect(await send()).toMatchObject({ kind: 'delivered', ...expected });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(25_000_000);
    expect(requests).toBe(1);
  });

  it('that answers twice: the second answer is not taken for that of the next request', async () => {
    act = (socket, n) => socket.write(n === 1 ? `${OK}HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n` : OK);
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect(await send()).toMatchObject({ kind: 'delivered' });
  });
});

describe('a connection that is kept', () => {
  it('and closed by the receiver between two requests is not used for the next', async () => {
    act = (socket) => socket.write(OK, () => socket.end());
    for (let i = 1; i <= 20; i++) {
      expect(await send()).toMatchObject({ kind: 'delivered' });
      expect(requests).toBe(i);
      while (sockets.size > 0) await new Promise(setImmediate);
    }
  });

  it.each<[string, Act]>([
    ['closed', (socket) => socket.end()],
    ['reset', (socket) => socket.resetAndDestroy()],
  ])('and %s just when a request comes is not asked a second time within the try', async (_what, acts) => {
    act = (socket, n) => (n === 1 ? socket.write(OK) : acts(socket, n));
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect(await send()).toMatchObject({ kind: 'failed', reason: 'reset' });
    expect(requests).toBe(2);
    act = says(OK);
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect(requests).toBe(3);
  });

  it('is given up when an attempt is, and others go on', async () => {
    act = (socket, n) => void (n % 3 === 0 || socket.write(OK));
    const outcomes = await Promise.all(Array.from({ length: 60 }, () => send()));
    const count = (kind: string): number => outcomes.filter((o) => o.kind === kind).length;
    expect([count('delivered'), count('failed'), requests]).toEqual([40, 20, 60]);
  });
});
