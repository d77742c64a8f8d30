import { afterEach, describe, expect, it } from '@jest/globals';
import { pause } from '#concurrency';
import { partitionOfSubscription, subscriptionId } from '#subscriptions';
import { until } from '../../../test/kit/projection/stage.js';
import { BY, DELIVERED, DeskStage, eventAt, spec } from './desk.fixture.js';
import { HANDOVER_MS } from './handover.js';
import type { PartitionDesk } from './partition-desk.js';

const ID = subscriptionId(BY.owner, 'satu');
const P = partitionOfSubscription(ID);

describe('a partition that goes from one living courier to another', () => {
  const desks: PartitionDesk[] = [];
  let stage!: DeskStage;
  afterEach(async () => {
    await Promise.all(desks.splice(0).map((desk) => desk.close('lost')));
    await stage.subscriptions.close();
  });
  const delivering = async (): Promise<PartitionDesk> => {
    stage = await DeskStage.open();
    const desk = await stage.opened(1n, P);
    desks.push(desk);
    await desk.create(spec('satu'), BY);
    return desk;
  };
  const next = async (): Promise<{ readonly desk: PartitionDesk; readonly opening: Promise<void> }> => {
    stage.holder = 'dua';
    const desk = stage.desk(2n, P);
    desks.push(desk);
    await desk.load();
    return { desk, opening: desk.open() };
  };
  const sentOffsets = (): bigint[] => stage.sent.flatMap(({ events }) => events.map(({ offset }) => offset));

  it('is delivered from where the one before stopped, although that one has stored it after the claim', async () => {
    const first = await delivering();
    stage.feed.offer(ID, eventAt(0n, 'a'));
    stage.feed.offer(ID, eventAt(1n, 'b'));
    await until(async () => stage.sent.length === 2 && (await first.standing(ID)).inFlight === 0);
    const { desk, opening } = await next();
    // The group tells the owner before only now.
    await first.close('lost');
    await opening;
    expect((await desk.standing(ID)).lag.events).toBe(0);
    expect(stage.feed.offered(ID)).toBe(2n);
    expect(sentOffsets()).toEqual([0n, 1n]);
    expect(stage.failures).toEqual([]);
  });

  it('lets an attempt in flight end, and does not make it again', async () => {
    const first = await delivering();
    let end!: () => void;
    stage.answer = () => new Promise((resolve) => (end = () => resolve(DELIVERED)));
    stage.feed.offer(ID, eventAt(0n, 'a'));
    await until(() => stage.sent.length === 1);
    const { desk, opening } = await next();
    const closing = first.close('lost');
    end();
    await closing;
    await opening;
    expect((await desk.standing(ID)).lag.events).toBe(0);
    expect(stage.feed.offered(ID)).toBe(1n);
  });

  it('waits for one that stands still no longer than two seconds; what that one stores later counts for nothing', async () => {
    const first = await delivering();
    stage.feed.offer(ID, eventAt(0n, 'a'));
    await until(() => stage.sent.length === 1);
    const from = performance.now();
    const { desk, opening } = await next();
    await opening;
    expect(performance.now() - from).toBeGreaterThanOrEqual(HANDOVER_MS - 50);
    await first.close('lost');
    expect(await desk.standing(ID)).toMatchObject({ status: 'active' });
    stage.holder = 'tiga';
    const third = stage.desk(3n, P);
    desks.push(third);
    await third.load();
    const opened = third.open();
    // The first one has not told that it left in the name of the second.
    expect(await Promise.race([opened.then(() => 'opened'), pause(100).then(() => 'waits')])).toBe('waits');
    await desk.close('orderly');
    await opened;
  });

  it('ends the wait when it is lost again meanwhile', async () => {
    await delivering();
    const { desk, opening } = await next();
    const from = performance.now();
    const closing = desk.close('lost');
    await expect(opening).rejects.toMatchObject({ code: 'fenced' });
    await closing;
    expect(performance.now() - from).toBeLessThan(HANDOVER_MS / 2);
  });

  it('gets no attempt of one that lost it while it opened', async () => {
    const first = await delivering();
    const other = Array.from({ length: 200 }, (_, n) => `nama-${n}`).find(
      (name) => partitionOfSubscription(subscriptionId(BY.owner, name)) === P,
    )!;
    await first.create(spec(other), BY);
    await first.close('lost');
    const key = Buffer.from(`${subscriptionId(BY.owner, other)}/_simpul.test`);
    stage.topics.put('_simpul.cursors', P, [{ key, value: null, headers: [['simpul-epoch', Buffer.from('1')]] }]);
    let go!: () => void;
    const gate = new Promise<void>((resolve) => (go = resolve));
    let isHeld = false;
    const { begin } = stage;
    stage.begin = (): never => {
      isHeld = true;
      return gate.then(begin) as never;
    };
    const { desk, opening } = await next();
    await until(() => isHeld);
    const closing = desk.close('lost');
    stage.feed.offer(ID, eventAt(0n, 'a'));
    await pause(20);
    go();
    await expect(opening).rejects.toMatchObject({ code: 'fenced' });
    await closing;
    expect(stage.sent).toEqual([]);
  });
});
