import { createServer, request as httpRequest, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ExpressAdapter } from '@nestjs/platform-express';
import fastify from 'fastify';
import { deferred } from '#concurrency';
import { ConsumerFault, onBatch, onEvent, sqliteInbox } from '#consuming';
import { PasporDiterbitkan, PresensiTercatat } from '#event-types';
import type { ReadEvent } from '#sdk';
import {
  Refuse,
  RetryLater,
  webhookHandler,
  webhookPlugin,
  type WebhookHandlers,
  type WebhookOptions,
} from './index.js';
import { made, OTHER_SECRET, readEvent, SECRET, signed, SUBSCRIPTION, type Made } from './requests.fixture.js';

const PATH = '/webhooks/simpul';
let closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.reverse()) await close();
  closing = [];
});

const told: unknown[] = [];
const report = {
  refused: ({ reason }: { reason: string }) => void told.push(reason),
  failed: ({ status, cause }: { status: number; cause: unknown }) => void told.push([status, String(cause)]),
};
beforeEach(() => void told.splice(0));

async function listening(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closing.push(() => new Promise((done) => (server.closeAllConnections(), server.close(done))));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${PATH}`;
}

interface ExpressApp {
  use(middleware: unknown): void;
  all(path: string, middleware: unknown): void;
  (...args: unknown[]): void;
}
const express = (): ExpressApp => new ExpressAdapter().getInstance<ExpressApp>();

type Start = (handlers: WebhookHandlers, options?: Partial<WebhookOptions>) => Promise<string>;
const optionsOf = (options: Partial<WebhookOptions> = {}): WebhookOptions => ({ secrets: SECRET, report, ...options });

const FRAMEWORKS: readonly (readonly [string, Start])[] = [
  ['node:http', (handlers, options) => listening(createServer(webhookHandler(handlers, optionsOf(options))))],
  [
    'Express',
    (handlers, options) => {
      const app = express();
      app.all(PATH, webhookHandler(handlers, optionsOf(options)));
      return listening(createServer(app));
    },
  ],
  [
    'Fastify',
    async (handlers, options) => {
      const app = fastify({ forceCloseConnections: true });
      app.register(webhookPlugin(handlers, optionsOf(options)));
      await app.listen({ port: 0, host: '127.0.0.1' });
      closing.push(() => app.close());
      return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}${PATH}`;
    },
  ],
];

async function post(url: string, { headers, body }: Made) {
  const answer = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body) });
  const text = await answer.text();
  return {
    status: answer.status,
    text,
    code: text === '' ? '' : (JSON.parse(text) as { code: string }).code,
    headers: answer.headers,
  };
}

describe.each(FRAMEWORKS)('a receiver in %s', (_name, start) => {
  it.each(['structured', 'binary', 'batch'] as const)(
    'takes the form %s, gives the event to its handler, and answers 204',
    async (mode) => {
      const seen: unknown[] = [];
      const take = onEvent(PasporDiterbitkan, (event, { attempt, feed, group }) => {
        seen.push([event.id, event.data.nik, event.position, attempt, feed, group]);
      });
      const url = await start([take]);
      const plain = await start(
        ({ data }, { webhookId, subscription, position }) => {
          seen.push([data['nik'], webhookId, subscription, position]);
        },
        { tokens: [PasporDiterbitkan] },
      );
      const event = readEvent();
      for (const [tried, data] of [
        [1, 'json'],
        [2, 'avro'],
      ] as const) {
        expect(await post(url, made(mode, [event], { data, try: tried, id: `msg_${tried}` }))).toMatchObject({
          status: 204,
          text: '',
        });
        expect(seen.pop()).toEqual([
          ...[event.envelope.id, '9901010101010001', event.position, tried, SUBSCRIPTION, 'default'],
        ]);
        expect((await post(plain, made(mode, [event], { data, id: `msg_${tried}` }))).status).toBe(204);
        expect(seen.pop()).toEqual(['9901010101010001', `msg_${tried}`, SUBSCRIPTION, event.position]);
      }
      expect(told).toEqual([]);
    },
  );

  it('answers only after the handler has ended', async () => {
    const [begun, end] = [deferred<void>(), deferred<void>()];
    const url = await start(() => (begun.resolve(), end.promise));
    let answered = false;
    const answer = post(url, made('structured')).finally(() => (answered = true));
    await begun.promise;
    expect(answered).toBe(false);
    end.resolve();
    expect((await answer).status).toBe(204);
  });

  it('answers what the handler says: Refuse 422, RetryLater 503 or 429 with Retry-After, and of any other error its code only', async () => {
    const cases: readonly (readonly [unknown, number, string, string | null])[] = [
      [new Refuse('unit tidak dikenal'), 422, '{"code":"refused","detail":"unit tidak dikenal"}', null],
      [new RetryLater(30), 503, '{"code":"retry_later","detail":"not now"}', '30'],
      [new RetryLater(0.2, 'penuh', 429), 429, '{"code":"retry_later","detail":"penuh"}', '1'],
      [new Error('password=geheim'), 500, '{"code":"handler_failed"}', null],
      ['geheim', 500, '{"code":"handler_failed"}', null],
      [undefined, 500, '{"code":"handler_failed"}', null],
    ];
    let next: unknown;
    const url = await start(() => Promise.reject(next));
    for (const [cause, status, text, retryAfter] of cases) {
      next = cause;
      const answer = await post(url, made('structured'));
      expect([answer.status, answer.text, answer.headers.get('retry-after')]).toEqual([status, text, retryAfter]);
      expect(told.pop()).toEqual([status, String(cause)]);
    }
  });

  it('answers 503 when the handler does not end in its time, and aborts its signal', async () => {
    let signal: AbortSignal | undefined;
    const url = await start((_event, context) => ((signal = context.signal), new Promise(() => undefined)), {
      timeoutMs: 20,
    });
    expect(await post(url, made('structured'))).toMatchObject({ status: 503, code: 'handler_slow' });
    expect(signal!.aborted).toBe(true);
  });

  it('refuses what is not signed, and its handler sees nothing of it', async () => {
    const handler = jest.fn();
    const url = await start(handler, { secrets: [OTHER_SECRET] });
    expect(await post(url, made('structured'))).toMatchObject({ status: 401, code: 'no_signature_fits' });
    expect(await post(url, { headers: {}, body: Buffer.from('{}') })).toMatchObject({
      status: 401,
      code: 'headers_missing',
    });
    expect(told).toEqual(['no_signature_fits', 'headers_missing']);
    expect(handler).not.toHaveBeenCalled();
  });

  it('refuses a body of 10 MB, with a length and without, and answers on the same connection', async () => {
    const handler = jest.fn();
    const url = await start(handler);
    const large = signed(
      { 'webhook-id': 'm', 'content-type': 'application/cloudevents+json' },
      Buffer.alloc(10_000_000, ' '),
    );
    const send = (chunked: boolean) =>
      new Promise<number>((done, fail) => {
        const headers = chunked ? large.headers : { ...large.headers, 'content-length': String(large.body.length) };
        const sent = httpRequest(url, { method: 'POST', headers }, (answer) => {
          answer.resume().on('end', () => done(answer.statusCode!));
        });
        sent.on('error', fail);
        sent.end(large.body);
      });
    expect([await send(true), await send(false)]).toEqual([413, 413]);
    expect(handler).not.toHaveBeenCalled();
    expect((await post(url, made('structured'))).status).toBe(204);
  });

  it('refuses a body of no bytes, and headers that came twice', async () => {
    const url = await start(jest.fn());
    const { headers } = made('structured');
    const empty = await post(url, { headers, body: Buffer.alloc(0) });
    expect(empty).toMatchObject({ status: 401, code: 'no_signature_fits' });
    const { headers: first, body } = made('structured');
    const lines = Object.entries(first).flatMap(([name, value]) =>
      name === 'webhook-id' ? [`Webhook-Id: ${value}`, `WEBHOOK-ID: ${value}`] : [`${name}: ${value}`],
    );
    const head = [`POST ${PATH} HTTP/1.1`, 'host: x', 'connection: close', `content-length: ${body.length}`, ...lines];
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    socket.write(body);
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    expect(answer).toMatch(/^HTTP\/1\.1 401 [^]*headers_missing/);
  });

  it('gives the events of a batch in their order, those for a batch handler together, and says at the first failure what failed', async () => {
    const seen: unknown[] = [];
    const events = Array.from({ length: 5 }, () => readEvent());
    const ids = events.map(({ envelope }) => envelope.id);
    const batch = onBatch(PasporDiterbitkan, (list) => void seen.push(list.map(({ id }) => id)), { size: 3 });
    expect((await post(await start([batch]), made('batch', events))).status).toBe(204);
    expect(seen.splice(0)).toEqual([ids.slice(0, 3), ids.slice(3)]);
    const each = onEvent(PasporDiterbitkan, ({ id }) => {
      seen.push(id);
      if (id === ids[2]) throw new Refuse('yang ketiga');
    });
    expect(await post(await start([each]), made('batch', events))).toMatchObject({ status: 422, code: 'refused' });
    expect(seen).toEqual(ids.slice(0, 3));
  });

  it('refuses an event whose type has no handler, or lets it go by when it is told so', async () => {
    const handler = onEvent(PresensiTercatat, () => undefined);
    expect(await post(await start([handler]), made('structured'))).toMatchObject({ status: 422, code: 'no_handler' });
    expect((await post(await start([handler], { others: 'ignore' }), made('structured'))).status).toBe(204);
  });

  it('answers the question of a hub for the origins that it names', async () => {
    const ask = async (url: string, origin?: string) => {
      const headers: Record<string, string> = origin === undefined ? {} : { 'webhook-request-origin': origin };
      const { status, headers: answer } = await fetch(url, { method: 'OPTIONS', headers });
      return [status, answer.get('webhook-allowed-origin'), answer.get('webhook-allowed-rate')];
    };
    const listed = await start(jest.fn(), { origins: ['Simpul.go.id'], requestsPerMinute: 600 });
    expect(await ask(listed, 'simpul.go.id')).toEqual([200, 'simpul.go.id', '600']);
    expect(await ask(listed, 'simpul.go.id.example.org')).toEqual([403, null, null]);
    expect(await ask(listed)).toEqual([400, null, null]);
    expect(await ask(await start(jest.fn(), { origins: ['*'] }), 'hub.example.org')).toEqual([200, '*', null]);
    expect(await ask(await start(jest.fn()), 'simpul.go.id')).toEqual([405, null, null]);
  });
});

describe('a repeat', () => {
  const [, start] = FRAMEWORKS[0]!;
  const rows = (db: DatabaseSync): number => Number(db.prepare('SELECT count(*) AS n FROM simpul_inbox').get()!['n']);

  it('of the same signed request does not reach the handler again; of a request that failed it does', async () => {
    const handler = jest.fn<(event: ReadEvent) => Promise<void>>();
    handler.mockRejectedValueOnce(new Error('lain kali'));
    const url = await start(handler);
    const request = made('structured');
    const statuses = [];
    for (let n = 0; n < 4; n++) statuses.push((await post(url, request)).status);
    expect(statuses).toEqual([500, 204, 204, 204]);
    expect(handler).toHaveBeenCalledTimes(2);
  });

  it('of an event, signed anew, is handled again without an inbox, and once with an inbox, over processes and in every form', async () => {
    const db = new DatabaseSync(':memory:');
    const event = readEvent();
    const handler = jest.fn();
    const tries = (['structured', 'binary', 'batch'] as const).map((mode, n) =>
      made(mode, [event], { at: Math.floor(Date.now() / 1_000) - n }),
    );
    const plain = await start(handler);
    for (const request of tries) expect((await post(plain, request)).status).toBe(204);
    expect(handler).toHaveBeenCalledTimes(3);
    for (const request of tries) {
      const url = await start(handler, { inbox: sqliteInbox(db), group: 'satu' });
      expect((await post(url, request)).status).toBe(204);
    }
    expect(handler).toHaveBeenCalledTimes(4);
    expect((await post(await start(handler, { inbox: sqliteInbox(db), group: 'dua' }), tries[0]!)).status).toBe(204);
    expect(handler).toHaveBeenCalledTimes(5);
  });

  it('of a handler that failed after its effect calls it again, and does the effect once', async () => {
    const db = new DatabaseSync(':memory:');
    const effects: unknown[] = [];
    let fails = true;
    const url = await start(
      async (event, context) => {
        effects.push(await context.idempotent(() => undefined), event.id);
        if (fails) throw new Error('setelah akibat');
      },
      { inbox: sqliteInbox(db) },
    );
    const event = readEvent();
    expect((await post(url, made('structured', [event]))).status).toBe(500);
    expect(rows(db)).toBe(1);
    fails = false;
    for (const id of ['b', 'c']) expect((await post(url, made('structured', [event], { id }))).status).toBe(204);
    expect(effects).toEqual([true, event.envelope.id, false, event.envelope.id]);
    expect(rows(db)).toBe(2);
  });

  it('that comes while the event is in work is not begun: both get the same answer', async () => {
    const [begun, end] = [deferred<void>(), deferred<void>()];
    const handler = jest.fn(() => (begun.resolve(), end.promise));
    const url = await start(handler);
    const event = readEvent();
    const first = post(url, made('structured', [event], { id: 'a' }));
    await begun.promise;
    const second = post(url, made('structured', [event], { id: 'b' }));
    const other = post(url, made('structured', [readEvent()], { id: 'c' }));
    while (handler.mock.calls.length < 2) await new Promise(setImmediate);
    end.reject(new Refuse('tidak'));
    expect((await Promise.all([first, second, other])).map(({ status }) => status)).toEqual([422, 422, 422]);
    expect(handler).toHaveBeenCalledTimes(2);
  });

  it('is known as long as events of its time come: rows go a month after they were recorded, never those of old events that have just come', async () => {
    const db = new DatabaseSync(':memory:');
    const DAY = 86_400_000;
    let now = Date.now();
    const url = await start(() => undefined, { inbox: sqliteInbox(db), now: () => now });
    const at = (days: number) =>
      made('structured', [readEvent({ recordedtime: new Date(now - days * DAY).toISOString() })], {
        at: Math.floor(now / 1_000),
      });
    for (const days of [100, 0]) expect((await post(url, at(days))).status).toBe(204);
    for (let day = 1; day <= 4; day++) {
      now += DAY;
      expect((await post(url, at(0))).status).toBe(204);
      expect(rows(db)).toBe(day < 3 ? 2 + day : 1 + day);
    }
  });
});

describe('a body that a parser has read', () => {
  const run = async (parse: (app: ExpressApp, adapter: ExpressAdapter) => void): Promise<[number, string]> => {
    const adapter = new ExpressAdapter();
    const app = adapter.getInstance<ExpressApp>();
    parse(app, adapter);
    app.all(
      PATH,
      webhookHandler(() => undefined, optionsOf()),
    );
    const url = await listening(createServer(app));
    const { status, text } = await post(url, made('binary'));
    return [status, text];
  };

  it('is refused with one line that says what to do', async () => {
    const [status, text] = await run((_app, adapter) => adapter.useBodyParser('json', false, {}));
    expect([status, told]).toEqual([500, ['body_parsed']]);
    expect(text).toMatch(/body_parsed.*mount the handler before express\.json\(\)/);
  });

  it('is taken when its bytes are there: express.raw(), or rawBody of Nest', async () => {
    expect(await run((_app, adapter) => adapter.useBodyParser('raw', false, { type: () => true }))).toEqual([204, '']);
    expect(await run((_app, adapter) => adapter.useBodyParser('json', true, {}))).toEqual([204, '']);
  });
});

it('a wrong wiring is one line when the receiver is made', () => {
  const twice = onEvent(PasporDiterbitkan, () => undefined);
  for (const handlers of [[], [twice, twice]])
    expect(() => webhookHandler(handlers, optionsOf())).toThrow(ConsumerFault);
  expect(() => webhookHandler([twice], optionsOf({ secrets: 'whsec_kurang' }))).toThrow(TypeError);
  expect(() => webhookPlugin([twice], optionsOf({ secrets: [] }))).toThrow(TypeError);
});

it('bodies that are being received have a limit together: beyond it a sender is told to come later', async () => {
  const [, start] = FRAMEWORKS[0]!;
  const url = await start(() => undefined, { maxBytes: 10_000, maxBufferedBytes: 15_000 });
  const { headers, body } = made('structured');
  const slow = httpRequest(url, { method: 'POST', headers });
  slow.on('error', () => undefined);
  slow.write(body.subarray(0, 10));
  const busy = async (): Promise<number> =>
    (
      await fetch(url, {
        method: 'POST',
        headers: made('structured').headers,
        body: new ReadableStream({ pull: (c) => (c.enqueue(new Uint8Array(1)), c.close()) }),
        duplex: 'half',
      } as RequestInit)
    ).status;
  // The first request is there when a second one of unknown length finds no room.
  let status = 0;
  while (status !== 503) status = await busy();
  slow.destroy();
  while ((await busy()) === 503);
  expect((await post(url, made('structured'))).status).toBe(204);
});
