import { atOnce } from '#avro';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Caller } from '#access';
import { Fault } from '#faults';
import { LIMIT_NAMES, LIMITS, Limits, type LimitName, type LimitValues } from '#limits';
import { connect, type Socket } from 'node:net';
import { until } from '../../test/kit/projection/stage.js';
import { serveEdge } from '../../test/kit/doors/edge.js';
import { takeGrants } from './doors/keys.js';
import { readForms } from './doors/publish-forms.js';
import { Guesses, type Door, type HttpServer } from './index.js';
import { ownerOf } from './waiting-quota.js';

/** Every row of the table of limits, each proved by requests at a server whose limit of that name is small. */

const MIB = 1_048_576;
const LARGE = Buffer.alloc(4 * MIB, 'x');
let server: HttpServer;
let limits: Limits;
let released = Promise.withResolvers<void>();
const counted: string[] = [];
const sockets: Socket[] = [];

const door: Door = (edge) => {
  const { app, budgets } = edge;
  const guesses = new Guesses({ limits: budgets, missMs: 0 });
  app.get('/v1/things', () => ({ fine: true }));
  app.get('/v1/open', { config: { open: true } }, (_req, reply) => reply.send(LARGE));
  app.get('/v1/probe', { config: { open: true } }, () => ({ fine: true }));
  app.get('/v1/wait', async (req) => edge.waiting(req, () => released.promise.then(() => ({}))));
  app.get('/v1/held', async () => released.promise.then(() => ({})));
  app.get('/v1/large', async (req, reply) => reply.send(await edge.work(req).run(() => Promise.resolve(LARGE))));
  app.get('/v1/long', (req) => edge.work(req).run(() => released.promise.then(() => ({}))));
  app.get('/v1/burn', (req) =>
    edge.work(req).run((turn) => {
      const { user } = process.threadCpuUsage();
      while (process.threadCpuUsage().user - user < 60_000);
      return turn.next().then(() => ({}));
    }),
  );
  app.get('/v1/records', (req) => edge.work(req).run(async (turn) => (turn.scanned('records', 1_000), {})));
  app.get('/v1/entries', (req) => edge.work(req).run(async (turn) => (turn.scanned('entries', 1_000), {})));
  app.get('/v1/turn', (req) =>
    edge.work(req).run(async (turn) => {
      const began = performance.now();
      while (!turn.isOver);
      return { ms: performance.now() - began };
    }),
  );
  app.get('/v1/missing', (req) => guesses.one(edge.caller(req), () => Promise.reject(new Fault('not_found'))));
  app.get('/v1/lookup', async (req) => guesses.lookup(edge.caller(req), 'view').then(() => ({})));
  app.get('/v1/grant', (req) => {
    takeGrants(budgets, edge.caller(req), 1);
    return {};
  });
  app.post('/v1/events', () => ({ fine: true }));
  app.post('/v1/one', (req) => {
    const { event_names_per_object: object, event_names: all } = budgets.values;
    const reached = (limit: LimitName): void => budgets.count(limit);
    const read = atOnce(readForms(req, { items: 1, eventBytes: MIB, names: { object, all }, reached }));
    return read.at(0);
  });
  app.post('/v1/pending', async (req) => {
    const reached = budgets.pending.take(ownerOf(req));
    if (reached !== undefined) throw budgets.faultOf(reached, 'queue_full');
    return released.promise.then(() => ({}));
  });
};

async function serve(values: Partial<LimitValues>): Promise<void> {
  released = Promise.withResolvers();
  limits = new Limits({ values, refused: (limit) => counted.push(limit) });
  const authenticate = (h: string | undefined): Caller | undefined =>
    h?.startsWith('Bearer u') === true
      ? { keyId: h.slice(7), owner: h.slice(7, 9), system: 'x', roles: new Set(['publisher', 'reader']) }
      : undefined;
  server = await serveEdge({ doors: [door], authenticate, budgets: limits });
}

afterEach(async () => {
  released.resolve();
  for (const s of sockets.splice(0)) s.destroy();
  counted.length = 0;
  await server.close();
});

interface Conn {
  readonly socket: Socket;
  text: string;
  closed: boolean;
}

function open(text = '', isRead = true): Promise<Conn> {
  return new Promise((resolve) => {
    const conn: Conn = { socket: connect(Number(new URL(server.url).port), '127.0.0.1'), text: '', closed: false };
    sockets.push(conn.socket);
    if (isRead) conn.socket.setEncoding('latin1').on('data', (d: string) => (conn.text += d));
    else conn.socket.pause();
    conn.socket
      .on('connect', () => (text === '' ? resolve(conn) : conn.socket.write(text, () => resolve(conn))))
      .on('close', () => (conn.closed = true))
      .on('error', () => (conn.closed = true));
  });
}
const head = (method: string, path: string, key?: string, more = ''): string =>
  `${method} ${path} HTTP/1.1\r\nhost: x\r\n${key === undefined ? '' : `authorization: Bearer ${key}\r\n`}${more}\r\n`;
const get = (path: string, key?: string): string => head('GET', path, key);
const post = (path: string, key: string, told: number): string =>
  head('POST', path, key, `content-type: a/b\r\ncontent-length: ${told}\r\n`);
const answered = async (text: string): Promise<string> => {
  const conn = await open(text);
  await until(() => conn.text !== '' || conn.closed);
  return conn.text;
};

/** Uses what there is, then asks for more: the text of the refusal. */
async function second(first: string, more: string, isHeld: () => boolean): Promise<string> {
  await open(first);
  await until(isHeld);
  return answered(more);
}
const [one, other] = ['u1.a', 'u1.b'];
const many = (text: string) => async (): Promise<string> => {
  const conn = await open(text.repeat(40));
  await until(() => conn.text.includes('"limit"'));
  return conn.text;
};
const twice =
  (path: string, key = one) =>
  async (): Promise<string> => {
    await answered(get(path, one));
    return answered(get(path, key));
  };
const held =
  (path: string, of: () => number, key = one, method = get) =>
  async (): Promise<string> =>
    second(method(path, one), method(path, key), () => of() === 1);
const sent = (path: string, key?: string): string => `${post(path, key!, 1)}x`;
const bytes = (): Promise<string> => answered(`${post('/v1/events', one, 600)}${'x'.repeat(600)}`);
/** A JSON event with 70 names. */
const names = async (): Promise<string> => {
  const text = `{${Array.from({ length: 70 }, (_, i) => `"n${i}":1`).join(',')}}`;
  return answered(
    head('POST', '/v1/one', one, `content-type: application/json\r\ncontent-length: ${text.length}\r\n`) + text,
  );
};
/** What is not read is told nothing: its connection is closed. */
const cut = (path: string, key?: string) => async (): Promise<'cut'> => {
  const conn = await open(get(path, key), false);
  await until(() => counted.length > 0);
  conn.socket.resume();
  await until(() => conn.closed);
  return 'cut';
};
const unread = (key: string) => async (): Promise<string> => {
  await open(get('/v1/large', one), false);
  await until(() => limits.unread.held > MIB);
  return answered(get('/v1/large', key));
};

interface Proof {
  readonly value: number;
  /** Limits that would be reached before, or that have to be small with it. */
  readonly beside?: Partial<LimitValues>;
  /** @default 429 */
  readonly status?: number;
  readonly reach: () => Promise<string>;
}

const PROOFS: Readonly<Record<LimitName, Proof>> = {
  connections: {
    value: 8,
    status: 503,
    reach: async () => {
      for (let n = 1; n <= 8; n++) await answered(get('/v1/things', `u${n}.x`));
      return answered('');
    },
  },
  new_connections_per_address: {
    value: 1,
    reach: async () => {
      const first = await open();
      await open();
      await until(() => first.closed);
      return first.text;
    },
  },
  new_connection_seconds: { value: 1, status: 408, reach: () => answered('') },
  connections_per_key: { value: 1, reach: held('/v1/held', () => limits.connections.heldBy('key', one)) },
  connections_per_unit: { value: 1, reach: held('/v1/held', () => limits.connections.heldBy('unit', 'u1'), other) },
  requests_per_connection: {
    value: 1,
    reach: async () => {
      const conn = await open(get('/v1/held', one).repeat(3));
      await until(() => counted.length > 0);
      released.resolve();
      await until(() => conn.closed);
      return conn.text.slice(conn.text.lastIndexOf('HTTP/1.1'));
    },
  },
  queued_requests: {
    value: 1,
    beside: { requests_per_connection: 100 },
    status: 503,
    reach: many(get('/v1/things', one)),
  },
  queued_requests_per_key: {
    value: 1,
    beside: { requests_per_connection: 100 },
    reach: many(get('/v1/things', one)),
  },
  queued_requests_per_unit: {
    value: 1,
    beside: { requests_per_connection: 100 },
    reach: many(get('/v1/things', one)),
  },
  queued_requests_per_address: { value: 1, beside: { requests_per_connection: 100 }, reach: many(get('/v1/probe')) },
  receiving_bytes: { value: 500, status: 503, reach: bytes },
  receiving_bytes_per_key: { value: 500, status: 503, reach: bytes },
  receiving_bytes_per_unit: { value: 500, status: 503, reach: bytes },
  event_names: { value: 50, beside: { event_names_per_object: 100 }, status: 413, reach: names },
  event_names_per_object: { value: 64, status: 413, reach: names },
  pending_events: {
    value: 1,
    status: 503,
    reach: held('/v1/pending', () => limits.pending.held, one, sent),
  },
  pending_events_per_key: {
    value: 1,
    status: 503,
    reach: held('/v1/pending', () => limits.pending.held, one, sent),
  },
  pending_events_per_unit: {
    value: 1,
    status: 503,
    reach: held('/v1/pending', () => limits.pending.held, other, sent),
  },
  live_streams: { value: 1, status: 503, reach: held('/v1/wait', () => limits.live.held) },
  live_streams_per_key: { value: 1, reach: held('/v1/wait', () => limits.live.held) },
  live_streams_per_unit: { value: 1, reach: held('/v1/wait', () => limits.live.held, other) },
  live_streams_per_address: { value: 1, reach: held('/v1/wait', () => limits.live.held, 'u2.a') },
  unread_bytes: { value: MIB, reach: cut('/v1/large', one) },
  unread_bytes_per_connection: { value: MIB, reach: cut('/v1/large', one) },
  unread_bytes_per_key: { value: MIB, reach: unread(one) },
  unread_bytes_per_unit: { value: MIB, reach: unread(other) },
  unread_bytes_per_address: { value: MIB, reach: cut('/v1/open') },
  unread_seconds: { value: 1, reach: cut('/v1/large', one) },
  list_requests_per_key: { value: 1, reach: held('/v1/long', () => limits.turns.requests.held) },
  list_requests_per_unit: { value: 1, reach: held('/v1/long', () => limits.turns.requests.held, other) },
  list_requests: { value: 1, status: 503, reach: held('/v1/long', () => limits.turns.requests.held) },
  list_cpu_per_key: { value: 1, reach: twice('/v1/burn') },
  list_cpu_per_unit: { value: 1, reach: twice('/v1/burn', other) },
  records_scanned_per_key: { value: 1, reach: twice('/v1/records') },
  records_scanned_per_unit: { value: 1, reach: twice('/v1/records', other) },
  entries_scanned_per_key: { value: 1, reach: twice('/v1/entries') },
  entries_scanned_per_unit: { value: 1, reach: twice('/v1/entries', other) },
  misses_per_key: { value: 0.02, reach: twice('/v1/missing') },
  misses_per_unit: { value: 0.02, reach: twice('/v1/missing', other) },
  lookups_per_key: { value: 0.01, reach: twice('/v1/lookup') },
  lookups_per_unit: { value: 0.01, reach: twice('/v1/lookup', other) },
  grants_per_key: { value: 0.00001, reach: twice('/v1/grant') },
  grants_per_unit: { value: 0.00001, reach: twice('/v1/grant', other) },
  turn_ms: {
    value: 30,
    reach: async () => {
      const { ms } = JSON.parse(/\{.*\}$/.exec(await answered(get('/v1/turn', one)))![0]) as { ms: number };
      return ms >= 29 ? 'a turn' : `a turn of ${ms} ms`;
    },
  },
};

describe('the table of limits, each row at a server where it is small', () => {
  it.each(LIMIT_NAMES)('%s: requests beyond it get what the table says, by its name', async (name) => {
    const { value, beside, status = 429, reach } = PROOFS[name];
    await serve({ ...beside, [name]: value });
    const came = await reach();
    if (name === 'turn_ms') {
      expect(came).toBe('a turn');
      return;
    }
    expect(counted).toContain(name);
    if (came === 'cut') return;
    const told = came.slice(came.lastIndexOf('HTTP/1.1', came.indexOf(`"limit":"${name}"`)));
    expect(told).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    // Waiting does not make an event smaller.
    if (status !== 413) expect(told).toMatch(/\r\nretry-after: [1-9]/i);
    expect(told).toContain(`"limit":"${name}"`);
    expect(LIMITS[name].beyond.includes(String(status)) || !/\d{3}/.test(LIMITS[name].beyond)).toBe(true);
  });
});
