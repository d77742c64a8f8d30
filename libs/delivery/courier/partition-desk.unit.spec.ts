import { afterEach, describe, expect, it } from '@jest/globals';
import { pause } from '#concurrency';
import { partitionOfSubscription, subscriptionId } from '#subscriptions';
import type { NewRecord } from '#log';
import { until } from '../../../test/kit/projection/stage.js';
import { BY, DELIVERED, DeskStage, eventAt, spec } from './desk.fixture.js';
import type { RedriveJob } from '../desk-port.js';
import type { PartitionDesk } from './partition-desk.js';
import { Temporaries, UNREAD_MS } from './temporaries.js';

const ID = subscriptionId(BY.owner, 'satu');
const P = partitionOfSubscription(ID);
const UNSURE = { kind: 'uncertain', cause: new Error('no answer') } as const;
const POSITION = '_simpul.test/0/0';

describe('a desk', () => {
  const desks: PartitionDesk[] = [];
  let stage!: DeskStage;
  afterEach(async () => {
    stage.topics.before = () => undefined;
    await Promise.all(desks.splice(0).map((desk) => desk.close('lost')));
    await stage.subscriptions.close();
  });
  const open = async (epoch = 1n): Promise<PartitionDesk> => {
    const desk = await stage.opened(epoch, P);
    desks.push(desk);
    return desk;
  };
  /** Holds up the next append to a topic that `of` picks, until the spec lets it go. */
  const hold = (topic: string, of: (record: NewRecord) => boolean = () => true) => {
    let go!: () => void;
    const gate = new Promise<void>((resolve) => (go = resolve));
    const held = new Promise<void>((resolve) => {
      stage.topics.before = async (name, records) => {
        if (name !== topic || !records.some(of)) return undefined;
        stage.topics.before = () => undefined;
        resolve();
        await gate;
        return undefined;
      };
    });
    return { held, go };
  };
  const parkFirst = async (desk: PartitionDesk): Promise<void> => {
    stage.answer = () => ({ kind: 'refused', status: 422, reason: 'status_422', ms: 1 }) as never;
    stage.feed.offer(ID, eventAt(0n, 'a'));
    await until(async () => (await desk.standing(ID)).parked === 1);
    stage.readOne = (offset) => eventAt(offset, 'a');
  };

  it('that was closed while it opened begins no delivery, and leaves the feed to the next one', async () => {
    stage = await DeskStage.open();
    const first = await open();
    await first.create(spec('satu'), BY);
    await parkFirst(first);
    await first.close('lost');
    const second = stage.desk(2n, P);
    await second.load();
    const { held, go } = hold('_simpul.lanes');
    const opening = second.open();
    await held;
    const closing = second.close('lost');
    go();
    await expect(opening).rejects.toMatchObject({ code: 'fenced' });
    await closing;
    expect(second.isOpen).toBe(false);
    expect(stage.feed.followers.size).toBe(0);
    await open(3n);
    expect(stage.feed.followers.size).toBe(1);
  });

  it('that is lost to another owner stores how far it is, so that nothing that had ended is delivered again', async () => {
    stage = await DeskStage.open();
    const first = await open();
    await first.create(spec('satu'), BY);
    stage.feed.offer(ID, eventAt(0n, 'a'));
    stage.feed.offer(ID, eventAt(1n, 'b'));
    await until(async () => stage.sent.length === 2 && (await first.standing(ID)).lag.events === 0);
    await first.close('lost');
    const { next } = stage.topics
      .records('_simpul.cursors', P)
      .map(({ value }) => JSON.parse(value!.toString()) as { next: string[] })
      .at(-1)!;
    expect(next).toEqual(['2']);
    await open(2n);
    expect(stage.sent).toHaveLength(2);
  });

  it('is not open before it runs all of its subscriptions, and makes none over one that it has a row of', async () => {
    stage = await DeskStage.open();
    const first = await open();
    await first.create(spec('satu'), BY);
    await parkFirst(first);
    await first.close('lost');
    const second = stage.desk(2n, P);
    desks.push(second);
    await second.load();
    const { held, go } = hold('_simpul.lanes');
    const opening = second.open();
    await held;
    await expect(second.create(spec('satu'), BY)).rejects.toMatchObject({ code: 'conflict' });
    go();
    await opening;
    expect(await second.standing(ID)).toMatchObject({ parked: 1 });
  });

  const DAMAGE = Buffer.from('{"epoch":');
  it.each([
    ['cursor', '_simpul.cursors', () => `${ID}/_simpul.test`],
    ['parked event', '_simpul.lanes', () => `${ID}/p/${POSITION}`],
  ])(
    'whose %s cannot be read halts the subscription, again after a resume, until a person says where it goes on',
    async (_what, topic, key) => {
      stage = await DeskStage.open();
      const first = await open();
      await first.create(spec('satu'), BY);
      await parkFirst(first);
      await first.close('lost');
      stage.topics.put(topic, P, [{ key: Buffer.from(key()), value: DAMAGE, headers: [] }]);
      stage.sent.length = 0;
      const second = await open(2n);
      const halted = async (): Promise<boolean> => (await second.standing(ID)).subscription.state === 'paused';
      await until(halted);
      expect((await second.standing(ID)).subscription.why).toBe(`control_record_unreadable: ${key()}`);
      await second.resume(ID);
      await until(halted);
      expect([stage.feed.followers.size, stage.sent.length]).toEqual([0, 0]);
      await second.seek(ID, 'earliest', false);
      await second.resume(ID);
      await until(() => stage.feed.followers.size === 1);
      await second.close('lost');
      await open(3n);
      await until(() => stage.feed.followers.size === 1);
    },
  );

  it('reads the cursors of the first version, whose finished offsets are a list', async () => {
    stage = await DeskStage.open();
    const first = await open();
    await first.create(spec('satu'), BY);
    await first.close('lost');
    const old = { epoch: '1', topicId: 'aaaaaaaa', next: ['1'], start: ['0'], done: { 0: ['2', '3'] } };
    const key = Buffer.from(`${ID}/_simpul.test`);
    stage.topics.put('_simpul.cursors', P, [{ key, value: Buffer.from(JSON.stringify(old)), headers: [] }]);
    await open(2n);
    for (const offset of [1n, 2n, 3n, 4n]) stage.feed.offer(ID, eventAt(offset, `s${offset}`));
    await until(() => stage.sent.length === 2);
    expect(stage.sent.map(({ events }) => events[0]!.offset)).toEqual([1n, 4n]);
  });

  it('delivers on when a change has failed halfway', async () => {
    stage = await DeskStage.open();
    const desk = await open();
    await desk.create(spec('satu'), BY);
    stage.topics.before = (topic) => (topic === '_simpul.cursors' ? UNSURE : undefined);
    await expect(desk.seek(ID, 'earliest', false)).rejects.toMatchObject({ code: 'not_durable' });
    stage.topics.before = () => undefined;
    await until(() => stage.feed.followers.size === 1);
    stage.feed.offer(ID, eventAt(0n, 'a'));
    await until(() => stage.sent.length === 1);
  });

  it('is sure of a removal whose outcome nobody knew', async () => {
    stage = await DeskStage.open();
    const desk = await open();
    await desk.create(spec('satu'), BY);
    stage.topics.before = (topic, records) => {
      if (topic !== '_simpul.subscriptions') return undefined;
      stage.topics.before = () => undefined;
      stage.topics.put(topic, P, records);
      return UNSURE;
    };
    await expect(desk.remove(ID)).rejects.toMatchObject({ code: 'not_durable' });
    await until(() => [...desk.runs].length === 0);
    expect(stage.feed.followers.size).toBe(0);
  });

  it('seeks only after every row of the run before is durable, so that no row comes late', async () => {
    stage = await DeskStage.open();
    const desk = await open();
    await desk.create(spec('satu'), BY);
    const { held, go } = hold('_simpul.lanes', ({ value }) => value !== null);
    stage.answer = () => ({ kind: 'refused', status: 422, reason: 'status_422', ms: 1 }) as never;
    stage.feed.offer(ID, eventAt(0n, 'a'));
    await held;
    stage.begin = () => ({ topicId: 'aaaaaaaa', next: [1n] });
    let isSought = false;
    const seeking = desk.seek(ID, 'end', false).then(() => (isSought = true));
    // Longer than attempts may go on: only the write keeps it waiting then.
    await pause(1_800);
    expect(isSought).toBe(false);
    go();
    await seeking;
    expect(await desk.standing(ID)).toMatchObject({ parked: 1 });
  });

  it('a halt takes no change back that was made meanwhile', async () => {
    stage = await DeskStage.open();
    const desk = await open();
    await desk.create(spec('satu'), BY);
    let answer!: (outcome: never) => void;
    stage.answer = () => new Promise((resolve) => (answer = resolve));
    stage.feed.offer(ID, eventAt(0n, 'a'));
    await until(() => stage.sent.length === 1);
    const { held, go } = hold('_simpul.subscriptions');
    const changing = desk.change(ID, 1, { filters: [{ exact: { id: 'lain' } }] });
    await held;
    answer({ kind: 'gone', status: 410, reason: 'status_410', ms: 1 } as never);
    await until(() => stage.alarms.includes('delivery_halted'));
    go();
    await changing;
    await until(() => stage.subscriptions.get(ID)?.state === 'disabled');
    expect(stage.subscriptions.get(ID)).toMatchObject({ version: 2, filters: [{ exact: { id: 'lain' } }] });
  });

  it('delivers what waits when the filter changes, also after a takeover; the new one holds from the place that the answer names', async () => {
    stage = await DeskStage.open();
    stage.answer = () => new Promise(() => undefined);
    const desk = await open();
    await desk.create(spec('satu'), BY);
    for (let n = 0n; n < 20n; n += 2n) stage.feed.offer(ID, eventAt(n, 'a'));
    await until(() => stage.sent.length === 1);
    const { appliesFrom } = await desk.change(ID, 1, { filters: [{ exact: { subject: 'b' } }] });
    expect(appliesFrom).toEqual({ '_simpul.test': ['_simpul.test/0/19'] });
    stage.answer = () => DELIVERED;
    stage.readOne = (offset) => eventAt(offset, offset % 2n === 0n ? 'a' : 'b');
    await desk.close('lost');
    const next = await open(2n);
    // The feed of a new owner may look again at what was decided.
    for (let n = 17n; n < 24n; n += 2n) stage.feed.offer(ID, eventAt(n, 'b'));
    await until(async () => (await next.standing(ID)).lag.events === 0);
    const sent = stage.sent.slice(1).map(({ events }) => Number(events[0]!.offset));
    const due = [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 19, 21, 23];
    expect(sent.toSorted((a, b) => a - b)).toEqual(due);
  });

  it('redrives a dead letter and what it holds although the filter has changed; what may not be read any more fails, and the letter stays', async () => {
    stage = await DeskStage.open();
    stage.policy = { parkedMs: [] };
    const desk = await open();
    await desk.create(spec('satu'), BY);
    stage.answer = () => ({ kind: 'refused', status: 422, reason: 'status', ms: 1 }) as never;
    stage.readOne = (offset) => eventAt(offset, 'a');
    stage.feed.offer(ID, eventAt(0n, 'a'));
    await until(async () => (await desk.standing(ID)).dead === 1);
    for (const n of [1n, 2n]) stage.feed.offer(ID, eventAt(n, 'a'));
    await until(async () => (await desk.standing(ID)).held === 2);
    await desk.change(ID, 1, { filters: [{ exact: { subject: 'b' } }] });
    const redrive = async (): Promise<RedriveJob> => {
      const { job } = await desk.redrive(ID, { all: true, rate: 100, why: 'uji' });
      await until(async () => (await desk.redriveJob(ID, job)).state === 'done');
      return desk.redriveJob(ID, job);
    };
    stage.answer = () => DELIVERED;
    stage.readOne = () => undefined;
    expect(await redrive()).toMatchObject({ done: 0, failed: 1 });
    expect((await desk.deadLetters(ID, { limit: 9 })).items).toMatchObject([{ cause: 'not_readable', held: 2 }]);
    // Of what it holds, the second one may not be read any more.
    stage.readOne = (offset) => (offset === 1n ? undefined : eventAt(offset, 'a'));
    expect(await redrive()).toMatchObject({ done: 1, failed: 0 });
    await until(async () => (await desk.standing(ID)).lag.events === 0);
    expect(stage.sent.slice(-2).map(({ events }) => Number(events[0]!.offset))).toEqual([0, 2]);
    const ended = (await desk.deliveries(ID, { state: 'dead' }, { limit: 9 })).items;
    expect(ended[0]).toMatchObject({ position: '_simpul.test/0/1', subject: '', reason: 'not_readable' });
  });

  it('two redrives of one event both end, also when the desk closes', async () => {
    stage = await DeskStage.open();
    const desk = await open();
    await desk.create(spec('satu'), BY);
    await parkFirst(desk);
    let answer!: () => void;
    stage.answer = () => new Promise((resolve) => (answer = () => resolve(DELIVERED)));
    const order = { all: true, rate: 100, why: 'uji' } as const;
    const jobs = [await desk.redrive(ID, order), await desk.redrive(ID, order)];
    await until(() => stage.sent.length === 2);
    answer();
    for (const { job } of jobs) await until(async () => (await desk.redriveJob(ID, job)).state === 'done');
  });

  it('a redrive of a subscription that is removed ends', async () => {
    stage = await DeskStage.open();
    const desk = await open();
    await desk.create(spec('satu'), BY);
    await parkFirst(desk);
    const [run] = desk.runs;
    await desk.remove(ID);
    expect(await run!.redrive(POSITION)).toBe('stopped');
  });

  it('starts no attempt while what has ended cannot be stored, and goes on by itself once it can', async () => {
    stage = await DeskStage.open();
    const desk = await open();
    await desk.create(spec('satu'), BY);
    stage.topics.before = (topic) => (topic === '_simpul.attempts' ? UNSURE : undefined);
    stage.feed.offer(ID, eventAt(0n, 'a'));
    await until(() => stage.failures.length > 0);
    stage.now = () => Date.now() + 2_500;
    stage.feed.offer(ID, eventAt(1n, 'b'));
    await pause(100);
    expect(stage.sent).toHaveLength(1);
    stage.topics.before = () => undefined;
    await until(() => stage.sent.length === 2);
    await until(async () => (await desk.standing(ID)).lag.events === 0);
  });

  it('starts no attempt while cursors cannot be stored', async () => {
    stage = await DeskStage.open();
    const desk = await open();
    await desk.create(spec('satu'), BY);
    stage.topics.before = (topic) => (topic === '_simpul.cursors' ? UNSURE : undefined);
    stage.feed.offer(ID, eventAt(0n, 'a'));
    await until(() => stage.failures.length > 1);
    stage.now = () => Date.now() + 2_500;
    stage.feed.offer(ID, eventAt(1n, 'b'));
    await pause(100);
    expect(stage.sent).toHaveLength(1);
    stage.topics.before = () => undefined;
    await until(() => stage.sent.length === 2);
  });

  it('closes while the log answers nothing', async () => {
    stage = await DeskStage.open();
    const desk = await open();
    await desk.create(spec('satu'), BY);
    stage.topics.before = (topic) => (topic === '_simpul.attempts' ? UNSURE : undefined);
    stage.feed.offer(ID, eventAt(0n, 'a'));
    await until(() => stage.failures.length > 0);
    await desk.close('lost');
  });

  it('pages of dead letters go on when the last row of a page has gone meanwhile, and miss nothing', async () => {
    stage = await DeskStage.open();
    stage.policy = { parkedMs: [] };
    const desk = await open();
    await desk.create(spec('satu'), BY);
    stage.answer = () => ({ kind: 'refused', status: 422, reason: 'status', ms: 1 }) as never;
    stage.readOne = (offset) => eventAt(offset, `s${offset}`);
    for (let n = 0n; n < 5n; n++) stage.feed.offer(ID, eventAt(n, `s${n}`));
    await until(async () => (await desk.standing(ID)).dead === 5);
    const { items, next } = await desk.deadLetters(ID, { limit: 2 });
    expect(await desk.skip(ID, [items[1]!.id], 'x')).toEqual({ skipped: 1 });
    const rest = await desk.deadLetters(ID, { limit: 9, cursor: next });
    expect([...items, ...rest.items].map(({ subject }) => subject).sort()).toEqual(['s0', 's1', 's2', 's3', 's4']);
    expect(rest.next).toBeUndefined();
    expect(() => desk.parked(ID, { limit: 2, cursor: 'x' })).toThrow(
      expect.objectContaining({ code: 'invalid_cursor' }),
    );
  });

  it('sends other data under a webhook-id of its own, and the attempt says which redrive it was', async () => {
    stage = await DeskStage.open();
    const desk = await open();
    await desk.create(spec('satu'), BY);
    const contract = { encode: () => ({ ok: true, value: Buffer.from('x') }) };
    const event = (offset: bigint) => {
      const { type, envelope, ...rest } = eventAt(offset, 'a');
      const extensions = { extensions: {} };
      return { ...rest, envelope: { ...envelope, ...extensions }, type: { ...type, contract, schemaId: 1 } } as never;
    };
    stage.answer = () => ({ kind: 'refused', status: 422, reason: 'status', ms: 1 });
    stage.feed.offer(ID, event(0n));
    await until(async () => (await desk.standing(ID)).parked === 1);
    stage.readOne = event;
    stage.answer = () => DELIVERED;
    const { job } = await desk.redrive(ID, { ids: [POSITION], edited: { nik: '1' }, rate: 20, why: 'uji' });
    await until(async () => (await desk.redriveJob(ID, job)).state === 'done');
    const [first, second] = stage.sent;
    expect(second!.events[0]!.data).toEqual({ nik: '1' });
    expect(second!.id).not.toBe(first!.id);
    const { items } = await desk.deliveries(ID, {}, { limit: 9 });
    expect(items.map(({ id, outcome, edited }) => [id, outcome, edited])).toEqual([
      [second!.id, 'delivered', job],
      [first!.id, 'parked', undefined],
    ]);
  });

  it('a seek says how much it repeats, and how much that waits it passes over', async () => {
    stage = await DeskStage.open();
    const desk = await open();
    await desk.create(spec('satu'), BY);
    stage.answer = ({ events }, signal) =>
      events[0]!.envelope.subject === 'a'
        ? DELIVERED
        : new Promise((resolve) => signal.addEventListener('abort', () => resolve(DELIVERED)));
    stage.logged = ['a', 'b', 'a', 'b'].map((subject, n) => eventAt(BigInt(n), subject));
    for (const event of stage.logged) stage.feed.offer(ID, event);
    await until(async () => (await desk.standing(ID)).lag.events === 2);
    const seek = async (to: bigint): Promise<number> => {
      stage.begin = () => ({ topicId: 'aaaaaaaa', next: [to] });
      return (await desk.seek(ID, 'earliest', true)).events;
    };
    expect([await seek(0n), await seek(4n)]).toEqual([2, -2]);
  });

  it('removes a temporary subscription once no connection was open to it for five minutes, also after a takeover, and no other', async () => {
    stage = await DeskStage.open();
    const desk = await open();
    const temporary = { temporary: true, target: { kind: 'sse' } } as const;
    await desk.create(spec('satu', temporary), BY);
    const later = async (ms: number, at: PartitionDesk = desk): Promise<boolean> => {
      const now = (): number => Date.now() + ms;
      await new Temporaries({ desks: () => [at], now, failed: (cause) => void stage.failures.push(cause) }).look();
      return stage.subscriptions.get(ID) !== undefined;
    };
    expect(await later(UNREAD_MS - 10_000)).toBe(true);
    const [first, second] = [await desk.live(ID, undefined), await desk.live(ID, undefined)];
    first.left();
    expect(await later(2 * UNREAD_MS)).toBe(true);
    second.left();
    await desk.close('orderly');
    const next = await open(2n);
    expect(await later(UNREAD_MS - 10_000, next)).toBe(true);
    expect([await later(UNREAD_MS + 1, next), stage.feed.followers.size]).toEqual([false, 0]);
    await next.create(spec('satu', { target: { kind: 'sse' } }), BY);
    expect([await later(2 * UNREAD_MS, next), stage.failures]).toEqual([true, []]);
  });

  it('an event that the process cannot send is parked, and stops nothing else', async () => {
    stage = await DeskStage.open();
    stage.policy = { retryMs: [1, 1] };
    const desk = await open();
    await desk.create(spec('satu'), BY);
    stage.answer = ({ events }) => {
      if (events[0]!.envelope.subject === 'a') throw new Error('cannot be encoded');
      return DELIVERED;
    };
    stage.feed.offer(ID, eventAt(0n, 'a'));
    stage.feed.offer(ID, eventAt(1n, 'b'));
    await until(async () => (await desk.standing(ID)).parked === 1);
    expect(stage.sent.map(({ events }) => events[0]!.envelope.subject)).toContain('b');
  });
});
