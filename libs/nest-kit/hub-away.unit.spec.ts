import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { pause } from '#concurrency';
import { defineEvent, SdkFault, type Connection, type ReadEvent } from '#sdk';
import { Injectable, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Event, OnEvent, SimpulModule, SimpulPublisher } from './index.js';
import { TEST_DOUBLE, type TestDouble } from './test-double.js';

const DAY_MS = 86_400_000;
const OWNER = { keyId: 'k', unit: 'SU00123', system: 'perpus', source: 'urn:simpul:unit:SU00123:perpus', roles: [] };
const schema = JSON.stringify({ type: 'record', name: 'Buku', fields: [{ name: 'judul', type: 'string' }] });
const Book = defineEvent<{ judul: string }>({ type: 'uji.buku.diterima', stream: 'uji.buku', version: 1, schema });
const Loan = defineEvent<{ judul: string }>({
  type: 'uji.pinjaman.dibuka',
  stream: 'uji.pinjaman',
  version: 1,
  schema,
});

const SPEC = { types: [Book.type, Loan.type], filters: [], test: false, target: { kind: 'pull' }, version: 1 };

type Call = Parameters<Connection['callWithRetry']>[1];

/** A hub with two streams and a subscription in the memory of the test, which answers while `up`. Time is that of the faked timers. */
class Hub {
  up = true;
  calls = 0;
  readonly streams = new Map<string, ReadEvent[]>([
    ['uji.buku', []],
    ['uji.pinjaman', []],
  ]);
  /** Of the subscription: what was leased, and what was committed. */
  #leased = 0;
  readonly #given = new Set<string>();
  readonly committed: string[] = [];
  readonly connection = {
    ...{ url: 'http://127.0.0.1', random: Math.random, retry: {} },
    call: (path: string, call: Call) => this.#call(path, call),
    callWithRetry: (path: string, call: Call) => this.#retried(path, call),
    close: () => Promise.resolve(),
  } as unknown as Connection;

  add({ type }: { readonly type: string }, judul: string): void {
    const stream = type.split('.').slice(0, 2).join('.');
    const list = this.streams.get(stream)!;
    list.push({
      ...{ id: judul, source: OWNER.source, type, subject: 's', dataschema: `urn:simpul:schema:${type}:1` },
      ...{ position: `${stream}/0/${list.length}`, recordedtime: '2026-01-01T00:00:00Z', data: { judul } },
    } as unknown as ReadEvent);
  }

  async #retried(path: string, call: Call) {
    for (const until = Date.now() + (call.deadlineMs ?? 60_000); ; await pause(5_000, call.signal)) {
      call.signal?.throwIfAborted();
      const reply = await this.#call(path, call).catch((e: unknown) => e as SdkFault);
      if (!(reply instanceof SdkFault)) return reply;
      if (Date.now() > until) throw reply;
    }
  }

  async #call(path: string, { headers, signal, body }: Call) {
    this.calls++;
    if (!this.up) throw new SdkFault(0, { code: 'no_answer' }, { retryable: true });
    const { pathname, searchParams } = new URL(path, 'http://hub');
    const stream = /^\/v1\/streams\/(.*)\/events$/.exec(pathname)?.[1] ?? '';
    const reply = (answer: unknown) => ({
      ...{ status: 200, size: 1, etag: undefined, retryAfterMs: undefined, body: answer },
    });
    if (pathname === '/v1/me') return reply(OWNER);
    if (pathname === '/v1/event-types') return reply({ types: [Book, Loan].map(({ type }) => ({ type })) });
    if (pathname === '/v1/events') {
      const [id, source] = ['ce-id', 'ce-source'].map((name) => decodeURIComponent(headers![name]!));
      return reply({ id, source, position: 'uji.buku/0/9', duplicate: false });
    }
    if (pathname === '/v1/subscriptions')
      return reply({ subscriptions: [{ id: 'sub_1', owner: 'SU00123', name: 'perpus', ...SPEC }] });
    if (/^\/v1\/streams\/[^/]*$/.test(pathname)) return reply({ ordering: 'subject' });
    if (pathname.endsWith('/commit')) {
      this.committed.push(...(JSON.parse(String(body)) as { through: string[] }).through);
      return { ...reply(undefined), status: 204 };
    }
    if (pathname.endsWith('/pull')) {
      const all = (): ReadEvent[] => [...this.streams.values()].flat();
      for (const until = Date.now() + 20_000; this.up && all().length === this.#leased && Date.now() < until;) {
        await pause(500, signal);
        signal?.throwIfAborted();
      }
      if (!this.up) throw new SdkFault(0, { code: 'no_answer' }, { retryable: true });
      const events = all().filter(({ position }) => !this.#given.has(position));
      for (const { position } of events) this.#given.add(position);
      this.#leased += events.length;
      return reply({ events, lease: events.length === 0 ? null : { token: 't', until: '' } });
    }
    const at = Number(searchParams.get('cursor') ?? 0);
    const list = this.streams.get(stream)!;
    for (const until = Date.now() + 20_000; this.up && list.length === at && Date.now() < until;) {
      await pause(500, signal);
      signal?.throwIfAborted();
    }
    if (!this.up) throw new SdkFault(0, { code: 'no_answer' }, { retryable: true });
    return reply({ events: list.slice(at), next: String(list.length) });
  }
}

const seen: string[] = [];
@Injectable()
class Library {
  @OnEvent(Book)
  received(_book: unknown, @Event() { id }: ReadEvent) {
    seen.push(id);
  }
  @OnEvent(Loan)
  opened(_loan: unknown, @Event() { id }: ReadEvent) {
    seen.push(id);
  }
}

/** Lets simulated time go on until the promise has its outcome. */
async function meanwhile<T>(work: Promise<T>): Promise<T> {
  let over = false;
  const end = (): void => void (over = true);
  work.then(end, end);
  while (!over) await jest.advanceTimersByTimeAsync(10);
  return work;
}

beforeEach(() => void jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'performance', 'hrtime'] }));
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
  seen.splice(0);
});

describe('A Nest app whose hub is gone for a day', () => {
  it.each(['hub', 'stream'] as const)(
    'with the source %s stays up, says it in one line and in one when the hub is back, goes on in order, and publishes what it had to',
    async (source) => {
      const lines: string[] = [];
      const hub = new Hub();
      const places = new Map<string, string>();
      const ended: unknown[] = [];
      const double: TestDouble = { options: (own) => own, connection: hub.connection };
      @Module({ providers: [{ provide: TEST_DOUBLE, useValue: double }], exports: [TEST_DOUBLE] })
      class DoubleModule {}
      const { url } = hub.connection;
      const simpul = SimpulModule.forRoot({
        ...{ url, key: 'k', source, placeMs: 10, ended: (fault) => void ended.push(fault) },
        places: { load: (feed) => places.get(feed), save: (feed, place) => void places.set(feed, place) },
      });
      @Module({ imports: [{ module: DoubleModule, global: true }, simpul], providers: [Library] })
      class AppModule {}
      const app = await meanwhile(
        NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false }),
      );
      for (const level of ['log', 'warn', 'error'] as const)
        jest
          .spyOn(Logger.prototype, level)
          .mockImplementation((line: unknown) => void lines.push(`${level} ${String(line)}`));
      hub.add(Book, 'a');
      await jest.advanceTimersByTimeAsync(1_000);
      expect([seen, lines]).toEqual([['a'], []]);

      hub.up = false;
      hub.add(Book, 'b');
      hub.add(Book, 'c');
      hub.add(Loan, 'l');
      const published = app.get(SimpulPublisher).publish(Book, { judul: 'z' });
      await jest.advanceTimersByTimeAsync(DAY_MS);
      expect([seen, ended]).toEqual([['a'], []]);
      expect(lines).toEqual([
        expect.stringMatching(/^warn the hub gives no events of [a-z. ]+, asking on: - no_answer/),
      ]);

      hub.up = true;
      await jest.advanceTimersByTimeAsync(60_000);
      expect(await meanwhile(published)).toMatchObject({ position: 'uji.buku/0/9' });
      expect(seen.filter((id) => id !== 'l')).toEqual(['a', 'b', 'c']);
      expect(seen).toContain('l');
      expect(lines.slice(1)).toEqual(['log the hub gives events again, after 24 h']);
      if (source === 'hub')
        expect(hub.committed.toSorted()).toEqual(['uji.buku/0/0', 'uji.buku/0/2', 'uji.pinjaman/0/0']);
      else
        expect(Object.fromEntries(places)).toMatchObject({
          'uji.buku': JSON.stringify({ cursor: '3' }),
          'uji.pinjaman': JSON.stringify({ cursor: '1' }),
        });
      await meanwhile(app.close());
    },
  );
});
