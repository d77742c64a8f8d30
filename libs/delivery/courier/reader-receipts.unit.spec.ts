import { afterEach, describe, expect, it } from '@jest/globals';
import { partitionOfSubscription, subscriptionId } from '#subscriptions';
import type { AttemptOutcome } from '#webhooks';
import { until } from '../../../test/kit/projection/stage.js';
import type { ReaderReceipt } from '../desk-port.js';
import type { Policy } from '../lanes/types.js';
import { BY, DeskStage, eventAt, spec } from './desk.fixture.js';
import type { PartitionDesk } from './partition-desk.js';

const ID = subscriptionId(BY.owner, 'satu');
const P = partitionOfSubscription(ID);
const E500 = { kind: 'failed', status: 500, reason: 'status', ms: 1 } as AttemptOutcome;
const AWAY = { kind: 'unreachable', reason: 'connect', ms: 1 } as AttemptOutcome;
const REFUSED = { kind: 'refused', status: 422, reason: 'status', ms: 1 } as AttemptOutcome;

describe('the receipt of a reader', () => {
  let desk!: PartitionDesk;
  let stage!: DeskStage;
  afterEach(async () => {
    await desk.close('lost');
    await stage.subscriptions.close();
  });
  const begin = async (policy: Partial<Policy> = {}): Promise<void> => {
    stage = await DeskStage.open();
    stage.policy = policy;
    stage.readOne = (offset) => eventAt(offset, 'a');
    desk = await stage.opened(1n, P);
    await desk.create(spec('satu'), BY);
  };
  /** Puts an event into the log; it is not looked at before `offer`. */
  const put = (offset: bigint): void =>
    void stage.topics.put('_simpul.test', 0, [
      { key: Buffer.from('a'), value: Buffer.from(String(offset)), headers: [] },
    ]);
  const offer = (offset: bigint, subject = 'a'): void => {
    put(offset);
    stage.feed.offer(ID, eventAt(offset, subject));
  };
  const receipt = async (offset: bigint): Promise<ReaderReceipt> =>
    (await desk.receipts(`_simpul.test/0/${offset}`))[0]!;
  const hasRow = (letter: string, position: string) => (): boolean =>
    stage.topics.records('_simpul.lanes', P).some(({ key }) => key?.toString() === `${ID}/${letter}/${position}`);

  it('says pending between try 2 and the parking, although the cursor is past the event', async () => {
    await begin({ retryMs: [1, 60_000] });
    stage.answer = () => E500;
    offer(0n);
    await until(hasRow('r', '_simpul.test/0/0'));
    await until(() => stage.sent.length === 2);
    await until(async () => (await receipt(0n)).tries === 2);
    expect(await receipt(0n)).toMatchObject({ state: 'pending', tries: 2, status: 500 });
  });

  it('says pending while the target is down, however often and long it is tried, also after a takeover', async () => {
    await begin({ retryMs: [1, 1], probeMs: 1, probeMaxMs: 1 });
    stage.answer = () => (stage.sent.length < 2 ? E500 : AWAY);
    offer(0n);
    await until(() => stage.sent.length > 6);
    expect(await receipt(0n)).toMatchObject({ state: 'pending' });
    await desk.close('orderly');
    stage.now = () => Date.now() + 5 * 3_600_000;
    desk = await stage.opened(2n, P);
    const before = stage.sent.length;
    await until(() => stage.sent.length > before + 2);
    expect(await receipt(0n)).toMatchObject({ state: 'pending' });
  });

  it('says filtered of what an earlier filter left out, although it matches the filter of now', async () => {
    await begin();
    const other = { filters: [{ exact: { subject: 'lain' } }] };
    await desk.change(ID, 1, other);
    put(0n);
    offer(1n);
    await until(async () => (await receipt(1n)).state === 'delivered');
    await desk.change(ID, 2, { filters: [{ exact: { subject: 'a' } }] });
    expect(await receipt(0n)).toEqual({ subscription: ID, owner: BY.owner, state: 'filtered' });
  });

  it('says nothing of attempts of a subscription that had the same name before, nor does the time line', async () => {
    await begin();
    offer(0n);
    await until(async () => (await receipt(0n)).state === 'delivered');
    stage.answer = () => REFUSED;
    offer(1n, 'b');
    await until(async () => (await receipt(1n)).state === 'parked');
    await desk.remove(ID);
    stage.now = () => Date.now() + 1_000;
    stage.begin = () => ({ topicId: 'aaaaaaaa', next: [1n] });
    stage.answer = () => new Promise(() => undefined);
    await desk.create(spec('satu'), BY);
    stage.feed.offer(ID, eventAt(1n, 'b'));
    await until(() => stage.sent.length === 3);
    expect([await receipt(0n), await receipt(1n)].map(({ state }) => state)).toEqual(['filtered', 'pending']);
    expect((await desk.deliveries(ID, {}, { limit: 10 })).items).toEqual([]);
  });

  it('that finds no record where it would be says that it assumes', async () => {
    await begin();
    offer(0n);
    await until(async () => (await receipt(0n)).state === 'delivered');
    // Records that are older than the time for which they are kept are gone.
    const { records } = stage.topics;
    stage.topics.records = (topic, partition) =>
      topic === '_simpul.attempts' ? [] : records.call(stage.topics, topic, partition);
    stage.topics.describe = () => Promise.resolve(Array(16).fill({ partition: P, low: 5n, high: 5n }));
    stage.topics.offsetAt = () => Promise.resolve(5n);
    expect(await receipt(0n)).toEqual({ subscription: ID, owner: BY.owner, state: 'delivered', assumed: true });
  });
});
