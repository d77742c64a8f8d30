import 'reflect-metadata';
import { inspect } from 'node:util';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { deferred, pause } from '#concurrency';
import { filePlaces, type EventSource } from '#consuming';
import { CORE, CoreModule, type Core } from '#core';
import { CourierModule } from '#courier';
import { GatewayModule } from '#gateway';
import { openHttp, type HttpServer } from '#http';
import { ProjectorModule } from '#projector';
import { defineEvent, type EventOf, type ReadEvent } from '#sdk';
import { readHubSettings } from '#settings';
import {
  Controller,
  Inject,
  Injectable,
  Logger,
  Module,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type DynamicModule,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplicationContext,
  type NestInterceptor,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { firstValueFrom, of, tap } from 'rxjs';
import { silentHub } from '../../test/kit/hub/hub-module.js';
import { until } from '../../test/kit/projection/stage.js';
import {
  Event,
  EventContext,
  OnBatch,
  OnEvent,
  SimpulClientProxy,
  SimpulConsumer,
  SimpulHealth,
  SimpulModule,
  SimpulPublisher,
  SimpulReader,
  type SimpulOptions,
} from './index.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
const dir = mkdtempSync(join(tmpdir(), 'simpul-nest-'));
let http: HttpServer;
let key: string;
let sample: Readonly<Record<string, unknown>>;
let Paspor = defineEvent<Record<string, unknown>>({ type: TYPE, stream: 'imigrasi.paspor', version: 1, schema: '' });
const Missing = defineEvent({ ...Paspor, type: 'imigrasi.paspor.hilang-sama-sekali' });

const ask = async (
  path: string,
  by: string,
  body?: unknown,
  type = 'application/json',
): Promise<Record<string, unknown>> => {
  const r = await fetch(`${http.url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${by}`, 'content-type': type },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return (await r.json()) as Record<string, unknown>;
};

beforeAll(async () => {
  const settings = readHubSettings({
    ...silentHub(dir),
    SIMPUL_DELIVERY_RETRIES: '0.05,0.1',
    SIMPUL_DELIVERY_SCHEDULE: '0.2,0.4',
  });
  @Module({ imports: [CoreModule.forRoot({ name: 'hub', settings }), GatewayModule, ProjectorModule, CourierModule] })
  class HubModule {}
  http = await openHttp(HubModule, { port: 0 });
  const core = http.app.get<Core>(CORE, { strict: false });
  const admin = readFileSync(core.adminKey.path!, 'utf8').trim();
  const made = await ask('/v1/keys', admin, { unit: 'SU00123', system: 'simkim', roles: ['publisher', 'reader'] });
  key = made['key'] as string;
  sample = (await ask(`/v1/event-types/${TYPE}/sample`, key))['data'] as Record<string, unknown>;
  const file = new URL('../../schemas/imigrasi/paspor/diterbitkan.v1.avsc', import.meta.url);
  const schema = readFileSync(file, 'utf8');
  const { version } = (JSON.parse(schema) as { simpul: { version: number } }).simpul;
  Paspor = defineEvent({ ...Paspor, version, schema });
});
afterAll(async () => {
  await http.close();
  rmSync(dir, { recursive: true, force: true });
});

const apps: INestApplicationContext[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  jest.restoreAllMocks();
});
let serial = 0;
const data = (): Record<string, unknown> => ({ ...sample, nomorPermohonan: `N-${++serial}` });

async function start(
  parts: { controllers?: Type[]; providers?: Type[] },
  options: Partial<SimpulOptions> = {},
): Promise<INestApplicationContext> {
  const group = `loket-${++serial}`;
  const places = filePlaces(join(dir, `${serial}.json`));
  @Module({
    imports: [SimpulModule.forRoot({ url: http.url, key, group, places, from: 'latest', placeMs: 10, ...options })],
    ...parts,
  })
  class AppModule {}
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
  apps.push(app);
  return app;
}

const seen: unknown[] = [];
afterEach(() => void seen.splice(0));

describe('SimpulModule', () => {
  it('gives events to handlers in providers and controllers, typed data first, the whole event and the context by decorators or place', async () => {
    const Token = Paspor;
    @Injectable()
    class Passports {
      constructor(@Inject(SimpulReader) readonly reader: SimpulReader) {}

      @OnEvent(Token)
      issued(issued: Record<string, unknown>, context: EventContext, @Event() whole: EventOf<Record<string, unknown>>) {
        seen.push([
          issued === whole.data,
          issued['nomorPermohonan'],
          whole.type,
          context.attempt,
          this.reader.owner.unit,
        ]);
      }
    }
    const app = await start({ providers: [Passports] });
    const receipt = await app.get(SimpulPublisher).publish(Token, data());
    expect(receipt.source).toBe('urn:simpul:unit:SU00123:simkim');
    await until(() => seen.length === 1);
    expect(seen).toEqual([[true, `N-${serial}`, TYPE, 1, 'SU00123']]);
  });

  it("from: 'latest' gives everything that is published after the start, however slow the first question was", async () => {
    const Token = Paspor;
    @Injectable()
    class Passports {
      @OnEvent(Token)
      issued(issued: Record<string, unknown>) {
        seen.push(issued['nomorPermohonan']);
      }
    }
    const stored = filePlaces(join(dir, 'late.json'));
    const places = { ...stored, load: (feed: string) => pause(100).then(() => stored.load(feed)) };
    const app = await start({ providers: [Passports] }, { from: 'latest', places, source: 'stream' });
    await app.get(SimpulPublisher).publish(Token, data());
    await until(() => seen.length === 1);
    expect(seen).toEqual([`N-${serial}`]);
  });

  it('gives batches to @OnBatch, and goes on at its place after a restart', async () => {
    const Token = Paspor;
    @Controller()
    class Passports {
      @OnBatch(Token, { size: 10 })
      issued(batch: readonly EventOf<Record<string, unknown>>[]) {
        seen.push(...batch.map((e) => e.id));
      }
    }
    const group = 'berkelompok';
    const first = await start({ controllers: [Passports] }, { group });
    const publisher = first.get(SimpulPublisher);
    const before = await publisher.publish(Token, data());
    await until(() => seen.length === 1);
    await first.close();
    const other = await start({});
    const list = await other.get(SimpulPublisher).publishBatch(Token, [{ data: data() }, { data: data() }]);
    await start({ controllers: [Passports] }, { group });
    await until(() => seen.length === 3);
    expect(new Set(seen)).toEqual(new Set([before.id, ...list.map((o) => (o.ok ? o.receipt.id : ''))]));
  });

  it('applies guards, interceptors, pipes and filters of the method and its class, as for handlers of a microservice', async () => {
    const Token = Paspor;
    @Injectable()
    class Even implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        seen.push(`guard ${context.getType()} ${context.switchToRpc().getContext<EventContext>().type}`);
        return true;
      }
    }
    @Injectable()
    class Log implements NestInterceptor {
      intercept(_context: ExecutionContext, next: CallHandler) {
        return next.handle().pipe(tap(() => seen.push('after')));
      }
    }
    class Number_ implements PipeTransform {
      transform(value: Record<string, unknown>, { type }: { type: string }) {
        return type === 'body' ? value['nomorPermohonan'] : value;
      }
    }
    class Refusals implements ExceptionFilter {
      catch(cause: Error, host: ArgumentsHost) {
        seen.push(`filter ${host.getType()} ${cause.message}`);
        return of(undefined);
      }
    }
    @Controller()
    @UseGuards(Even)
    @UseInterceptors(Log)
    class Passports {
      @OnEvent(Token)
      @UsePipes(new Number_())
      @UseFilters(new Refusals())
      issued(@Payload() number: unknown, @Ctx() context: EventContext) {
        seen.push(number, context instanceof EventContext);
        if (seen.length > 5) throw new Error('refused');
      }
    }
    const app = await start({ controllers: [Passports], providers: [Even, Log] });
    await app.get(SimpulPublisher).publish(Token, data());
    await until(() => seen.length === 4);
    expect(seen).toEqual([`guard rpc ${TYPE}`, `N-${serial}`, true, 'after']);
    await app.get(SimpulPublisher).publish(Token, data());
    await until(() => seen.length === 8);
    expect(seen.slice(4)).toEqual([`guard rpc ${TYPE}`, `N-${serial}`, true, 'filter rpc refused']);
  });

  it('refuses wrong data before it is sent, with the pointer that the hub would name', async () => {
    const app = await start({});
    const publisher = app.get(SimpulPublisher);
    const wrong = { ...data(), nomorPermohonan: 7 };
    const own = await publisher.publish(Paspor, wrong).catch((e: unknown) => e);
    const { source } = publisher;
    const type = 'application/cloudevents+json';
    const theirs = await ask('/v1/events', key, { specversion: '1.0', id: 'w', source, type: TYPE, data: wrong }, type);
    expect(own).toMatchObject({ name: 'SdkFault', status: 422 });
    const { problem } = own as { problem: Record<string, unknown> };
    expect([problem['code'], problem['errors']]).toEqual([theirs['code'], theirs['errors']]);
    expect(problem['errors']).toMatchObject([{ pointer: '/data/nomorPermohonan' }]);
  });

  it('publishes Avro, of which the hub stores the same bytes as of JSON, with the same refusals', async () => {
    const app = await start({});
    const publisher = app.get(SimpulPublisher);
    const sent: string[] = [];
    const note = (message: unknown): void => {
      const { method, headers } = (message as { request: { method: string; headers: unknown } }).request;
      if (method === 'POST') sent.push(/(avro\/binary|application\/[a-z+-]+json)/.exec(String(headers))![0]);
    };
    subscribe('undici:request:create', note);
    const value = data();
    const options = { time: '2026-01-02T03:04:05Z', extensions: { korelasi: 'perkara 7 – é' } };
    const avro = await publisher.publish(Paspor, value, options);
    const json = await publisher.publishUntyped({ ...options, type: TYPE, data: value as never });
    const [refusedAvro, refusedJson] = await Promise.all(
      [
        publisher.publish(Paspor, value, { time: 'kemarin' }),
        publisher.publishUntyped({ type: TYPE, data: value as never, time: 'kemarin' }),
      ].map((p) => p.catch((e: unknown) => e as { status: number; problem: Record<string, unknown> })),
    );
    unsubscribe('undici:request:create', note);
    expect(sent.toSorted()).toEqual([
      'application/cloudevents+json',
      'application/cloudevents+json',
      'avro/binary',
      'avro/binary',
    ]);
    expect(avro).toEqual({
      ...json,
      id: avro.id,
      offset: avro.offset,
      position: avro.position,
      recordedtime: avro.recordedtime,
    });
    expect(avro.digest).toMatch(/^sha-256:[0-9a-f]{64}$/);
    const [one, other] = await Promise.all([avro, json].map(({ position }) => ask(`/v1/events/${position}`, key)));
    for (const name of ['data', 'korelasi', 'time', 'dataschema', 'subject'])
      expect([name, one![name]]).toEqual([name, other![name]]);
    const told = (e: unknown): unknown[] => {
      const { status, problem } = e as { status: number; problem: Record<string, unknown> };
      return [status, problem['code'], problem['errors']];
    };
    expect(told(refusedAvro)).toEqual(told(refusedJson));
    expect(told(refusedAvro)).toMatchObject([422, 'invalid_attribute', [{ pointer: '/time' }]]);
  });

  it('publishes through a ClientProxy of Nest, by token and by type', async () => {
    const app = await start({});
    const client = app.get(SimpulClientProxy);
    expect(await firstValueFrom(client.emit(Paspor, data()))).toMatchObject({ type: TYPE });
    expect(await firstValueFrom(client.emit(TYPE, data()))).toMatchObject({ type: TYPE });
    await expect(firstValueFrom(client.send(TYPE, data()))).rejects.toThrow('use emit()');
  });

  it('writes dead letters to the hub, once for an event that is given up again after a crash, and goes on', async () => {
    const Token = Paspor;
    @Injectable()
    class Poisoned {
      @OnEvent(Token, { attempts: 2, backoffMs: 1, then: 'dead-letter' })
      issued(issued: Record<string, unknown>, @Event() { position }: ReadEvent) {
        if (String(issued['nomorPermohonan']).endsWith('poison'))
          throw Object.assign(new Error(''), { code: 'no_list' });
        seen.push(position);
      }
    }
    const given: string[] = [];
    const options: Partial<SimpulOptions> = {
      group: 'surat',
      report: { failed: ({ position, next }) => void (next === 'dead-letter' && given.push(position)) },
    };
    const app = await start({ providers: [Poisoned] }, options);
    const publisher = app.get(SimpulPublisher);
    const poison = await publisher.publish(Token, { ...data(), nomorPermohonan: `N-${++serial}-poison` });
    const list = async (): Promise<Record<string, unknown>[]> =>
      (await ask('/v1/dead-letters/su00123.surat', key))['letters'] as Record<string, unknown>[];
    await until(async () => (await list()).length === 1);
    const [letter] = await list();
    expect(letter).toMatchObject({
      position: poison.position,
      type: TYPE,
      attempts: 2,
      system: 'simkim',
      cause: { code: 'no_list', message: 'no reason' },
    });
    const after = await publisher.publish(Token, data());
    await until(() => seen.length === 1);
    expect(seen).toEqual([after.position]);
    await app.close();
    // As after a crash before the place was stored.
    const again = await start({ providers: [Poisoned] }, { ...options, from: 'earliest', source: 'stream' });
    await until(() => given.length === 2);
    await again.close();
    expect(given).toEqual([poison.position, poison.position]);
    expect(await list()).toEqual([letter]);
  });

  it('shows parked events to the app, which tries them again or leaves them out; their subject goes on', async () => {
    const Token = Paspor;
    let locked = true;
    @Injectable()
    class Passports {
      @OnEvent(Token, { attempts: 1, then: 'park' })
      issued(_issued: unknown, @Event() { position }: ReadEvent) {
        if (locked) throw new Error('the list is locked');
        seen.push(position);
      }
    }
    const app = await start({ providers: [Passports] }, { source: 'stream' });
    const consumer = app.get(SimpulConsumer);
    const publisher = app.get(SimpulPublisher);
    const [one, other] = [data(), data()];
    const first = await publisher.publish(Token, one);
    const behind = await publisher.publish(Token, one);
    const wrong = await publisher.publish(Token, other);
    const waiting = () => consumer.parked().map((p) => [p.position, p.waiting]);
    await until(() => consumer.parked().reduce((sum, p) => sum + 1 + p.waiting, 0) === 3);
    expect(Object.fromEntries(waiting())).toEqual({ [first.position]: 1, [wrong.position]: 0 });
    expect([consumer.skip(behind.position), consumer.skip(wrong.position)]).toEqual([false, true]);
    locked = false;
    expect([consumer.retry(wrong.position), consumer.retry(first.position)]).toEqual([false, true]);
    await until(() => seen.length === 2);
    expect(seen).toEqual([first.position, behind.position]);
    expect([consumer.parked(), consumer.status()]).toMatchObject([[], { state: 'running', finished: 3 }]);
    expect((await start({})).get(SimpulConsumer).parked()).toEqual([]);
  });

  it('is healthy while the hub answers and the consumer runs', async () => {
    const Token = Paspor;
    @Injectable()
    class Passports {
      @OnEvent(Token)
      issued() {}
    }
    const app = await start({ providers: [Passports] });
    expect(await app.get(SimpulHealth).isHealthy()).toEqual({
      simpul: { status: 'up', hub: 'up', consumer: 'running', parked: 0, dead: 0 },
    });
  });

  it('writes what a source of its own tells into the log of the app', async () => {
    @Injectable()
    class Passports {
      @OnEvent(Paspor)
      issued() {
        seen.push('issued');
      }
    }
    const lines = jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
    const ended = deferred<void>();
    let tell: (line: string) => void = () => undefined;
    const source: EventSource = {
      tellTo: (to) => (tell = to),
      run: () => (tell('kafka su00123.loket: Kafka can be read again'), ended.promise),
      stop: () => Promise.resolve(ended.resolve()),
    };
    const app = await start({ providers: [Passports] }, { source });
    expect(lines.mock.calls).toEqual([['kafka su00123.loket: Kafka can be read again']]);
    lines.mockRestore();
    await app.close();
  });

  it('ends the process with one line when the consumer cannot go on, unless the app takes the fault', async () => {
    const Token = Paspor;
    @Injectable()
    class Passports {
      @OnEvent(Token, { attempts: 1, then: 'stop' })
      issued() {
        throw new Error('the list is locked');
      }
    }
    const faults: unknown[] = [];
    const app = await start({ providers: [Passports] }, { ended: (fault) => faults.push(fault) });
    await app.get(SimpulPublisher).publish(Token, data());
    await until(() => faults.length === 1);
    expect(faults[0]).toMatchObject({ code: 'handler_failed' });
    expect((await app.get(SimpulHealth).isHealthy())['simpul']).toMatchObject({ status: 'down', consumer: 'failed' });
    await app.close();
    const killed = jest.spyOn(process, 'kill').mockReturnValue(true);
    const lines = jest.spyOn(Logger.prototype, 'error').mockReturnValue(undefined);
    const code = process.exitCode;
    const other = await start({ providers: [Passports] });
    await other.get(SimpulPublisher).publish(Token, data());
    await until(() => killed.mock.calls.length === 1);
    expect([killed.mock.calls, process.exitCode]).toEqual([[[process.pid, 'SIGTERM']], 1]);
    expect(String(lines.mock.calls.at(-1)![0])).toMatch(
      /^no event is handled any more, so the process ends: the handler of/,
    );
    process.exitCode = code;
  });
});

describe('testEvents', () => {
  const test = (n: string) => ({
    type: TYPE,
    data: { ...data(), nomorPermohonan: n },
    extensions: { simpultest: 'true' },
  });
  const letters = (group: string) => ask(`/v1/dead-letters/${group}`, key);

  it('gives handlers test events too, marked, in a feed of their own without a place; without the option they get none', async () => {
    const Token = Paspor;
    const of = (name: string): Type => {
      @Injectable()
      class Passports {
        @OnEvent(Token)
        issued({ nomorPermohonan }: Record<string, unknown>, { feed, test: isTest }: EventContext) {
          seen.push([name, nomorPermohonan, feed, isTest]);
        }
      }
      return Passports;
    };
    const places = filePlaces(join(dir, 'tests.json'));
    const source = 'stream';
    const [app] = [
      await start({ providers: [of('with')] }, { testEvents: true, places, source }),
      await start({ providers: [of('without')] }),
    ];
    const publisher = app.get(SimpulPublisher);
    const receipt = await publisher.publishUntyped(test('UJI-1'));
    expect(receipt.test).toBe(true);
    await publisher.publish(Token, { ...data(), nomorPermohonan: 'N' });
    await until(() => seen.length === 3);
    expect(seen.toSorted()).toEqual([
      ['with', 'N', 'imigrasi.paspor', false],
      ['with', 'UJI-1', '_simpul.test', true],
      ['without', 'N', 'imigrasi.paspor', false],
    ]);
    await app.close();
    expect(Object.keys(JSON.parse(readFileSync(join(dir, 'tests.json'), 'utf8')) as object)).toEqual([
      'imigrasi.paspor',
    ]);
  });

  it('makes no dead letter of a test event that is given up, and goes on', async () => {
    const Token = Paspor;
    @Injectable()
    class Passports {
      @OnEvent(Token, { attempts: 1, then: 'dead-letter' })
      issued({ nomorPermohonan }: Record<string, unknown>, context: EventContext) {
        seen.push([nomorPermohonan, context.test]);
        if (nomorPermohonan === 'UJI-2') throw new Error('the list is locked');
      }
    }
    const app = await start({ providers: [Passports] }, { testEvents: true, group: 'uji' });
    await app.get(SimpulPublisher).publishUntyped(test('UJI-2'));
    await app.get(SimpulPublisher).publishUntyped(test('UJI-3'));
    await until(() => seen.length === 2);
    expect(seen).toEqual([
      ['UJI-2', true],
      ['UJI-3', true],
    ]);
    await app.close();
    expect((await letters('su00123.uji'))['letters']).toEqual([]);
  });
});

describe('a wrong wiring is one clear error at the start', () => {
  const failing = async (parts: Parameters<typeof start>[0], options: Partial<SimpulOptions> = {}): Promise<unknown> =>
    start(parts, options).then(
      () => undefined,
      (cause: unknown) => cause,
    );
  const none: EventSource = { run: () => new Promise(() => undefined), stop: () => Promise.resolve() };
  const handler = (token = Paspor, scope: Scope = Scope.DEFAULT): Type => {
    @Injectable({ scope })
    class Passports {
      @OnEvent(token)
      issued() {}
    }
    return Passports;
  };

  it('no address, no key, a wrong key, no hub', async () => {
    const faults = [
      await failing({}, { url: '' }),
      await failing({}, { key: '' }),
      await failing({}, { key: 'wrong' }),
      await failing({}, { url: 'http://127.0.0.1:1', startMs: 50 }),
    ] as Error[];
    expect(faults.map((f) => (f as Error & { code: string }).code)).toEqual([
      'no_url',
      'no_key',
      'key_refused',
      'no_answer',
    ]);
    // As Nest prints it: inspected.
    for (const fault of faults)
      expect([fault.message, fault.stack!, inspect(fault)].map((text) => text.split('\n').length)).toEqual([1, 1, 1]);
  });

  it('a class with handlers that is in no providers is one line, once; the app starts, because it may be the class of another app', async () => {
    const Forgotten = handler();
    const lines = jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
    const Other = defineEvent({ ...Paspor, type: 'pas.hunian.dilaporkan', stream: 'pas.hunian' });
    await start({ providers: [handler(Other)] });
    await start({});
    expect(lines.mock.calls).toEqual([
      [
        `Passports.issued (${TYPE}) gets no events: no module has its class. Add the class to the providers or controllers of a module`,
      ],
    ]);
    expect(Forgotten).toBeDefined();
  });

  it('a type that the hub does not have, two handlers for a type, a handler of request scope', async () => {
    expect(await failing({ providers: [handler(Missing)] })).toMatchObject({ code: 'unknown_type' });
    expect(await failing({ providers: [handler(), handler()] })).toMatchObject({
      code: 'two_handlers',
      message: `two handlers for ${TYPE}: Passports.issued and Passports.issued. A type has one handler in an app; let it call both`,
    });
    expect(await failing({ providers: [handler(Paspor, Scope.REQUEST)] })).toMatchObject({ code: 'scoped_handler' });
  });

  it('@Event() without @OnEvent, dead letters of a group that the hub does not take', async () => {
    @Injectable()
    class Forgotten {
      issued(@Event() _event: ReadEvent) {}
    }
    expect(await failing({ providers: [Forgotten] })).toMatchObject({ code: 'no_handler' });
    const Token = Paspor;
    @Injectable()
    class Letters {
      @OnEvent(Token, { then: 'dead-letter' })
      issued() {}
    }
    expect(await failing({ providers: [Letters] }, { source: none, group: 'Satu Dua' })).toMatchObject({
      code: 'letters_refused',
    });
  });

  it('a token that is not there yet, one method for two types, tokens of forFeature that are none', async () => {
    const none = null as unknown as typeof Paspor;
    const thrown = (make: () => unknown): unknown => {
      try {
        return make();
      } catch (cause) {
        return cause;
      }
    };
    expect(thrown(() => handler(none))).toMatchObject({
      code: 'no_token',
      message:
        '@OnEvent of Passports.issued needs a token, not null. `simpul type gen` writes the tokens of event types',
    });
    expect(thrown(() => handler(TYPE as unknown as typeof Paspor))).toMatchObject({ code: 'no_token' });
    const [One, Two] = [Paspor, Missing];
    const twice = (): Type => {
      class Both {
        @OnEvent(One)
        @OnBatch(Two)
        issued(_data: unknown) {}
      }
      return Both;
    };
    expect(thrown(twice)).toMatchObject({
      code: 'two_types',
      message: `Both.issued handles ${Two.type} and ${One.type}: a method handles one type. Write a method for each; let both call a third`,
    });
    const unset = undefined as unknown as typeof Paspor;
    expect(thrown(() => SimpulModule.forFeature([unset]))).toMatchObject({
      code: 'no_token',
      message: expect.stringContaining('files import each other in a circle'),
    });
  });

  it('no options, a source that is none, forRoot twice', async () => {
    const open = (...imports: DynamicModule[]): Promise<unknown> => {
      @Module({ imports, providers: [handler()] })
      class AppModule {}
      return NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false }).catch(
        (e: unknown) => e,
      );
    };
    const options = { url: http.url, key };
    expect(
      await open(SimpulModule.forRootAsync({ useFactory: () => undefined as unknown as SimpulOptions })),
    ).toMatchObject({ code: 'no_url' });
    expect(await open(SimpulModule.forRoot({ ...options, source: 'kafka' as unknown as EventSource }))).toMatchObject({
      code: 'no_source',
      message: expect.stringContaining('kafka({ brokers, group })'),
    });
    expect(
      await open(SimpulModule.forRoot(options), SimpulModule.forRoot({ ...options, group: 'lain' })),
    ).toMatchObject({ code: 'two_modules' });
  });

  it('no forRoot: forFeature says so, and Nest refuses a class with handlers', async () => {
    @Module({ imports: [SimpulModule.forFeature([Paspor])] })
    class Feature {}
    const open = (module: Type): Promise<unknown> =>
      NestFactory.createApplicationContext(module, { logger: false, abortOnError: false }).catch((e: unknown) => e);
    expect(await open(Feature)).toMatchObject({ code: 'no_module' });
    @Module({ providers: [handler()] })
    class Handlers {}
    expect(String(((await open(Handlers)) as Error).message)).toContain('SimpulModule.forRoot({ url, key })');
  });
});
