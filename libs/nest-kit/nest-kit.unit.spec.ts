import 'reflect-metadata';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Injectable, Module, type INestApplication } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import {
  KeepErrors,
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
  const strategy = new SimpulServer({ source });
  const module = await Test.createTestingModule({
    controllers,
    providers: [{ provide: APP_FILTER, useClass: KeepErrors }],
  }).compile();
  app = module.createNestApplication({ logger: false });
  app.connectMicroservice({ strategy }, { inheritAppConfig: true });
  await app.init();
  await app.startAllMicroservices();
  return strategy;
}

const signal = new AbortController().signal;

describe('the transport of a Nest app', () => {
  it('hands a batch to the handler of its type and answers what the handler answers', async () => {
    const source = new Hand();
    const strategy = await start(source, [Posts]);
    expect(await source.deliver('imigrasi.cegah.ditetapkan', [1, 2, 3], signal)).toEqual({ next: 3 });
    expect(seen).toEqual(['imigrasi.cegah.ditetapkan false']);
    expect(strategy.types()).toEqual(['imigrasi.cegah.ditetapkan', 'imigrasi.cegah.berakhir']);
  });

  it('a type without a handler is a failure, so no position moves', async () => {
    const source = new Hand();
    await start(source, [Posts]);
    await expect(source.deliver('pas.hunian.dilaporkan', [], signal)).rejects.toThrow(
      'no handler for pas.hunian.dilaporkan',
    );
  });

  it('the error of a handler reaches the source as it was', async () => {
    const source = new Hand();
    await start(source, [Posts]);
    await expect(source.deliver('imigrasi.cegah.berakhir', [], signal)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('refuses two handlers for one type at start', async () => {
    await expect(start(new Hand(), [Posts, SecondPosts])).rejects.toThrow('two handlers for imigrasi.cegah.ditetapkan');
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
  it('gives one client by token and closes it with the app', async () => {
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
