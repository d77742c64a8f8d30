import { afterEach, describe, expect, it } from '@jest/globals';
import { partitionOfSubscription, subscriptionId } from '#subscriptions';
import { until } from '../../../test/kit/projection/stage.js';
import type { Pulled } from '../pull/leases.js';
import { PullMemory } from '../pull/memory.js';
import { BY, DeskStage, eventAt, spec } from './desk.fixture.js';
import type { PartitionDesk } from './partition-desk.js';

const ID = subscriptionId(BY.owner, 'tarik');
const P = partitionOfSubscription(ID);

describe('a subscription that is pulled', () => {
  let stage!: DeskStage;
  let desk!: PartitionDesk;
  let next = 0n;
  afterEach(async () => {
    await desk.close('lost');
    await stage.subscriptions.close();
  });
  const open = async (mode: 'live' | 'catch-up', memory = new PullMemory()): Promise<void> => {
    stage = await DeskStage.open();
    stage.feed.mode = mode;
    stage.pullMemory = memory;
    next = 0n;
    desk = await stage.opened(1n, P);
    await desk.create({ ...spec('tarik'), target: { kind: 'pull' } }, BY);
  };
  const offer = (count: number): void => {
    for (let n = 0; n < count; n++, next++) stage.feed.offer(ID, eventAt(next, `s${next}`));
  };
  const pull = (limit: number, waitMs: number): Promise<Pulled | undefined> =>
    desk.pull(ID, { limit, waitMs, leaseMs: 30_000 }, new AbortController().signal);
  const offsets = (pulled: Pulled | undefined): bigint[] | undefined => pulled?.events.map(({ offset }) => offset);
  const committed = async ({ events, token }: Pulled): Promise<void> => {
    const { offset } = events.at(-1)!;
    expect(await desk.commit(ID, token, [{ stream: '_simpul.test', partition: 0, offset }])).toBe('done');
  };

  it('fills a lease while it catches up: what comes in a moment is in it', async () => {
    await open('catch-up');
    let time = Date.now();
    stage.now = () => time;
    const pulling = pull(3, 10_000);
    offer(1);
    await new Promise(setImmediate);
    offer(2);
    expect(offsets(await pulling)).toEqual([0n, 1n, 2n]);
    // No more come, or not so soon.
    const short = pull(3, 10_000);
    offer(1);
    time += 100;
    expect(offsets(await short)).toEqual([3n]);
  });

  it('waits for no more than there is at the end of its streams, or when its puller does not wait', async () => {
    await open('live');
    const pulling = pull(3, 10_000);
    offer(1);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    offer(2);
    expect(offsets(await pulling)).toEqual([0n]);
    await desk.close('lost');
    await stage.subscriptions.close();
    await open('catch-up');
    offer(2);
    expect(offsets(await pull(3, 0))).toEqual([0n, 1n]);
  });

  it('commits two leases in any order; the cursor has what was finished above the open one, and nothing comes again', async () => {
    await open('live');
    offer(600);
    const [one, two] = [(await pull(300, 0))!, (await pull(300, 0))!];
    await committed(two);
    await desk.close('lost');
    desk = await stage.opened(2n, P);
    next = 0n;
    offer(600);
    await committed(one);
    expect(await pull(1_000, 0)).toBeUndefined();
    offer(1);
    await until(async () => offsets(await pull(1_000, 0))?.[0] === 600n);
  });

  it('leaves memory when nobody pulls it any more, and goes on where it was', async () => {
    await open('live', new PullMemory({ idleMs: 50 }));
    expect(stage.feed.room(ID)).toBe(100);
    const pulling = pull(1, 10_000);
    expect(stage.feed.room(ID)).toBe(1_000);
    offer(300);
    const first = (await pulling)!;
    expect(stage.feed.room(ID)).toBe(700);
    await committed(first);
    await until(() => Promise.resolve(stage.feed.room(ID) === 100));
    next = 1n;
    offer(2);
    expect(offsets(await pull(10, 0))).toEqual([1n, 2n]);
  });
});
