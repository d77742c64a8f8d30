import { afterEach, describe, expect, it } from '@jest/globals';
import type { Caller } from '#access';
import { pause } from '#concurrency';
import { Limits, type LimitValues } from '#limits';
import { connect, type Socket } from 'node:net';
import { until } from '../../test/kit/projection/stage.js';
import { serveEdge } from '../../test/kit/doors/edge.js';
import type { Door, HttpServer } from './index.js';

const LARGE = Buffer.alloc(8 * 1_048_576, 'x');
/** Requests at /v1/waiting stay open until this resolves. */
let released = Promise.withResolvers<void>();
let begun = 0;
let turns = 0;
const door: Door = (edge) => {
  edge.app.get('/v1/waiting', async () => {
    begun++;
    await released.promise;
    return { fine: true };
  });
  edge.app.get('/v1/things', (req, reply) => edge.json(req, reply, 200, { fine: true }));
  edge.app.get('/v1/large', async (req, reply) => reply.send(await edge.work(req).run(() => Promise.resolve(LARGE))));
  edge.app.get('/v1/open', { config: { open: true } }, (_req, reply) => reply.send(LARGE));
  edge.app.get('/v1/long', async (req) => {
    await edge.work(req).run(async (turn) => {
      begun++;
      for (;;) {
        turns++;
        await turn.next();
      }
    });
  });
  edge.app.post('/v1/events', () => ({ fine: true }));
  edge.app.post('/v1/writers', { config: { roles: ['publisher'] } }, () => ({ fine: true }));
};
const caller = (keyId: string): Caller => {
  const [owner = ''] = keyId.split('.');
  return { keyId, owner, system: 'x', roles: new Set(keyId.endsWith('w') ? ['publisher'] : ['reader']) };
};

let server: HttpServer;
let limits: Limits;
const counted: string[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const s of sockets.splice(0)) s.destroy();
  counted.length = 0;
  await server.close();
});

async function serve(values: Partial<LimitValues>, trustProxy: readonly string[] = []): Promise<void> {
  limits = new Limits({ values, refused: (limit) => counted.push(limit) });
  const authenticate = (h: string | undefined): Caller | undefined =>
    h?.startsWith('Bearer u') === true ? caller(h.slice(7)) : undefined;
  server = await serveEdge({ doors: [door], authenticate, budgets: limits }, {}, { trustProxy });
}

interface Conn {
  readonly socket: Socket;
  /** What was received, as text. */
  text: string;
  closed: boolean;
}

function open(head = ''): Promise<Conn> {
  return new Promise((resolve, reject) => {
    const conn: Conn = { socket: connect(Number(new URL(server.url).port), '127.0.0.1'), text: '', closed: false };
    sockets.push(conn.socket);
    conn.socket.setEncoding('latin1');
    conn.socket
      .on('connect', () => (head === '' ? resolve(conn) : conn.socket.write(head, () => resolve(conn))))
      .on('data', (d: string) => (conn.text += d))
      .on('close', () => (conn.closed = true))
      .on('error', (e) => {
        conn.closed = true;
        reject(e);
      });
  });
}

const get = (key: string, path = '/v1/things'): string =>
  `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`;
const post = (key: string, told: number, path = '/v1/events'): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: a/b\r\ncontent-length: ${told}\r\n\r\n`;
const answered = async (conn: Conn, times = 1): Promise<Conn> => {
  await until(() => conn.text.split('HTTP/1.1 ').length > times || conn.closed);
  return conn;
};
const ask = async (key: string): Promise<string> => (await answered(await open(get(key)))).text;

describe('requests that a connection sends ahead of the answers', () => {
  it('are bounded: those beyond the limit get 429 with its name behind the first ones, the connection is closed, and others are served', async () => {
    await serve({ requests_per_connection: 4 });
    released = Promise.withResolvers();
    begun = 0;
    const many = await open(get('u1.r', '/v1/waiting').repeat(50));
    await until(() => counted.length > 0);
    expect(await ask('u2.r')).toMatch(/^HTTP\/1.1 200/);
    released.resolve();
    await until(() => many.closed);
    expect(begun).toBeLessThanOrEqual(5);
    expect(many.text.match(/HTTP\/1.1 200/g)).toHaveLength(begun);
    expect(many.text).toMatch(/HTTP\/1.1 429[^]*"limit":"requests_per_connection"/);
  });
});

describe('long work of a client that has disconnected', () => {
  it('ends, and what had not begun never begins: the key has its room back', async () => {
    await serve({});
    begun = 0;
    const [working, waiting]: Conn[][] = [[], []];
    for (let i = 0; i < 4; i++) working!.push(await open(get('u1.r', '/v1/long')));
    await until(() => begun === 4);
    for (let i = 0; i < 16; i++) waiting!.push(await open(get('u1.r', '/v1/long')));
    await until(() => limits.turns.requests.heldBy('key', 'u1.r') === 20);
    for (const { socket } of waiting!) socket.destroy();
    await until(() => limits.turns.requests.held === 4);
    for (const { socket } of working!) socket.destroy();
    await until(() => limits.turns.requests.held === 0);
    const before = turns;
    expect(await ask('u2.r')).toMatch(/^HTTP\/1.1 200/);
    expect([begun, turns]).toEqual([4, before]);
  });
});

describe('connections', () => {
  it('without a valid key are few for each address: the oldest is told the limit and closed, and a request of the same address is served', async () => {
    await serve({ connections: 40, new_connections_per_address: 5 });
    const silent: Conn[] = [];
    for (let i = 0; i < 100; i++) silent.push(await open());
    expect(await ask('u1.r')).toMatch(/^HTTP\/1.1 200/);
    await until(() => silent.filter((c) => !c.closed).length <= 5);
    expect(silent.at(-1)!.closed).toBe(false);
    const [told] = silent;
    expect(told!.text).toMatch(/^HTTP\/1.1 429 [^]*retry-after: 1\r\n[^]*"limit":"new_connections_per_address"/);
    expect(counted).toContain('new_connections_per_address');
  });

  it('that never show a valid key end, and those that have shown one stay', async () => {
    await serve({ new_connection_seconds: 1 });
    const silent = await open();
    const wrong = await answered(await open(get('nobody')));
    const known = await answered(await open(get('u1.r')));
    await until(() => silent.closed && wrong.closed);
    expect([silent.text, wrong.text].map((t) => t.slice(0, 12))).toEqual(['HTTP/1.1 408', 'HTTP/1.1 401']);
    known.socket.write(get('u1.r'));
    expect((await answered(known, 2)).text).toMatch(/200[^]*200/);
  });

  it('of all together make room for a new one as long as there is one without a key; then the new one is refused', async () => {
    await serve({ connections: 8 });
    const known: Conn[] = [];
    for (const key of ['u1.r', 'u2.r', 'u3.r', 'u4.r']) known.push(await answered(await open(get(key))));
    const silent = [await open(), await open(), await open(), await open()];
    for (const key of ['u5.r', 'u6.r', 'u7.r', 'u8.r']) known.push(await answered(await open(get(key))));
    await until(() => silent.every((c) => c.closed));
    const late = await answered(await open());
    expect(late.text).toMatch(/^HTTP\/1.1 503 [^]*retry-after: 1\r\n[^]*"limit":"connections"/);
    expect(known.every((c) => !c.closed && c.text.startsWith('HTTP/1.1 200'))).toBe(true);
  });

  it('of all together: those of a unit that has a quarter of them make room for a new one, idle ones first, and nobody else is touched', async () => {
    await serve({ connections: 8 });
    const few = [await answered(await open(get('u2.r'))), await answered(await open(get('u3.r')))];
    const many: Conn[] = [];
    for (let n = 0; n < 6; n++) many.push(await answered(await open(get(`u1.${n}r`))));
    expect(await ask('u4.r')).toMatch(/^HTTP\/1.1 200/);
    expect(await ask('u5.r')).toMatch(/^HTTP\/1.1 200/);
    await until(() => many.filter((c) => c.closed).length === 2);
    expect(few.map((c) => c.closed)).toEqual([false, false]);
    // Then those that have been busy for longest, until no unit has a quarter.
    released = Promise.withResolvers();
    begun = 0;
    const busy = many.filter((c) => !c.closed);
    for (const [n, { socket }] of busy.toReversed().entries()) {
      socket.write(get('u1.r', '/v1/waiting'));
      await until(() => begun === n + 1);
    }
    const rest: Conn[] = [];
    for (const key of ['u6.r', 'u7.r', 'u8.r']) rest.push(await answered(await open(get(key))));
    await until(() => busy.filter((c) => c.closed).length === 3);
    expect(busy.map((c) => c.closed)).toEqual([false, true, true, true]);
    expect((await answered(await open())).text).toMatch(/^HTTP\/1.1 503 [^]*"limit":"connections"/);
    expect([...few, ...rest].every((c) => !c.closed)).toBe(true);
    released.resolve();
  });

  it('of all together: busy ones of two units leave the last tenth to units that have few', async () => {
    await serve({ connections: 40 });
    released = Promise.withResolvers();
    begun = 0;
    for (let n = 0; n < 36; n++) await open(get(`u${(n % 2) + 1}.r`, '/v1/waiting'));
    await until(() => begun === 36);
    expect(await ask('u1.r')).toMatch(/^HTTP\/1.1 503 [^]*"limit":"connections"/);
    const few: Conn[] = [];
    for (const key of ['u3.r', 'u4.r', 'u5.r', 'u6.r']) few.push(await answered(await open(get(key))));
    // A second one of a unit that has few takes the place of its idle one.
    expect(await ask('u3.r')).toMatch(/^HTTP\/1.1 200/);
    expect(await ask('u7.r')).toMatch(/^HTTP\/1.1 200/);
    expect(few.map((c) => [c.text.slice(0, 12), c.closed])).toEqual([
      ['HTTP/1.1 200', true],
      ['HTTP/1.1 200', false],
      ['HTTP/1.1 200', false],
      ['HTTP/1.1 200', false],
    ]);
    expect(limits.connections.heldBy('unit', 'u1') + limits.connections.heldBy('unit', 'u2')).toBe(35);
    released.resolve();
  });

  it('of one key are bounded: its idle ones end first, and other keys are not touched', async () => {
    await serve({ connections_per_key: 3 });
    const other = await answered(await open(get('u2.r')));
    const own: Conn[] = [];
    for (let i = 0; i < 5; i++) own.push(await answered(await open(get('u1.r'))));
    await until(() => own.filter((c) => c.closed).length === 2);
    expect(own.map((c) => c.closed)).toEqual([true, true, false, false, false]);
    expect([other.closed, counted]).toEqual([false, ['connections_per_key', 'connections_per_key']]);
  });

  it('of one key that all work are not ended: the next request is refused with 429', async () => {
    await serve({ connections_per_key: 2 });
    for (let i = 0; i < 2; i++) await open(post('u1.w', 10));
    await until(() => limits.connections.heldBy('key', 'u1.w') === 2);
    expect(await ask('u1.w')).toMatch(/^HTTP\/1.1 429 [^]*retry-after: 1\r\n[^]*"limit":"connections_per_key"/);
    expect(await ask('u2.w')).toMatch(/^HTTP\/1.1 200/);
  });

  it('of a trusted proxy are not counted for its address nor for the keys that it brings', async () => {
    await serve({ new_connections_per_address: 2, connections_per_key: 2, new_connection_seconds: 1 }, ['loopback']);
    const all: Conn[] = [];
    for (let i = 0; i < 6; i++) all.push(await open());
    for (let i = 0; i < 4; i++) all.push(await answered(await open(get('u1.r'))));
    await pause(1_600);
    expect(all.every((c) => !c.closed)).toBe(true);
  });
});

describe('bodies that are being received', () => {
  it('count by what has arrived, not by what was told: idle uploads take no room from others', async () => {
    await serve({ receiving_bytes: 1_000, receiving_bytes_per_key: 500 });
    for (let i = 0; i < 40; i++) await open(post(`u${i}.w`, 900_000));
    const small = await answered(await open(`${post('u99.w', 100)}${'x'.repeat(100)}`));
    expect(small.text).toMatch(/^HTTP\/1.1 200/);
  });

  it('of one key are refused beyond its part with 503 and the name of the limit, and the room is free again after the answer', async () => {
    await serve({ receiving_bytes_per_key: 500 });
    const first = await open(`${post('u1.w', 600)}${'x'.repeat(400)}`);
    await until(() => limits.receiving.heldBy('key', 'u1.w') === 400);
    const second = await answered(await open(`${post('u1.w', 200)}${'x'.repeat(200)}`));
    expect(second.text).toMatch(/^HTTP\/1.1 503 [^]*retry-after: 1\r\n[^]*"limit":"receiving_bytes_per_key"/);
    expect((await answered(await open(`${post('u2.w', 400)}${'x'.repeat(400)}`))).text).toMatch(/^HTTP\/1.1 200/);
    first.socket.destroy();
    await until(() => limits.receiving.held === 0);
  });

  it('take nothing where the role of the key is missing: the answer comes before one byte of the body', async () => {
    await serve({});
    expect((await answered(await open(post('u1.r', 100, '/v1/writers')))).text).toMatch(/^HTTP\/1.1 403/);
    expect(limits.receiving.held).toBe(0);
  });
});

describe('answers that are not read', () => {
  it('of a connection that takes nothing end it after a while, and their bytes are free again', async () => {
    await serve({ unread_seconds: 1 });
    const slow = await open();
    slow.socket.pause();
    slow.socket.write(get('u1.r', '/v1/large'));
    await until(() => limits.unread.heldBy('key', 'u1.r') > 1_000_000);
    await until(() => limits.unread.held === 0);
    expect(counted).toEqual(['unread_seconds']);
  });

  it('of one key are bounded: it gets 429 until they are read, and others are served', async () => {
    await serve({ unread_bytes_per_key: 9 * 1_048_576 });
    const slow: Conn[] = [];
    for (let i = 0; i < 2; i++) {
      const conn = await open();
      conn.socket.pause();
      conn.socket.write(get('u1.r', '/v1/large'));
      slow.push(conn);
      await until(() => limits.unread.heldBy('key', 'u1.r') > (i + 1) * 8_000_000);
    }
    const refused = (await answered(await open(get('u1.r', '/v1/large')))).text.slice(0, 1_000);
    expect(refused).toMatch(/^HTTP\/1.1 429 [^]*retry-after: 5\r\n[^]*"limit":"unread_bytes_per_key"/);
    expect((await answered(await open(get('u2.r', '/v1/large')))).text.slice(0, 20)).toMatch(/^HTTP\/1.1 200/);
    for (const { socket } of slow) socket.resume();
    await until(() => slow.every((c) => c.text.length > LARGE.length));
    expect((await answered(await open(get('u1.r', '/v1/large')))).text.slice(0, 20)).toMatch(/^HTTP\/1.1 200/);
  });

  it('of all together are bounded: the key with the most of them is cut, and nobody else', async () => {
    await serve({ unread_bytes: 20 * 1_048_576 });
    const of = async (key: string): Promise<Conn> => {
      const conn = await open();
      conn.socket.pause();
      const [before, cuts] = [limits.unread.held, counted.length];
      conn.socket.write(get(key, '/v1/large'));
      await until(() => limits.unread.held !== before || counted.length > cuts);
      return conn;
    };
    await of('u2.r');
    for (let i = 0; i < 3; i++) await of('u1.r');
    await until(() => limits.unread.held <= 20 * 1_048_576);
    expect(limits.unread.heldBy('key', 'u2.r')).toBeGreaterThan(0);
    expect(new Set(counted)).toEqual(new Set(['unread_bytes']));
  });

  it('to requests without a key are bounded for an address: its connections are closed, and a key is served', async () => {
    await serve({ unread_bytes_per_address: 4 * 1_048_576 });
    const slow = await open();
    slow.socket.pause();
    slow.socket.write('GET /v1/open HTTP/1.1\r\nhost: x\r\n\r\n');
    await until(() => counted.includes('unread_bytes_per_address'));
    await until(() => limits.unread.held === 0);
    expect((await answered(await open(get('u1.r', '/v1/large')))).text.slice(0, 20)).toMatch(/^HTTP\/1.1 200/);
  });

  it('that wait behind another one on their connection count too, and requests that have waited for their turn are asked again', async () => {
    await serve({ unread_bytes_per_key: 9 * 1_048_576, unread_bytes_per_connection: 200 * 1_048_576 });
    const slow = await open();
    slow.socket.pause();
    slow.socket.write(get('u1.r', '/v1/large').repeat(12));
    await until(() => limits.unread.heldBy('key', 'u1.r') > 2 * LARGE.length);
    await until(() => limits.turns.requests.held === 0);
    // Four are worked on at once; what comes behind them is refused.
    expect(limits.unread.heldBy('key', 'u1.r')).toBeLessThan(5 * LARGE.length);
    expect(counted).toContain('unread_bytes_per_key');
  });
});
