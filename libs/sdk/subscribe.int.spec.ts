import { afterEach, describe, expect, it } from '@jest/globals';
import { DeliveryStage, PASSPORTS, publishedBySubject } from '../../test/kit/deliveries/stage.js';
import { until } from '../../test/kit/projection/stage.js';
import { subscribe, type ReadEvent, type RunningSubscription, type SubscribeOptions } from './index.js';

describe('subscribe', () => {
  let stack = new AsyncDisposableStack();
  afterEach(async () => {
    await stack.disposeAsync();
    stack = new AsyncDisposableStack();
  });
  const open = async (): Promise<DeliveryStage> => stack.use(await DeliveryStage.open('embedded'));
  const start = async (hub: DeliveryStage, more: Partial<SubscribeOptions>): Promise<RunningSubscription> => {
    const running = await subscribe({ url: hub.url, key: await hub.key(), name: 'gaji', types: [PASSPORTS], ...more });
    stack.defer(() => running.close());
    return running;
  };
  const numbers = (count: number, subjects: number): number[] => Array.from({ length: count }, (_, n) => n % subjects);

  it('makes the subscription under its name, handles everything in order per subject and side by side, and matches it again', async () => {
    const hub = await open();
    const seen: ReadEvent[] = [];
    let running = 0;
    let most = 0;
    const handler = async (event: ReadEvent): Promise<void> => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      seen.push(event);
    };
    const first = await start(hub, { handler, concurrency: 4 });
    await hub.publish(numbers(60, 6));
    await until(() => seen.length === 60);
    expect(most).toBe(4);
    await first.close();
    expect(await hub.standing(first.id)).toMatchObject({ inFlight: 0, lag: { events: 0 } });
    await hub.publish(numbers(6, 6));
    const second = await start(hub, { handler });
    await until(() => seen.length === 66);
    expect(second.id).toBe(first.id);
    const subjects = new Map(hub.published.map(({ id, number }) => [id, number]));
    const by = Map.groupBy(seen, ({ id }) => subjects.get(id)!);
    expect(new Map([...by].map(([n, events]) => [n, events.map((e) => e.id)]))).toEqual(
      publishedBySubject(hub.published),
    );
  });

  it('close() lets what runs end and commits it, and gives back what was not begun: nothing is lost or repeated, no try is counted', async () => {
    const hub = await open();
    const seen: string[] = [];
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const first = await start(hub, {
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
    await start(hub, { handler: ({ id }) => void seen.push(id) });
    await until(() => seen.length === 20);
    expect(seen.toSorted()).toEqual(hub.published.map((e) => e.id).toSorted());
    const failed = await hub.ask('GET', `/v1/subscriptions/${first.id}/deliveries?state=failed`);
    expect(failed.body['deliveries']).toEqual([]);
  });

  it('a handler that fails is tried again and its subject is parked; others go on, and it follows after the redrive', async () => {
    const hub = await open();
    const seen: string[] = [];
    const failures: string[] = [];
    let isBroken = true;
    let poison: string | undefined;
    const running = await start(hub, {
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
    expect(new Set(failures)).toEqual(new Set([hub.published[1]!.id]));
    expect(await hub.standing(running.id)).toMatchObject({ held: 1 });
    isBroken = false;
    await hub.ask('POST', `/v1/subscriptions/${running.id}/redrive`, { all: true, why: 'diperbaiki' });
    await until(() => seen.length === 5);
    expect(seen.slice(3)).toEqual(hub.published.slice(1, 3).map((e) => e.id));
  });

  it('a subscription of this name that gets something else is a fault, and is changed only when that is wanted', async () => {
    const hub = await open();
    const handler = (): void => undefined;
    const { id } = await start(hub, { handler });
    const filters = [{ prefix: { subject: 'a' } }];
    await expect(start(hub, { handler, filters })).rejects.toMatchObject({
      name: 'SdkFault',
      code: 'subscription_changed',
      problem: { detail: 'gaji: filters' },
    });
    expect((await start(hub, { handler, filters, change: true })).id).toBe(id);
    expect(await hub.standing(id)).toMatchObject({ filters, version: 2 });
  });

  it('goes on by itself after the hub was away, and ends with the fault when the subscription is removed', async () => {
    const hub = await open();
    const seen: string[] = [];
    const running = await start(hub, { handler: ({ id }) => void seen.push(id) });
    await hub.publish([1]);
    await until(() => seen.length === 1);
    await hub.stop();
    await hub.start();
    await hub.publish([1]);
    await until(() => seen.length === 2);
    expect(seen).toEqual(hub.published.map((e) => e.id));
    await hub.ask('DELETE', `/v1/subscriptions/${running.id}`);
    await expect(running.done).rejects.toMatchObject({ code: 'not_found' });
  });
});
