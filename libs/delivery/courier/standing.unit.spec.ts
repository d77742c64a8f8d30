import { afterEach, describe, expect, it } from '@jest/globals';
import type { ReadEvent } from '#reading';
import { partitionOfSubscription, subscriptionId } from '#subscriptions';
import { until } from '../../../test/kit/projection/stage.js';
import { BY, DeskStage, eventAt, spec } from './desk.fixture.js';
import type { PartitionDesk } from './partition-desk.js';

const ID = subscriptionId(BY.owner, 'satu');
const P = partitionOfSubscription(ID);
const HOUR = 3_600_000;
const BEGIN = Date.UTC(2026, 0, 5);

/** An event that the log took so many hours before BEGIN. */
function agedBy(hours: number, offset: bigint, subject: string): ReadEvent {
  const recordedtime = new Date(BEGIN - hours * HOUR).toISOString();
  return { ...eventAt(offset, subject), envelope: { subject, recordedtime } } as unknown as ReadEvent;
}

describe('the lag of a subscription', () => {
  const desks: PartitionDesk[] = [];
  let stage!: DeskStage;
  afterEach(async () => {
    await Promise.all(desks.splice(0).map((desk) => desk.close('lost')));
    await stage.subscriptions.close();
  });
  const open = async (epoch = 1n): Promise<PartitionDesk> => {
    const desk = await stage.opened(epoch, P);
    desks.push(desk);
    return desk;
  };

  it('is the age of the oldest event that has not ended, also while it is in flight', async () => {
    stage = await DeskStage.open();
    stage.now = () => BEGIN;
    stage.answer = () => new Promise(() => undefined);
    const desk = await open();
    await desk.create(spec('satu'), BY);
    stage.feed.offer(ID, agedBy(3, 0n, 'a'));
    stage.feed.offer(ID, agedBy(1, 1n, 'b'));
    await until(() => stage.sent.length === 2);
    expect((await desk.standing(ID)).lag).toEqual({ events: 2, seconds: 3 * 3_600 });
  });

  it('counts what is held behind a parked event, not the parked one, and says the same after a takeover', async () => {
    stage = await DeskStage.open();
    stage.now = () => BEGIN;
    stage.answer = () => ({ kind: 'refused', status: 422, reason: 'status', ms: 1 });
    const first = await open();
    await first.create(spec('satu'), BY);
    stage.feed.offer(ID, agedBy(9, 0n, 'a'));
    await until(async () => (await first.standing(ID)).parked === 1 && (await first.standing(ID)).lag.events === 0);
    expect((await first.standing(ID)).lag.seconds).toBe(0);
    for (const [n, hours] of [5, 4, 3].entries()) stage.feed.offer(ID, agedBy(hours, BigInt(n + 1), 'a'));
    await until(async () => (await first.standing(ID)).held === 3);
    expect((await first.standing(ID)).lag).toEqual({ events: 3, seconds: 5 * 3_600 });
    const heldRows = () => stage.topics.records('_simpul.lanes', P).filter(({ key }) => key!.includes('/h/'));
    await until(() => heldRows().length === 3);
    await first.close('orderly');
    const second = await open(2n);
    expect((await second.standing(ID)).lag).toEqual({ events: 3, seconds: 5 * 3_600 });
  });

  it('is at most what was not looked at, whose age is read from the log when the feed does not know it', async () => {
    stage = await DeskStage.open();
    const took = Date.now();
    stage.now = () => took + 2 * HOUR;
    for (let n = 0; n < 3; n++)
      stage.topics.put('_simpul.test', 0, [{ key: null, value: Buffer.from('x'), headers: [] }]);
    const desk = await open();
    await desk.create(spec('satu'), BY);
    await desk.pause(ID, 'uji');
    stage.feed.lag = { events: 3n, oldestAppendMs: undefined };
    const { lag } = await desk.standing(ID);
    expect(lag).toEqual({ events: 3, seconds: expect.any(Number), atMost: true });
    expect(Math.abs(lag.seconds - 2 * 3_600)).toBeLessThan(5);
  });
});
