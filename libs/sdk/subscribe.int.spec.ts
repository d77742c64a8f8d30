import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  DeliveryStage,
  OFFICE,
  PASSPORTS,
  publishedBySubject,
  type Published,
} from '../../test/kit/deliveries/stage.js';
import { until } from '../../test/kit/projection/stage.js';
import {
  createReader,
  defineEvent,
  on,
  subscribe,
  type ReadEvent,
  type RunningSubscription,
  type SubscribeOptions,
} from './index.js';

interface Passport {
  readonly nomorPermohonan: string;
}
const schemaOf = (name: string): string =>
  readFileSync(new URL(`../../schemas/imigrasi/paspor/${name}.v1.avsc`, import.meta.url), 'utf8');
const versionOf = (schema: string): number => (JSON.parse(schema) as { simpul: { version: number } }).simpul.version;
const issued = schemaOf('diterbitkan');
const Issued = defineEvent<Passport>({
  type: PASSPORTS,
  stream: 'imigrasi.paspor',
  version: versionOf(issued),
  schema: issued,
});

let hub: DeliveryStage;
/** What earlier tests have published. */
let earlier = 0;
const mine = (): readonly Published[] => hub.published.slice(earlier);
beforeAll(async () => {
  hub = await DeliveryStage.open('embedded');
});
afterAll(() => hub[Symbol.asyncDispose]());

describe('subscribe', () => {
  let stack = new AsyncDisposableStack();
  let serial = 0;
  afterEach(async () => {
    await stack.disposeAsync();
    stack = new AsyncDisposableStack();
    earlier = hub.published.length;
    serial++;
  });
  const start = async (more: Partial<SubscribeOptions>): Promise<RunningSubscription> => {
    const given = { url: hub.url, key: await hub.key(), name: `gaji-${serial}`, types: [PASSPORTS], ...more };
    const running = await subscribe(given);
    stack.defer(() => running.close());
    return running;
  };
  const numbers = (count: number, subjects: number): number[] => Array.from({ length: count }, (_, n) => n % subjects);

  it('makes the subscription under its name, handles everything in order per subject and side by side, and matches it again', async () => {
    const seen: ReadEvent[] = [];
    let running = 0;
    let most = 0;
    const handler = async (event: ReadEvent): Promise<void> => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      seen.push(event);
    };
    const first = await start({ handler, concurrency: 4 });
    await hub.publish(numbers(60, 6));
    await until(() => seen.length === 60);
    expect(most).toBe(4);
    await first.close();
    expect(await hub.standing(first.id)).toMatchObject({ inFlight: 0, lag: { events: 0 } });
    await hub.publish(numbers(6, 6));
    const second = await start({ handler });
    await until(() => seen.length === 66);
    expect(second.id).toBe(first.id);
    const subjects = new Map(mine().map(({ id, number }) => [id, number]));
    const by = Map.groupBy(seen, ({ id }) => subjects.get(id)!);
    expect(new Map([...by].map(([n, events]) => [n, events.map((e) => e.id)]))).toEqual(publishedBySubject(mine()));
  });

  it('close() lets what runs end and commits it, and gives back what was not begun: nothing is lost or repeated, no try is counted', async () => {
    const seen: string[] = [];
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const first = await start({
      concurrency: 2,
      handler: async ({ id }) => {
        seen.push(id);
        await gate;
      },
    });
    await hub.publish(numbers(20, 10));
    await until(() => seen.length === 2);
    const closed = first.close();
    release();
    await closed;
    expect(seen).toHaveLength(2);
    await start({ handler: ({ id }) => void seen.push(id) });
    await until(() => seen.length === 20);
    expect(seen.toSorted()).toEqual(
      mine()
        .map((e) => e.id)
        .toSorted(),
    );
    const failed = await hub.ask('GET', `/v1/subscriptions/${first.id}/deliveries?state=failed`);
    expect(failed.body['deliveries']).toEqual([]);
  });

  it('a handler that fails is tried again and its subject is parked; others go on, and it follows after the redrive', async () => {
    const seen: string[] = [];
    const failures: string[] = [];
    let isBroken = true;
    let poison: string | undefined;
    const running = await start({
      handler: (event) => {
        if (isBroken && event.subject === poison) throw new Error('rusak');
        poison ??= event.subject;
        seen.push(event.id);
      },
      report: { failed: ({ id }) => failures.push(id) },
    });
    await hub.publish([1]);
    await until(() => seen.length === 1);
    await hub.publish([1, 1, 2, 3]);
    await until(async () => (await hub.standing(running.id))['dead'] === 1);
    expect(seen).toHaveLength(3);
    expect(new Set(failures)).toEqual(new Set([mine()[1]!.id]));
    expect(await hub.standing(running.id)).toMatchObject({ held: 1 });
    isBroken = false;
    await hub.ask('POST', `/v1/subscriptions/${running.id}/redrive`, { all: true, why: 'diperbaiki' });
    await until(() => seen.length === 5);
    expect(seen.slice(3)).toEqual(
      mine()
        .slice(1, 3)
        .map((e) => e.id),
    );
  });

  it('a subscription of this name that gets something else is a fault, and is changed only when that is wanted', async () => {
    const handler = (): void => undefined;
    const { id } = await start({ handler });
    const filters = [{ prefix: { subject: 'a' } }];
    await expect(start({ handler, filters })).rejects.toMatchObject({
      name: 'SdkFault',
      code: 'subscription_changed',
      problem: { detail: `gaji-${serial}: filters` },
    });
    expect((await start({ handler, filters, change: true })).id).toBe(id);
    expect(await hub.standing(id)).toMatchObject({ filters, version: 2 });
  });

  it('gives each handler the data of its token; what can never be handled is parked at once, with its code', async () => {
    const seen: string[] = [];
    const named: [string, string] = ['', ''];
    const running = await subscribe({
      url: hub.url,
      key: await hub.key(),
      name: 'bertipe',
      handlers: [
        on(Issued, ({ data, subject }) => {
          if (subject === named[0]) throw Object.assign(new Error('sold out'), { name: 'Refuse' });
          if (subject === named[1]) throw Object.assign(new Error('locked'), { code: 'LIST_LOCKED' });
          expect(data.nomorPermohonan).toMatch(/./);
          seen.push(subject);
        }),
      ],
      report: { failed: () => undefined },
    });
    stack.defer(() => running.close());
    await hub.publish([1, 2, 3]);
    await until(() => seen.length === 3);
    named[0] = seen[0]!;
    named[1] = seen[1]!;
    await hub.publish([1, 2, 3]);
    const rows = async (): Promise<Record<string, unknown>[]> =>
      (await hub.ask('GET', `/v1/subscriptions/${running.id}/deliveries?limit=100`)).body['deliveries'] as never;
    await until(async () => (await rows()).filter(({ outcome }) => outcome === 'parked').length === 2);
    const failed = (await rows()).filter(({ outcome }) => outcome !== 'delivered');
    const causes = (subject: string) =>
      failed.filter((row) => row['subject'] === subject).map(({ outcome, reason, try: n }) => [outcome, reason, n]);
    expect(causes(named[0])).toContainEqual(['parked', 'refused', 1]);
    expect(causes(named[1])).toContainEqual(['parked', 'list_locked', 3]);
  });

  it('a subscription to tokens gives one handler their data; without a type, or with two handlers for one, there is none', async () => {
    const seen: string[] = [];
    const key = await hub.key();
    const running = await subscribe({
      ...{ url: hub.url, key, name: 'token' },
      types: [Issued],
      handler: ({ data }) => void seen.push(data.nomorPermohonan),
    });
    stack.defer(() => running.close());
    await hub.publish([1]);
    await until(() => seen.length === 1);
    const handler = (): void => undefined;
    await expect(subscribe({ url: hub.url, key, name: 'tanpa', handler })).rejects.toThrow('needs types');
    const twice = [on(Issued, handler), on(Issued, handler)];
    await expect(subscribe({ url: hub.url, key, name: 'dua', handlers: twice })).rejects.toThrow('two handlers');
  });

  it('a subscription that is made may begin at the cursor of a reader in a stream; one of another log, or none, is refused', async () => {
    const key = await hub.key(OFFICE);
    const reader = createReader({ url: hub.url, key });
    stack.defer(() => reader.close());
    await hub.publish([1, 2, 3]);
    let cursor = '';
    for await (const { next } of reader.pages('imigrasi.paspor', { from: 'latest' })) cursor = next;
    await hub.publish([1, 2]);
    const spec = { name: 'lanjut', types: [PASSPORTS], start: 'now', target: { kind: 'pull' } };
    const make = (starts: object) => hub.ask('POST', '/v1/subscriptions', { ...spec, starts });
    expect((await make({ 'imigrasi.paspor': 'tidak-ada' })).body).toMatchObject({ code: 'invalid_cursor' });
    expect((await make({ 'imigrasi.paspor': cursor })).status).toBe(201);
    const seen: string[] = [];
    await start({ name: 'lanjut', handler: ({ id }) => void seen.push(id) });
    await until(() => seen.length === 2);
    expect(seen.toSorted()).toEqual(
      mine()
        .slice(3)
        .map(({ id }) => id),
    );
  });

  it('goes on by itself after the hub was away, and ends with the fault when the subscription is removed', async () => {
    const seen: string[] = [];
    let committed = 0;
    const running = await start({
      handler: ({ id }) => void seen.push(id),
      // What a hub has leased when it ends is handed out by the next one when the lease is over.
      leaseMs: 1_000,
      report: { committed: (events) => (committed += events) },
    });
    await hub.publish([1]);
    await until(() => committed === 1);
    await hub.stop();
    await hub.start();
    await hub.publish([1]);
    await until(() => seen.length === 2);
    expect(seen).toEqual(mine().map((e) => e.id));
    await hub.ask('DELETE', `/v1/subscriptions/${running.id}`);
    await expect(running.done).rejects.toMatchObject({ code: 'not_found' });
  });
});
