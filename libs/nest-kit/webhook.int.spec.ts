import 'reflect-metadata';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Injectable,
  Module,
  Post,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type ArgumentsHost,
  type INestApplication,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import fastify from 'fastify';
import { of, tap } from 'rxjs';
import { deferred } from '#concurrency';
import { onEvent, type HandlerContext } from '#consuming';
import { PasporDiterbitkan, type PasporDiterbitkanData } from '#event-types';
import { webhookHandler, webhookPlugin } from '#receiving';
import type { EventOf } from '#sdk';
import { DeliveryStage, publishedBySubject, type Body } from '../../test/kit/deliveries/stage.js';
import { until } from '../../test/kit/projection/stage.js';
import { made, OTHER_SECRET, SECRET, type Made } from '../receiving/requests.fixture.js';
import {
  Event,
  EventContext,
  OnEvent,
  Refuse,
  RetryLater,
  SimpulModule,
  SimpulWebhookModule,
  type SimpulWebhookOptions,
} from './index.js';

const PATH = '/webhooks/simpul';
let hub: DeliveryStage;
beforeAll(async () => {
  hub = await DeliveryStage.open('embedded');
});
afterAll(() => hub[Symbol.asyncDispose]());
let stack = new AsyncDisposableStack();
afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

type Handle = (event: EventOf<PasporDiterbitkanData>, context: Pick<HandlerContext, 'attempt'>) => unknown;
const ADAPTERS = [
  ['Nest on Express', () => new ExpressAdapter()],
  ['Nest on Fastify', () => new FastifyAdapter()],
] as const;

async function nestApp(
  adapter: ExpressAdapter | FastifyAdapter,
  parts: { providers?: Type[]; controllers?: Type[]; imports?: [] },
  options: Partial<SimpulWebhookOptions> = {},
  more: object = {},
): Promise<{ app: INestApplication; url: string }> {
  @Module({
    ...parts,
    imports: [SimpulWebhookModule.forRoot({ secrets: SECRET, ...options }), ...(parts.imports ?? [])],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, adapter, {
    ...{ logger: false, abortOnError: false, forceCloseConnections: true },
    ...more,
  });
  stack.defer(() => app.close());
  await app.listen(0, '127.0.0.1');
  return { app, url: `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}${options.path ?? PATH}` };
}

async function listening(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  stack.defer(() => new Promise<void>((done) => (server.closeAllConnections(), void server.close(() => done()))));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${PATH}`;
}

function nestHandler(handle: Handle): Type {
  @Injectable()
  class Passports {
    @OnEvent(PasporDiterbitkan)
    issued(_data: PasporDiterbitkanData, context: EventContext, @Event() event: EventOf<PasporDiterbitkanData>) {
      return handle(event, context);
    }
  }
  return Passports;
}

/** An app that gives passports to `handle`, by framework, and how the hub shall write to it. */
const APPS: readonly (readonly [string, object, (handle: Handle, secrets: readonly string[]) => Promise<string>])[] = [
  [
    'Express',
    { mode: 'structured', data: 'json' },
    (handle, secrets) => {
      const app = new ExpressAdapter().getInstance<RequestListener & { all(path: string, of: unknown): void }>();
      app.all(PATH, webhookHandler([onEvent(PasporDiterbitkan, handle)], { secrets }));
      return listening(app);
    },
  ],
  [
    'Fastify',
    { mode: 'binary', data: 'avro' },
    async (handle, secrets) => {
      const app = fastify({ forceCloseConnections: true });
      app.register(webhookPlugin([onEvent(PasporDiterbitkan, handle)], { secrets }));
      stack.defer(() => app.close());
      return (await app.listen({ port: 0, host: '127.0.0.1' })) + PATH;
    },
  ],
  [
    'Nest on Express',
    { mode: 'binary', data: 'json' },
    async (handle, secrets) =>
      (await nestApp(new ExpressAdapter(), { providers: [nestHandler(handle)] }, { secrets })).url,
  ],
  [
    'Nest on Fastify',
    { mode: 'batch', data: 'avro' },
    async (handle, secrets) =>
      (await nestApp(new FastifyAdapter(), { providers: [nestHandler(handle)] }, { secrets })).url,
  ],
];

describe.each(APPS)('a hub that delivers to an app in %s', (_name, target, start) => {
  it('gives every event in order per subject; a poison event parks its subject, and its followers come after it is redriven', async () => {
    const before = hub.published.length;
    const numbers = new Map<string, number>();
    const taken = new Map<number, string[]>();
    let poison: string | undefined;
    let away = 1;
    const tries: number[] = [];
    const secrets = [OTHER_SECRET];
    const url = await start((event, { attempt }) => {
      if (away-- > 0) throw new RetryLater(1);
      tries.push(attempt);
      if (event.id === poison) throw new Refuse('kasus tidak dikenal');
      const number = numbers.get(event.id)!;
      const before = taken.get(number) ?? [];
      // Events of a batch that stood before the one that failed come again with it.
      if (!before.includes(event.id)) taken.set(number, [...before, event.id]);
    }, secrets);
    const { id, secret } = (await hub.subscribe(`aplikasi-${before}`, url, {}, target)) as {
      id: string;
      secret: string;
    };
    secrets.push(secret);
    const publish = async (list: readonly number[]): Promise<void> => {
      const from = hub.published.length;
      for (const [n, number] of list.entries()) numbers.set(`e-${from + n}`, number);
      poison ??= `e-${from}`;
      await hub.publish(list);
    };
    await publish([1, 2, 1, 3, 2, 1, 3, 3]);
    await until(() => taken.get(2)?.length === 2 && taken.get(3)?.length === 3);
    await until(async () => (await hub.standing(id))['dead'] === 1);
    expect(taken.get(1)).toBeUndefined();
    const letters = await hub.ask('GET', `/v1/subscriptions/${id}/dead-letters`);
    expect(letters.body['deadLetters']).toMatchObject([
      { position: hub.published[before]!.position, lastStatus: 422, held: 2 },
    ]);
    const { body } = await hub.ask('GET', `/v1/subscriptions/${id}/deliveries?state=dead`);
    expect((body['deliveries'] as Body[])[0]!['head']).toContain('kasus tidak dikenal');
    poison = '';
    expect((await hub.ask('POST', `/v1/subscriptions/${id}/redrive`, { all: true, why: 'diperbaiki' })).status).toBe(
      202,
    );
    await publish([1, 2]);
    await until(() => taken.get(1)?.length === 4 && taken.get(2)?.length === 3);
    expect(taken).toEqual(publishedBySubject(hub.published.slice(before)));
    expect(Math.max(...tries)).toBeGreaterThan(1);
    await hub.clear();
  }, 60_000);
});

async function post(url: string, { headers, body }: Made): Promise<[number, string]> {
  const answer = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body) });
  return [answer.status, await answer.text()];
}

describe.each(ADAPTERS)('SimpulWebhookModule, %s', (_name, adapter) => {
  const seen: unknown[] = [];
  afterEach(() => void seen.splice(0));

  it('takes every form before the body parsers of the app, which work as before, also with rawBody, and on Express with CORS', async () => {
    @Controller('lain')
    class Others {
      @Post()
      echo() {
        return { ada: 1 };
      }
      @Get()
      get() {
        return 'ada';
      }
    }
    const Passports = nestHandler(({ data }) => seen.push(data.nik));
    // On Fastify the plug-in of CORS answers OPTIONS before every route.
    for (const more of [{}, { rawBody: true, cors: adapter() instanceof ExpressAdapter }]) {
      const { app, url } = await nestApp(
        adapter(),
        { providers: [Passports], controllers: [Others] },
        { origins: ['hub'] },
        more,
      );
      for (const mode of ['structured', 'binary', 'batch'] as const)
        expect(await post(url, made(mode))).toEqual([204, '']);
      expect(seen.splice(0)).toEqual(Array(3).fill('9901010101010001'));
      const json = { headers: { 'content-type': 'application/json' }, body: Buffer.from('{"a":1}') };
      expect(await post(url.replace(PATH, '/lain'), json)).toEqual([201, '{"ada":1}']);
      expect((await fetch(url.replace(PATH, '/lain'))).status).toBe(200);
      expect((await post(url, { ...made('structured'), body: Buffer.from('{}') }))[0]).toBe(401);
      const asked = await fetch(url, { method: 'OPTIONS', headers: { 'webhook-request-origin': 'hub' } });
      expect([asked.status, asked.headers.get('webhook-allowed-origin')]).toEqual([200, 'hub']);
      await app.close();
    }
  });

  it('calls guards, interceptors, pipes and filters of a handler as SimpulModule does, and answers by what the handler throws', async () => {
    const next: unknown[] = [];
    @Injectable()
    class Enhanced {
      @OnEvent(PasporDiterbitkan)
      @UseGuards({ canActivate: (context) => (seen.push(context.getType()), true) })
      @UseInterceptors({ intercept: (_context, call) => call.handle().pipe(tap((value) => seen.push(value))) })
      @UsePipes({ transform: (value: unknown, { type }) => (seen.push(type), value) })
      @UseFilters({
        catch: (cause: unknown, _host: ArgumentsHost) => {
          if (cause instanceof RangeError) return of(undefined);
          throw cause;
        },
      })
      issued(data: PasporDiterbitkanData) {
        if (next.length > 0) throw next.pop();
        return data.nik;
      }
    }
    const { url } = await nestApp(adapter(), { providers: [Enhanced] });
    expect(await post(url, made('structured'))).toEqual([204, '']);
    expect(seen.splice(0)).toEqual(['rpc', 'body', '9901010101010001']);
    const answers: unknown[] = [];
    for (const cause of [new Refuse('tidak'), new RetryLater(5), new Error('rahasia'), new RangeError('disaring')]) {
      next.push(cause);
      answers.push(await post(url, made('structured')));
    }
    expect(answers).toEqual([
      [422, '{"code":"refused","detail":"tidak"}'],
      [503, '{"code":"retry_later","detail":"not now"}'],
      [500, '{"code":"handler_failed"}'],
      [204, ''],
    ]);
  });

  it('lets the handlers in work end before the app ends, and takes nothing more', async () => {
    const [begun, end] = [deferred<void>(), deferred<void>()];
    const { app, url } = await nestApp(
      adapter(),
      { providers: [nestHandler(() => (begun.resolve(), end.promise))] },
      {},
      { forceCloseConnections: false },
    );
    const answer = post(url, made('structured'));
    await begun.promise;
    let closed = false;
    const closing = app.close().then(() => (closed = true));
    await new Promise(setImmediate);
    expect(closed).toBe(false);
    end.resolve();
    expect((await answer)[0]).toBe(204);
    await closing;
  });

  it('works in a testing module of Nest', async () => {
    @Module({
      imports: [SimpulWebhookModule.forRootAsync({ useFactory: () => ({ secrets: [SECRET], path: '/hook' }) })],
      providers: [nestHandler(({ data }) => seen.push(data.nik))],
    })
    class AppModule {}
    const app = (await Test.createTestingModule({ imports: [AppModule] }).compile()).createNestApplication(
      adapter() as never,
      { logger: false },
    );
    stack.defer(() => app.close());
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    expect(await post(`http://127.0.0.1:${port}/hook`, made('binary'))).toEqual([204, '']);
    expect(seen).toEqual(['9901010101010001']);
  });
});

describe('a wrong wiring of SimpulWebhookModule is one line at the start', () => {
  const handler = nestHandler(() => undefined);
  const lineOf = async (start: () => Promise<unknown>): Promise<string> => {
    const fault: unknown = await start().then(
      () => 'started',
      (cause: unknown) => cause,
    );
    return inspect(fault);
  };
  const starting = (options: unknown, providers: Type[] = [handler], more: DynamicParts = []) => {
    @Module({ imports: [SimpulWebhookModule.forRoot(options as SimpulWebhookOptions), ...more], providers })
    class AppModule {}
    return NestFactory.create(AppModule, new ExpressAdapter(), { logger: false, abortOnError: false }).then((app) => {
      stack.defer(() => app.close());
      return app.init();
    });
  };
  type DynamicParts = ReturnType<typeof SimpulWebhookModule.forRoot>[];

  it.each([
    ['options without secrets', {}, /needs the secret of the subscription \(there is none\): forRoot\(\{ secrets/],
    ['no secrets', { secrets: [] }, /needs the secret of the subscription/],
    ['a secret that is none', { secrets: 'geheim' }, /needs the secret of the subscription \(a key .*whsec_/],
    [
      'a path that is a URL',
      { secrets: SECRET, path: 'https://unit.go.id/hook' },
      /path of SimpulWebhookModule is the path of the URL/,
    ],
    ['a path with a pattern', { secrets: SECRET, path: '/hook/:id' }, /path of SimpulWebhookModule/],
  ])('%s', async (_name, options, line) => {
    const told = await lineOf(() => starting(options));
    expect(told).toMatch(line);
    expect(told.split('\n')).toHaveLength(1);
  });

  it('no handler, two handlers for a type, the module twice, or an app without HTTP', async () => {
    const good = { secrets: SECRET };
    expect(await lineOf(() => starting(good, []))).toMatch(
      /has no handler to give events to: write a method with @OnEvent/,
    );
    expect(await lineOf(() => starting(good, [handler, nestHandler(() => 1)]))).toMatch(/two handlers for imigrasi/);
    expect(
      await lineOf(() => starting(good, [handler], [SimpulWebhookModule.forRoot({ secrets: OTHER_SECRET })])),
    ).toMatch(/imported twice/);
    @Module({ imports: [SimpulWebhookModule.forRoot(good)], providers: [handler] })
    class AppModule {}
    const context = () => NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
    expect(await lineOf(context)).toMatch(/no HTTP server of Express or Fastify: start it with NestFactory\.create/);
  });
});

it('SimpulModule beside SimpulWebhookModule publishes and reads; handlers get their events from the webhook only', async () => {
  const seen: string[] = [];
  @Module({
    imports: [
      SimpulModule.forRoot({ url: hub.url, key: await hub.key() }),
      SimpulWebhookModule.forRoot({ secrets: SECRET, others: 'ignore' }),
    ],
    providers: [nestHandler(({ id }) => seen.push(id))],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, new FastifyAdapter(), { logger: false, abortOnError: false });
  stack.defer(() => app.close());
  await app.listen(0, '127.0.0.1');
  await hub.publish([1, 2]);
  const request = made('structured');
  expect((await post(`${await app.getUrl()}${PATH}`, request))[0]).toBe(204);
  expect(seen).toEqual([(JSON.parse(request.body.toString()) as { id: string }).id]);
});
