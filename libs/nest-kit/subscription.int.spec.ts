import 'reflect-metadata';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { deferred } from '#concurrency';
import { filePlaces } from '#consuming';
import { defineEvent, type EventOf, type ReadEvent } from '#sdk';
import { Injectable, Logger, Module, type INestApplicationContext, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DeliveryStage, PASSPORTS, publishedBySubject } from '../../test/kit/deliveries/stage.js';
import { until } from '../../test/kit/projection/stage.js';
import {
  Event,
  OnBatch,
  OnEvent,
  Refuse,
  SimpulConsumer,
  SimpulHealth,
  SimpulModule,
  type SimpulOptions,
} from './index.js';

const schema = readFileSync(new URL('../../schemas/imigrasi/paspor/diterbitkan.v1.avsc', import.meta.url), 'utf8');
const { version } = (JSON.parse(schema) as { simpul: { version: number } }).simpul;
const Passport = defineEvent<Record<string, unknown>>({ type: PASSPORTS, stream: 'imigrasi.paspor', version, schema });

const dir = mkdtempSync(join(tmpdir(), 'simpul-nest-sub-'));
let hub: DeliveryStage;
beforeAll(async () => {
  hub = await DeliveryStage.open('embedded');
  jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
});
afterAll(async () => {
  jest.restoreAllMocks();
  await hub[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const apps: INestApplicationContext[] = [];
let serial = 0;
/** What earlier tests have published. */
let earlier = 0;
const mine = () => hub.published.slice(earlier);
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  earlier = hub.published.length;
  serial++;
});

/** The group, and so the subscription, is that of the test. */
async function start(providers: Type[], options: Partial<SimpulOptions> = {}): Promise<INestApplicationContext> {
  const given = { url: hub.url, key: await hub.key(), group: `app-${serial}`, from: 'latest', ...options };
  const places = filePlaces(join(dir, `${serial}.json`));
  @Module({ imports: [SimpulModule.forRoot({ places, ...given })], providers })
  class AppModule {}
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
  apps.push(app);
  return app;
}
const failing = (providers: Type[], options: Partial<SimpulOptions> = {}): Promise<unknown> =>
  start(providers, options).then(
    () => undefined,
    (cause: unknown) => cause,
  );
const idOf = (app: INestApplicationContext): string => app.get(SimpulConsumer).subscription!;

/** A class with one handler, for the options and the work of a test. */
function handling(
  work: (event: EventOf<Record<string, unknown>>) => unknown,
  options: Parameters<typeof OnEvent>[1] = {},
): Type {
  @Injectable()
  class Passports {
    @OnEvent(Passport, options)
    issued(_data: unknown, @Event() event: EventOf<Record<string, unknown>>): unknown {
      return work(event);
    }
  }
  return Passports;
}

describe('the source hub: a subscription', () => {
  it('is made for the types of the handlers, gives them in order per subject and side by side, to any number of processes, and goes on after a restart', async () => {
    const seen: ReadEvent[] = [];
    const byApp = [0, 0];
    const of = (n: number): Type =>
      handling(
        async (event) => {
          await new Promise((resolve) => setTimeout(resolve, 2));
          byApp[n]!++;
          seen.push(event as unknown as ReadEvent);
        },
        { concurrency: 2 },
      );
    const first = await start([of(0)]);
    expect(await hub.standing(idOf(first))).toMatchObject({
      ...{ name: `app-${serial}`, types: [PASSPORTS], filters: [], target: { kind: 'pull' } },
    });
    const second = await start([of(1)]);
    expect(idOf(second)).toBe(idOf(first));
    await hub.publish(Array.from({ length: 120 }, (_, n) => n % 12));
    await until(() => seen.length === 120);
    expect(Math.min(...byApp)).toBeGreaterThan(0);
    for (const app of apps.splice(0)) await app.close();
    expect(await hub.standing(idOf(first))).toMatchObject({ inFlight: 0, lag: { events: 0 } });
    await hub.publish([1, 2]);
    await start([of(0)]);
    await until(() => seen.length === 122);
    const numbers = new Map(mine().map(({ id, number }) => [id, number]));
    const by = Map.groupBy(seen, ({ id }) => numbers.get(id)!);
    expect(new Map([...by].map(([n, events]) => [n, events.map(({ id }) => id)]))).toEqual(publishedBySubject(mine()));
  });

  it('of the same name with another filter ends the start with what to do, in both languages; update changes it', async () => {
    const none = handling(() => undefined);
    const app = await start([none]);
    const filters = [{ prefix: { subject: 'a' } }];
    const fault = (await failing([none], { subscription: { filters } })) as Error;
    expect(fault).toMatchObject({ name: 'SimpulStartFault', code: 'subscription_changed' });
    expect(fault.message).toMatch(
      /app-\d+: filters\. .*onChange: "update".* \/ .*app-\d+: filters\. .*onChange: "update"/,
    );
    expect(await hub.standing(idOf(app))).toMatchObject({ version: 1 });
    await start([none], { subscription: { filters, onChange: 'update' } });
    expect(await hub.standing(idOf(app))).toMatchObject({ version: 2, filters });
    const dotted = await start([none], { group: 'sdp.v2' });
    expect(await hub.standing(idOf(dotted))).toMatchObject({ name: expect.stringMatching(/^sdp-v2-[0-9a-f]{6}$/) });
    expect(await failing([none], { subscription: { name: 'Nama Salah' } })).toMatchObject({
      code: 'subscription_refused',
    });
  });

  it('tries again what a handler gives up, then parks it with its code; others go on, and its followers come after the redrive', async () => {
    const seen: string[] = [];
    let poison: string | undefined;
    let isBroken = true;
    const refused: string[] = [];
    const app = await start([
      handling((event) => {
        if (isBroken && event.subject === poison) throw Object.assign(new Error('locked'), { code: 'LIST_LOCKED' });
        if (isBroken && refused.includes(event.subject)) throw new Refuse('sold out');
        poison ??= event.subject;
        seen.push(event.id);
      }),
    ]);
    await hub.publish([1]);
    await until(() => seen.length === 1);
    await hub.publish([1, 1, 2, 3]);
    const stopped = async () => {
      const { parked, dead, held } = await hub.standing(idOf(app));
      return [parked + dead, held];
    };
    await until(async () => String(await stopped()) === '1,1');
    expect(seen).toHaveLength(3);
    const rows = (await hub.ask('GET', `/v1/subscriptions/${idOf(app)}/deliveries?subject=${poison}`)).body[
      'deliveries'
    ];
    const tries = (rows as { outcome: string; reason?: string; try: number }[]).filter(
      (r) => r.outcome !== 'delivered',
    );
    expect(tries.find(({ outcome }) => outcome === 'parked')).toMatchObject({ reason: 'list_locked', try: 3 });
    const health = (await app.get(SimpulHealth).isHealthy())['simpul']!;
    expect([health.status, health.parked! + health.dead!]).toEqual(['up', 1]);
    isBroken = false;
    await hub.ask('POST', `/v1/subscriptions/${idOf(app)}/redrive`, { all: true, why: 'diperbaiki' });
    await until(() => seen.length === 5);
    expect(seen.slice(3)).toEqual(
      mine()
        .slice(1, 3)
        .map(({ id }) => id),
    );
  });

  it('parks at once what another try would not change: Refuse, and what is not retryable', async () => {
    const of = new Map<string, number>();
    const app = await start([
      handling(
        (event) => {
          of.set(event.subject, (of.get(event.subject) ?? 0) + 1);
          if (of.size === 1) throw new Refuse('sold out');
          throw new Error('never');
        },
        { retryable: () => false },
      ),
    ]);
    await hub.publish([1]);
    await until(async () => (await hub.standing(idOf(app)))['parked'] === 1);
    await hub.publish([2]);
    await until(async () => (await hub.standing(idOf(app)))['parked'] + (await hub.standing(idOf(app)))['dead'] === 2);
    const rows = (await hub.ask('GET', `/v1/subscriptions/${idOf(app)}/deliveries?limit=50`)).body['deliveries'];
    const parked = (rows as Record<string, unknown>[]).filter(({ outcome }) => outcome === 'parked');
    expect(parked.map((row) => [row['reason'], row['try']]).toSorted()).toEqual([
      ['handler_failed', 1],
      ['refused', 1],
    ]);
  });

  it('finds the poison of a batch: everything else of it is handled', async () => {
    const seen = new Set<string>();
    let poison = '';
    @Injectable()
    class Passports {
      @OnBatch(Passport, { size: 50 })
      issued(batch: readonly EventOf<Record<string, unknown>>[]): void {
        if (batch.some(({ id }) => id === poison)) throw new Error('one of them');
        for (const { id } of batch) seen.add(id);
      }
    }
    const app = await start([Passports]);
    poison = `e-${hub.published.length + 7}`;
    await hub.publish(Array.from({ length: 20 }, (_, n) => n));
    await until(() => seen.size === 19);
    await until(async () => (await hub.standing(idOf(app)))['dead'] === 1);
    expect(
      mine()
        .filter(({ id }) => !seen.has(id))
        .map(({ id }) => id),
    ).toEqual([poison]);
  });

  it('the end of an app lets its handlers end and gives the rest back: nothing is lost or repeated, and no try is counted', async () => {
    const seen: string[] = [];
    const gate = deferred<void>();
    const first = await start([
      handling(
        async ({ id }) => {
          seen.push(id);
          await gate.promise;
        },
        { concurrency: 2 },
      ),
    ]);
    await hub.publish(Array.from({ length: 20 }, (_, n) => n % 10));
    await until(() => seen.length === 2);
    const id = idOf(first);
    const closed = apps.pop()!.close();
    await until(() => first.get(SimpulConsumer).status()?.state === 'stopping');
    gate.resolve();
    await closed;
    expect(seen).toHaveLength(2);
    await start([handling((event) => void seen.push(event.id))]);
    await until(() => seen.length >= 20);
    expect(seen.toSorted()).toEqual(
      mine()
        .map((e) => e.id)
        .toSorted(),
    );
    expect((await hub.ask('GET', `/v1/subscriptions/${id}/deliveries?state=failed`)).body['deliveries']).toEqual([]);
  });

  it("then: 'stop' ends the app, and its event stays at the hub without a try that counts", async () => {
    const faults: unknown[] = [];
    const app = await start(
      [handling(() => Promise.reject(new Error('the list is locked')), { attempts: 2, backoffMs: 1, then: 'stop' })],
      { ended: (fault) => faults.push(fault) },
    );
    await hub.publish([1]);
    await until(() => faults.length === 1);
    expect(faults[0]).toMatchObject({ code: 'handler_failed' });
    const id = idOf(app);
    await apps.pop()!.close();
    expect(await hub.standing(id)).toMatchObject({ inFlight: 0, parked: 0, lag: { events: 1 } });
    expect((await hub.ask('GET', `/v1/subscriptions/${id}/deliveries`)).body['deliveries']).toEqual([]);
  });

  it('goes on where an app that read the streams has stored its places: nothing is skipped, and what had ended does not come again', async () => {
    const seen: string[] = [];
    let poison: string | undefined;
    const work = ({ id, subject }: { readonly id: string; readonly subject: string }): void => {
      if (subject === poison) throw new Error('locked');
      seen.push(id);
    };
    await start([handling(work, { attempts: 1, then: 'park' })], { source: 'stream', placeMs: 1 });
    await hub.publish([1, 2]);
    await until(() => seen.length === 2);
    const { subject } = (await hub.ask('GET', `/v1/events/${mine()[0]!.position}`)).body as { subject: string };
    poison = subject;
    // The first of these stays parked, so the place stays before it, and what has ended is stored above.
    await hub.publish([1, 2, 3]);
    await until(() => seen.length === 4);
    await apps.pop()!.close();
    await hub.publish([1, 4]);
    poison = undefined;
    const app = await start([handling(work)], { from: 'earliest' });
    await until(() => seen.length === 7);
    await apps.pop()!.close();
    expect(seen.toSorted()).toEqual(
      mine()
        .map(({ id }) => id)
        .toSorted(),
    );
    const [parked, follower] = [mine()[2]!.id, mine()[5]!.id];
    expect(seen.indexOf(parked)).toBeLessThan(seen.indexOf(follower));
    // Made again, it does not go back to those places.
    await hub.ask('DELETE', `/v1/subscriptions/${idOf(app)}`);
    const again: string[] = [];
    await start([handling(({ id }) => void again.push(id))], { from: 'latest' });
    const [last] = await hub.publish([5]);
    await until(() => again.length > 0);
    expect(again).toEqual([last!.id]);
  });

  it('refuses options of handlers that the hub decides, or that need more time than a lease, with what to do', async () => {
    const none = (options: Parameters<typeof OnEvent>[1]): Type => handling(() => undefined, options);
    for (const options of [{ parkedMs: 5_000 }, { timeoutMs: 60_000 }, { attempts: 50 }]) {
      const fault = (await failing([none(options)])) as Error;
      expect(fault).toMatchObject({ code: 'handler_option_unfit' });
      expect(fault.message).toContain(Object.keys(options)[0]);
      expect(fault.message).toContain('source: "stream"');
    }
    await start([none({ attempts: 5, timeoutMs: 50_000, concurrency: 3 })]);
  });
});
