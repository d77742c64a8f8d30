import 'reflect-metadata';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Injectable, Logger, Module, type INestApplication, type OnModuleInit } from '@nestjs/common';
import { Ctx, Payload, Server, type CustomTransportStrategy } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import {
  OnEvent,
  SIMPUL_CLIENT,
  SimpulContext,
  SimpulModule,
  SimpulServer,
  type Deliver,
  type EventSource,
} from './index.js';

class Hand implements EventSource {
  deliver!: Deliver;
  #end: () => void = () => undefined;
  stopped = 0;
  run(deliver: Deliver): Promise<void> {
    this.deliver = deliver;
    return new Promise((resolve) => (this.#end = resolve));
  }
  stop(): Promise<void> {
    this.stopped++;
    this.#end();
    return Promise.resolve();
  }
}

const seen: string[] = [];

@Controller()
class Posts {
  @OnEvent('imigrasi.cegah.ditetapkan')
  banned(@Payload() batch: number[], @Ctx() context: SimpulContext) {
    seen.push(`${context.type} ${context.signal.aborted}`);
    return { next: batch.length };
  }

  @OnEvent('imigrasi.cegah.berakhir')
  ended() {
    throw Object.assign(new Error('the list is locked'), { code: 'conflict' });
  }
}

@Controller()
class SecondPosts {
  @OnEvent('imigrasi.cegah.ditetapkan')
  banned() {
    return 0;
  }
}

let app: INestApplication | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function start(source: Hand, controllers: (new () => object)[]): Promise<SimpulServer> {
  const module = await Test.createTestingModule({ controllers }).compile();
  app = module.createNestApplication({ logger: false });
  return SimpulServer.start(app, { source });
}

const signal = new AbortController().signal;

describe('SimpulServer', () => {
  it('gives a batch to the handler of its event type and answers what the handler answers', async () => {
    const source = new Hand();
    const strategy = await start(source, [Posts]);
    expect(await source.deliver('imigrasi.cegah.ditetapkan', [1, 2, 3], signal)).toEqual({ next: 3 });
    expect(seen).toEqual(['imigrasi.cegah.ditetapkan false']);
    expect(strategy.types()).toEqual(['imigrasi.cegah.ditetapkan', 'imigrasi.cegah.berakhir']);
  });

  it('ends the process with one line when its source fails and the app does not listen for that', async () => {
    const killed = jest.spyOn(process, 'kill').mockReturnValue(true);
    const lines = jest.spyOn(Logger.prototype, 'error').mockReturnValue(undefined);
    const before = process.exitCode;
    try {
      const ended = new Promise<void>((resolve) => killed.mockImplementation(() => (resolve(), true)));
      const source = { run: () => Promise.reject(new Error('401 unauthenticated')), stop: () => Promise.resolve() };
      await start(source as unknown as Hand, [Posts]);
      await ended;
      expect(killed).toHaveBeenCalledWith(process.pid, 'SIGTERM');
      expect(process.exitCode).toBe(1);
      expect(lines.mock.calls.map(([line]) => String(line))).toEqual([
        'the event source ended, so the process ends: 401 unauthenticated',
      ]);
    } finally {
      process.exitCode = before;
      killed.mockRestore();
      lines.mockRestore();
    }
  });

  it('tells the end of a source that ends without an error too, and not when the app itself has closed it', async () => {
    const ends: unknown[] = [];
    const report = { ended: (cause: unknown) => void ends.push(cause) };
    const source = { run: () => Promise.resolve(), stop: () => Promise.resolve() };
    const open = async (of: EventSource) => {
      const module = await Test.createTestingModule({ controllers: [Posts] }).compile();
      app = module.createNestApplication({ logger: false });
      return SimpulServer.start(app, { source: of, report });
    };
    await open(source);
    await new Promise(setImmediate);
    expect(ends.map(String)).toEqual(['Error: the source ended without an error']);
    await app!.close();
    await open(new Hand());
    await app!.close();
    app = undefined;
    expect(ends).toHaveLength(1);
  });

  it('logs a handler that fails and a type without a handler, the same cause at most once a minute, unless the app listens for that', async () => {
    const lines = jest.spyOn(Logger.prototype, 'error').mockReturnValue(undefined);
    let now = 1_000_000;
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => now);
    const fail = (source: Hand, type: string) => source.deliver(type, [], signal).catch(() => undefined);
    try {
      const source = new Hand();
      await start(source, [Posts]);
      for (let n = 0; n < 3; n++) await fail(source, 'imigrasi.cegah.berakhir');
      await fail(source, 'pas.hunian.dilaporkan');
      now += 60_001;
      await fail(source, 'imigrasi.cegah.berakhir');
      const failed = (type: string, why: string) =>
        `the handler of ${type} failed, its batch stays undelivered: ${why}`;
      expect(lines.mock.calls.map(([line]) => String(line))).toEqual([
        failed('imigrasi.cegah.berakhir', 'the list is locked'),
        failed('pas.hunian.dilaporkan', 'no handler for pas.hunian.dilaporkan'),
        failed('imigrasi.cegah.berakhir', 'the list is locked (and 2 times since the last line)'),
      ]);
      await app!.close();
      lines.mockClear();
      const told: string[] = [];
      const module = await Test.createTestingModule({ controllers: [Posts] }).compile();
      app = module.createNestApplication({ logger: false });
      const other = new Hand();
      const report = { handlerFailed: (type: string, cause: unknown) => void told.push(`${type} ${String(cause)}`) };
      await SimpulServer.start(app, { source: other, report });
      await fail(other, 'imigrasi.cegah.berakhir');
      await other.deliver('imigrasi.cegah.berakhir', [], AbortSignal.abort()).catch(() => undefined);
      expect([told, lines.mock.calls]).toEqual([['imigrasi.cegah.berakhir Error: the list is locked'], []]);
    } finally {
      clock.mockRestore();
      lines.mockRestore();
    }
  });

  it('rejects a batch of a type that has no handler, so the source does not move its position', async () => {
    const source = new Hand();
    await start(source, [Posts]);
    await expect(source.deliver('pas.hunian.dilaporkan', [], signal)).rejects.toThrow(
      'no handler for pas.hunian.dilaporkan',
    );
  });

  it('rejects with the error of the handler unchanged, without a filter that the app must provide', async () => {
    const source = new Hand();
    await start(source, [Posts]);
    await expect(source.deliver('imigrasi.cegah.berakhir', [], signal)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('refuses a second handler for an event type at start', async () => {
    await expect(start(new Hand(), [Posts, SecondPosts])).rejects.toThrow('two handlers for imigrasi.cegah.ditetapkan');
  });

  it('delivers the first batch only after the init hooks of the app', async () => {
    const order: string[] = [];
    @Controller()
    class Slow implements OnModuleInit {
      async onModuleInit() {
        await new Promise((done) => setTimeout(done, 20));
        order.push('initialised');
      }
      @OnEvent('pas.hunian.dilaporkan')
      reported() {
        order.push('batch');
      }
    }
    class Eager extends Hand {
      override run(deliver: Deliver) {
        void deliver('pas.hunian.dilaporkan', [], signal);
        return super.run(deliver);
      }
    }
    await start(new Eager(), [Slow]);
    await new Promise(setImmediate);
    expect(order).toEqual(['initialised', 'batch']);
  });

  it('keeps its handlers for itself in an app with another transport', async () => {
    class OtherTransport extends Server implements CustomTransportStrategy {
      override readonly transportId = Symbol('other');
      listen(ready: () => void) {
        ready();
      }
      close() {}
      on() {}
      unwrap<T>(): T {
        return undefined as T;
      }
    }
    const other = new OtherTransport();
    const module = await Test.createTestingModule({ controllers: [Posts] }).compile();
    app = module.createNestApplication({ logger: false });
    app.connectMicroservice({ strategy: other });
    const strategy = await SimpulServer.start(app, { source: new Hand() });
    expect([...other.getHandlers().keys()]).toEqual([]);
    expect(strategy.types()).toHaveLength(2);
  });

  it('stops its source when the app closes', async () => {
    const source = new Hand();
    await start(source, [Posts]);
    await app!.close();
    app = undefined;
    expect(source.stopped).toBe(1);
  });
});

describe('SimpulModule', () => {
  it('provides one client by token and closes it with the app', async () => {
    let closed = 0;
    @Injectable()
    class Settings {
      readonly url = 'http://127.0.0.1:1';
    }
    @Module({ providers: [Settings], exports: [Settings] })
    class SettingsModule {}
    const module = await Test.createTestingModule({
      imports: [
        SimpulModule.forRootAsync({
          imports: [SettingsModule],
          inject: [Settings],
          useFactory: (s: Settings) => ({ url: s.url, close: () => void closed++ }),
        }),
      ],
    }).compile();
    expect(module.get(SIMPUL_CLIENT)).toMatchObject({ url: 'http://127.0.0.1:1' });
    await module.close();
    expect(closed).toBe(1);
  });
});
