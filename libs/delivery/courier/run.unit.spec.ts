import { afterEach, describe, expect, it } from '@jest/globals';
import { partitionOfSubscription, subscriptionId } from '#subscriptions';
import type { AttemptOutcome } from '#webhooks';
import { until } from '../../../test/kit/projection/stage.js';
import { BY, DELIVERED, DeskStage, eventAt, spec } from './desk.fixture.js';
import type { PartitionDesk } from './partition-desk.js';

const ID = subscriptionId(BY.owner, 'satu');
const P = partitionOfSubscription(ID);

describe('events in memory of a subscription that is pushed', () => {
  let desk!: PartitionDesk;
  let stage!: DeskStage;
  afterEach(async () => {
    await desk.close('lost');
    await stage.subscriptions.close();
  });
  /** Events come as long as there is room, until there were so many. */
  const offered = (events: number, subjectOf: (n: number) => string): Promise<void> => {
    let n = 0;
    return until(() => {
      while (n < events && stage.feed.room(ID) > 0) stage.feed.offer(ID, eventAt(BigInt(n), subjectOf(n++)));
      return n === events;
    });
  };

  it('are more where one subject holds them all, so that the others do not wait for it', async () => {
    stage = await DeskStage.open();
    const ends: (() => void)[] = [];
    const blocked = new Set<string>(['lambat']);
    stage.answer = ({ events }): AttemptOutcome | Promise<AttemptOutcome> =>
      blocked.has(events[0]!.envelope.subject)
        ? new Promise((resolve) => ends.push(() => resolve(DELIVERED)))
        : DELIVERED;
    desk = await stage.opened(1n, P);
    await desk.create(spec('satu'), BY);
    // 600 events of one subject whose receiver is slow, then one of another subject.
    await offered(601, (n) => (n < 600 ? 'lambat' : 'cepat'));
    await until(() => stage.sent.some(({ events }) => events[0]!.envelope.subject === 'cepat'));
    blocked.clear();
    ends.forEach((end) => end());
    await until(() => stage.sent.length === 601);
    expect(stage.failures).toEqual([]);
  });

  it('are few while many subjects are delivered', async () => {
    stage = await DeskStage.open();
    const ends: (() => void)[] = [];
    stage.answer = () => new Promise((resolve) => ends.push(() => resolve(DELIVERED)));
    desk = await stage.opened(1n, P);
    await desk.create(spec('satu'), BY);
    let n = 0;
    // The window opens with what is delivered, up to 64 at a time; what was looked at before then is delivered first.
    await until(() => {
      while (stage.feed.room(ID) > 0) stage.feed.offer(ID, eventAt(BigInt(n), `s${n++}`));
      const unfinished = n - stage.sent.length + ends.length;
      if (ends.length === 64 && unfinished <= 250) return true;
      for (const end of ends.splice(0)) end();
      return false;
    });
    ends.forEach((end) => end());
  });

  it.each([
    [50, 1_000, 5],
    [20, 1_000, 20],
    [10, 40, 5],
    [250, 1_000, 5],
  ])(
    'are all delivered when pages of %i events of %i subjects come, and an attempt takes %i ms',
    async (page, subjects, ms) => {
      stage = await DeskStage.open();
      stage.answer = () => new Promise((resolve) => setTimeout(() => resolve(DELIVERED), ms));
      desk = await stage.opened(1n, P);
      await desk.create(spec('satu'), BY);
      let n = 0;
      await until(() => {
        for (let left = page; n < 1_500 && left > 0 && stage.feed.room(ID) > 0; left--)
          stage.feed.offer(ID, eventAt(BigInt(n), `s${n++ % subjects}`));
        return stage.sent.length === 1_500;
      });
      expect(stage.failures).toEqual([]);
    },
  );
});
