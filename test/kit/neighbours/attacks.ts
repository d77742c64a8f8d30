import { connect, type Socket } from 'node:net';

/** What an attacker has. */
export interface Attacker {
  readonly url: string;
  /** Publisher and reader; readers only; an admin of the unit. */
  readonly key: string;
  readonly readers: readonly string[];
  readonly admin: string;
  readonly source: string;
  /** A valid event of the attacker's unit, by type. */
  readonly sample: { readonly type: string; readonly data: Record<string, unknown> };
}

/** Goes on until the signal aborts; answers what came of it, for the report of a campaign. */
export type Attack = (attacker: Attacker, over: AbortSignal) => Promise<Record<string, number>>;

const STREAM = 'layanan.kasus';
const VIEW = 'layanan.kasus-papan';
/** Of another unit: filters by it find nothing that this key sees. */
const FOREIGN = 'SU00001';

/** `count` loops that ask again and again; how often each status came. */
async function loops(count: number, over: AbortSignal, ask: () => Promise<Response>): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  const loop = async (): Promise<void> => {
    while (!over.aborted) {
      const status = await ask()
        .then(async (r) => (await r.arrayBuffer(), String(r.status)))
        .catch(() => 'broken');
      seen[status] = (seen[status] ?? 0) + 1;
      // A client that is refused in a microsecond would only measure itself.
      if (status !== '200') await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  await Promise.all(Array.from({ length: count }, loop));
  return seen;
}

/** Connections that send `head` and never read; the ones that are closed are opened again. */
async function held(
  count: number,
  { url }: Attacker,
  over: AbortSignal,
  head: (n: number) => string,
): Promise<Record<string, number>> {
  const port = Number(new URL(url).port);
  const sockets = new Set<Socket>();
  let opened = 0;
  const open = (): void => {
    if (over.aborted) return;
    const socket = connect(port, '127.0.0.1');
    sockets.add(socket);
    const text = head(opened++);
    if (text === '') socket.resume();
    else socket.pause().on('connect', () => socket.write(text));
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  while (!over.aborted) {
    // All at once, then as many a second as one machine renews with little effort.
    for (let n = Math.min(opened < count ? 200 : 5, count - sockets.size); n > 0; n--) open();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (const socket of sockets) socket.destroy();
  return { opened };
}

/**
 * `count` connections on which the texts of `batch` are sent together, without waiting for the answers in between (pipelining), again and again. Counts the
 * answers by status. Raw sockets: an HTTP client costs more than the refusals that it asks for.
 */
async function piped(
  count: number,
  { url }: Attacker,
  over: AbortSignal,
  batch: readonly string[],
): Promise<Record<string, number>> {
  const port = Number(new URL(url).port);
  const text = batch.join('');
  const seen: Record<string, number> = {};
  const sockets = new Set<Socket>();
  over.addEventListener('abort', () => sockets.forEach((socket) => socket.destroy()), { once: true });
  const once = (socket: Socket): Promise<void> =>
    new Promise((resolve) => {
      let open = batch.length;
      let rest = '';
      const take = (data: string): void => {
        const all = rest + data;
        // The head of an answer may be cut anywhere.
        rest = all.slice(-12);
        for (const [, status] of all.slice(0, -1).matchAll(/HTTP\/1\.1 (\d{3})/g)) {
          seen[status!] = (seen[status!] ?? 0) + 1;
          open--;
        }
        if (open <= 0) leave();
      };
      const leave = (): void => {
        socket.off('data', take).off('close', leave);
        resolve();
      };
      socket.on('data', take).once('close', leave);
      socket.write(text);
    });
  const loop = async (): Promise<void> => {
    while (!over.aborted) {
      const socket = connect(port, '127.0.0.1').setEncoding('latin1');
      sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
      while (!over.aborted && !socket.destroyed) await once(socket);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await Promise.all(Array.from({ length: count }, loop));
  return seen;
}

const authorised = (key: string): { authorization: string } => ({ authorization: `Bearer ${key}` });
const get = (path: string, key: string): string =>
  `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`;
const open = (path: string, method = 'GET'): string => `${method} ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
const LISTS = ['conflicts', 'units?limit=1000', 'event-types', 'views', 'refusals', 'streams'];

export const ATTACKS: Readonly<Record<string, Attack>> = {
  '2,000 silent connections without a key, opened again when they are closed': (a, over) =>
    held(2_000, a, over, () => ''),

  '32 uploads that send no byte of their body, by readers and by a publisher': (a, over) =>
    held(32, a, over, (n) => {
      const key = n % 2 === 0 ? a.key : a.readers[n % a.readers.length]!;
      return `POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/x-ndjson\r\ncontent-length: 8388608\r\n\r\n`;
    }),

  '200 live streams from the beginning, over events that the key may not read': (a, over) =>
    loops(200, over, () =>
      fetch(`${a.url}/v1/streams/${STREAM}/live?from=earliest`, { headers: authorised(a.readers[0]!), signal: over }),
    ),

  '16 loops over the list of a stream, with a filter that finds nothing': (a, over) =>
    loops(16, over, () =>
      fetch(`${a.url}/v1/streams/${STREAM}/events?limit=1000&unit=${FOREIGN}`, {
        headers: authorised(a.key),
        signal: over,
      }),
    ),

  '8 loops over the list of a view, with a filter that finds nothing': (a, over) =>
    loops(8, over, () =>
      fetch(`${a.url}/v1/state/${VIEW}?limit=1000&unitPemegang=SU00001`, { headers: authorised(a.key), signal: over }),
    ),

  'two loops of dry runs of 10,000 events': (a, over) => {
    const event = { specversion: '1.0', source: a.source, type: a.sample.type, data: a.sample.data };
    const body = JSON.stringify(Array.from({ length: 10_000 }, (_, i) => ({ ...event, id: `dry-${i}` })));
    const headers = { ...authorised(a.key), 'content-type': 'application/cloudevents-batch+json' };
    return loops(2, over, () =>
      fetch(`${a.url}/v1/events?dryRun=true`, { method: 'POST', body, headers, signal: over }),
    );
  },

  '400 streams of large events of two keys, which nobody reads': (a, over) =>
    held(400, a, over, (n) => get('/v1/streams/ham.pengaduan/live?from=earliest', a.readers[n % 2]!)),

  '200 pages of large events, which nobody reads': (a, over) =>
    held(200, a, over, () => get('/v1/streams/ham.pengaduan/events?limit=1000', a.readers[0]!)),

  '16 loops over the lists of conflicts, units, types, views, refusals, streams, keys and audit records': (a, over) => {
    let n = 0;
    return loops(16, over, () => {
      const [path, key] = [
        ...LISTS.map((p) => [p, a.key]),
        ['keys?limit=1000', a.admin],
        ['audit?limit=1000', a.admin],
      ][n++ % (LISTS.length + 2)]!;
      return fetch(`${a.url}/v1/${path}`, { headers: authorised(key!), signal: over });
    });
  },

  '16 loops of short dry runs': (a, over) => {
    const event = { specversion: '1.0', source: a.source, type: a.sample.type, data: a.sample.data };
    const body = JSON.stringify(Array.from({ length: 50 }, (_, i) => ({ ...event, id: `dry-${i}` })));
    const headers = { ...authorised(a.key), 'content-type': 'application/cloudevents-batch+json' };
    return loops(16, over, () =>
      fetch(`${a.url}/v1/events?dryRun=true`, { method: 'POST', body, headers, signal: over }),
    );
  },

  '8 loops of bodies that are dear to read: look-ups with 70,000 names, lines of 8 MB, lists of brackets': (
    a,
    over,
  ) => {
    const names = JSON.stringify({
      subject: Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`n${i}`, 1])),
    });
    const event = { specversion: '1.0', id: 'x', source: a.source, type: a.sample.type };
    const line = JSON.stringify({ ...event, data: { ...a.sample.data, panjang: 'x'.repeat(8_000_000) } });
    const list = { ...event, data: { ...a.sample.data, daftar: Array.from({ length: 80_000 }, () => 'SU00521') } };
    const named = { ...event, data: Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`n${i}`, 1])) };
    // As many as are let in, each in an object of its own: what JSON.parse is slowest with.
    const objects = { ...event, data: { a: Array.from({ length: 19_000 }, (_, i) => ({ [`n${i}`]: 1 })) } };
    const brackets = `[${'[],'.repeat(2_700_000)}[]]`;
    const bodies = [
      ['/v1/state/layanan.kasus-papan/lookup', names, 'application/json'],
      ['/v1/events', line, 'application/x-ndjson'],
      ['/v1/events', JSON.stringify(list), 'application/cloudevents+json'],
      ['/v1/events', JSON.stringify(named), 'application/cloudevents+json'],
      ['/v1/events', JSON.stringify(objects), 'application/cloudevents+json'],
      ['/v1/events', `[${brackets}]`, 'application/cloudevents-batch+json'],
      ['/v1/events', '\n'.repeat(8_000_000), 'application/x-ndjson'],
    ] as const;
    let n = 0;
    return loops(8, over, () => {
      const [path, body, type] = bodies[n++ % bodies.length]!;
      const headers = { ...authorised(a.key), 'content-type': type };
      return fetch(a.url + path, { method: 'POST', body, headers, signal: over });
    });
  },

  '8 loops over one event with 80,000 ids: by its position, and in dead letters': async (a, over) => {
    const type = 'layanan.gangguan.dilaporkan';
    const headers = authorised(a.key);
    const sample = await fetch(`${a.url}/v1/event-types/${type}/sample`, { headers, signal: over });
    const { data } = (await sample.json()) as { data: object };
    const unit = a.source.split(':')[3]!;
    const event = { specversion: '1.0', id: 'besar', source: a.source, type };
    const list = Array.from({ length: 80_000 }, () => unit);
    const post = (path: string, body: object, as: string): Promise<Response> =>
      fetch(a.url + path, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { ...headers, 'content-type': as },
        signal: over,
      });
    const sent = { ...event, data: { ...data, unitTerdampak: list } };
    const { position } = (await (await post('/v1/events', sent, 'application/cloudevents+json')).json()) as {
      position: string;
    };
    const letter = { position, cause: { message: 'uji' }, attempts: 1, lasttime: '2026-01-01T00:00:00Z' };
    let n = 0;
    return loops(8, over, () =>
      n++ % 2 === 0
        ? fetch(`${a.url}/v1/events/${position}`, { headers, signal: over })
        : post(`/v1/dead-letters/${unit.toLowerCase()}.uji`, letter, 'application/json'),
    );
  },

  'hundreds of requests on each of 8 connections without a key, ahead of their answers': (a, over) =>
    piped(
      8,
      a,
      over,
      Array.from({ length: 300 }, () => open('/v1/streams')),
    ),

  '32 loops of probes, descriptions, wrong keys, paths and methods, which need no key': (a, over) =>
    piped(32, a, over, [
      ...['/metrics', '/health/ready', '/openapi.json', '/docs/errors', '/tidak/ada'].map((path) => open(path)),
      get('/v1/streams', 'simpul_salah'),
      open('/metrics', 'HEAD'),
      open('/v1/events', 'OPTIONS'),
      open('/v1/events', 'DELETE'),
    ]),
};
