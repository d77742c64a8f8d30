import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module, type OnApplicationShutdown, type OnModuleInit, type Type } from '@nestjs/common';
import { createServer, type AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openHttp } from '#http';
import type { EventLog } from '#log';
import { readHubSettings } from '#settings';
import { openHub, silentHub } from '../../test/kit/hub/hub-module.js';
import { CORE, CoreModule, EVENT_LOG, HOT_DOORS, type Core } from './index.js';

let dir: string;
let steps: string[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-core-'));
  steps = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const asks = (log: EventLog): Promise<'answers' | 'closed'> =>
  log.ping().then(
    () => 'answers',
    () => 'closed',
  );

/** A role that uses the log when it opens and when it closes. */
function role(name: string, init: () => Promise<void> = () => Promise.resolve()): Type {
  @Injectable()
  class Work implements OnModuleInit, OnApplicationShutdown {
    constructor(@Inject(EVENT_LOG) private readonly log: EventLog) {}
    async onModuleInit() {
      await init();
      steps.push(`${name} opens, log ${await asks(this.log)}`);
    }
    async onApplicationShutdown() {
      steps.push(`${name} closes, log ${await asks(this.log)}`);
    }
  }
  @Module({ providers: [Work] })
  class Role {}
  return Role;
}

/** The app as openHttp gets it, with one slow hot route. */
function app(settings: Record<string, string>, ...roles: Type[]): Type {
  @Module({
    providers: [
      {
        provide: HOT_DOORS,
        inject: [CORE],
        useFactory: ({ log }: Core) => [
          ({ app: routes }: { app: { get: (...args: unknown[]) => void } }) =>
            routes.get('/slow', { config: { open: true } }, async () => {
              steps.push('request begins');
              await new Promise((done) => setTimeout(done, 300));
              steps.push(`request ends, log ${await asks(log)}`);
              return {};
            }),
        ],
      },
    ],
  })
  class Slow {}
  @Module({
    imports: [CoreModule.forRoot({ name: 'uji', settings: readHubSettings(settings) }), Slow, ...roles],
  })
  class App {}
  return App;
}

/** The folder is free: another engine can take it. */
async function isFree(): Promise<boolean> {
  const hub = await openHub(dir);
  await hub.close();
  return true;
}

describe('the life of a hub process', () => {
  it('opens the core before the roles and closes it after them; requests in flight are answered before any role closes', async () => {
    const http = await openHttp(app(silentHub(dir), role('first'), role('second')), { port: 0 });
    const { log } = http.app.get<Core>(CORE, { strict: false });
    const answer = fetch(`${http.url}/slow`);
    while (!steps.includes('request begins')) await new Promise((done) => setTimeout(done, 5));
    await http.close();
    expect((await answer).status).toBe(200);
    expect(steps).toEqual([
      'first opens, log answers',
      'second opens, log answers',
      'request begins',
      'request ends, log answers',
      'second closes, log answers',
      'first closes, log answers',
    ]);
    expect(await asks(log)).toBe('closed');
    expect(await isFree()).toBe(true);
  });

  it('closes what it has opened when a role fails at start, and throws the failure of that role', async () => {
    const broken = role('broken', () => Promise.reject(new Error('the role cannot open')));
    await expect(openHttp(app(silentHub(dir), role('first'), broken), { port: 0 })).rejects.toThrow(
      'the role cannot open',
    );
    expect(steps).toContain('first closes, log answers');
    expect(await isFree()).toBe(true);
  });

  it('closes what it has opened when the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((done) => other.once('listening', done));
    const { port } = other.address() as AddressInfo;
    try {
      await expect(openHttp(app(silentHub(dir), role('first')), { port })).rejects.toMatchObject({
        code: 'EADDRINUSE',
      });
    } finally {
      await new Promise((done) => other.close(done));
    }
    expect(steps).toEqual(['first opens, log answers', 'first closes, log answers']);
    expect(await isFree()).toBe(true);
  });

  it('gives the data folder back when the control tables do not open', async () => {
    const settings = { ...silentHub(dir), SIMPUL_PSEUDONYM_KEY_FILE: join(dir, 'absent.key') };
    await expect(openHttp(app(settings), { port: 0 })).rejects.toThrow();
    expect(await isFree()).toBe(true);
  });
});
