import type { Caller } from '#access';
import type { AppendOutcome, EventLog, LogRecord, NewRecord, TopicSpec } from '#log';
import type { ReadEvent } from '#reading';
import type { CompiledSubscription, SubscriptionSpec } from '#subscriptions';
import type { AttemptOutcome, Handshake } from '#webhooks';
import type { Attachment, FeedPlace, Follower } from '../feed/follower.js';
import type { Policy } from '../lanes/types.js';
import { PullMemory } from '../pull/memory.js';
import { Hosts } from './hosts.js';
import { PartitionDesk, type DeskDeps } from './partition-desk.js';
import type { Sending } from './push.js';
import { SubscriptionTables } from './subscription-tables.js';

type Before = (
  topic: string,
  records: readonly NewRecord[],
) => AppendOutcome | Promise<AppendOutcome | undefined> | undefined;

/** The topics of a courier in memory. A spec holds appends up, or answers them in the place of the log. */
export class TopicsInMemory {
  readonly #topics = new Map<string, LogRecord[][]>();
  readonly #arrived = new Set<() => void>();
  before: Before = () => undefined;

  ensureTopic({ name, partitions }: TopicSpec): Promise<void> {
    if (!this.#topics.has(name))
      this.#topics.set(
        name,
        Array.from({ length: partitions }, () => []),
      );
    return Promise.resolve();
  }

  async append(topic: string, partition: number, records: readonly NewRecord[]): Promise<AppendOutcome> {
    const answer = await this.before(topic, records);
    return answer ?? this.put(topic, partition, records);
  }

  put(topic: string, partition: number, records: readonly NewRecord[]): AppendOutcome {
    const all = this.records(topic, partition);
    const base = BigInt(all.length);
    for (const record of records)
      all.push({ ...record, offset: BigInt(all.length), appendTimeMs: Date.now(), leaderEpoch: 0 });
    for (const wake of [...this.#arrived]) wake();
    return { kind: 'accepted', base, appendTimeMs: Date.now() } as AppendOutcome;
  }

  records(topic: string, partition: number): LogRecord[] {
    const found = this.#topics.get(topic)?.[partition];
    if (found === undefined) throw new Error(`no topic ${topic}`);
    return found;
  }

  describe(topic: string): ReturnType<EventLog['describe']> {
    const all = this.#topics.get(topic) ?? [];
    return Promise.resolve(all.map((of, partition) => ({ partition, low: 0n, high: BigInt(of.length) })));
  }

  async read(...[topic, partition, from, limits = {}]: Parameters<EventLog['read']>): ReturnType<EventLog['read']> {
    const all = this.records(topic, partition);
    const { waitMs = 0, signal, maxRecords = 500 } = limits;
    if (from >= BigInt(all.length) && waitMs > 0 && signal?.aborted !== true) await this.#arrival(waitMs, signal);
    const records = all.slice(Number(from), Number(from) + maxRecords);
    const next = from + BigInt(records.length);
    return { kind: 'records', topicId: 'a'.repeat(32), records, next, low: 0n, high: BigInt(all.length) };
  }

  offsetAt(): Promise<bigint> {
    return Promise.resolve(0n);
  }

  #arrival(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#arrived.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms).unref();
      this.#arrived.add(done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }
}

/** A feed that offers what a spec tells it to. */
export class FeedByHand {
  readonly followers = new Map<string, Follower<CompiledSubscription>>();
  readonly #scanned = new Map<string, bigint>();
  /** Those that had no room when they were looked at: they are offered nothing more until they say so. */
  readonly #standing = new Set<string>();
  mode: Attachment['mode'] = 'live';
  /** Of every attachment. */
  lag: Attachment['lag'] = { events: 0n, oldestAppendMs: undefined };

  attach(stream: { name: string }, follower: Follower<CompiledSubscription>, from: FeedPlace): Attachment {
    const key = `${follower.subscription.id}/${stream.name}`;
    if (this.followers.has(key)) throw new Error(`${key} is attached already`);
    this.followers.set(key, follower);
    this.#standing.delete(key);
    this.#scanned.set(key, from.next[0]!);
    const scanned = (): readonly bigint[] => [this.#scanned.get(key)!];
    const lag = (): Attachment['lag'] => this.lag;
    const detach = (): FeedPlace => {
      if (this.followers.get(key) === follower) this.followers.delete(key);
      return { topicId: from.topicId, next: scanned() };
    };
    return {
      get scanned() {
        return scanned();
      },
      mode: this.mode,
      get lag() {
        return lag();
      },
      resume: () => void this.#standing.delete(key),
      detach,
    };
  }

  offer(id: string, event: ReadEvent): void {
    const key = `${id}/_simpul.test`;
    const follower = this.followers.get(key);
    if (follower === undefined) throw new Error(`${key} is not attached`);
    this.#scanned.set(key, event.offset + 1n);
    follower.offer(event);
  }

  /** How far a subscription has been offered events, or has begun. */
  offered(id: string): bigint {
    return this.#scanned.get(`${id}/_simpul.test`) ?? -1n;
  }

  /** How many events a subscription takes now; 0 also when it is not attached. */
  room(id: string): number {
    const key = `${id}/_simpul.test`;
    if (this.#standing.has(key)) return 0;
    const room = this.followers.get(key)?.room ?? 0;
    if (room <= 0) this.#standing.add(key);
    return room;
  }
}

export const BY = { owner: 'SU00001', system: 'uji' } as unknown as Caller;
export const spec = (name: string, changes: Partial<SubscriptionSpec> = {}): SubscriptionSpec => ({
  name,
  types: ['#'],
  filters: [],
  start: 'earliest',
  test: true,
  target: { kind: 'webhook', url: 'https://penerima.example/', mode: 'structured', data: 'json' },
  ...changes,
});

export const eventAt = (offset: bigint, subject: string): ReadEvent =>
  ({
    partition: 0,
    offset,
    position: `_simpul.test/0/${offset}`,
    envelope: { subject },
    type: { type: 'uji.coba' },
    bytes: 100,
    level: 'full',
    data: {},
  }) as unknown as ReadEvent;

/** A desk on topics in memory, with a receiver and a feed in the hands of the spec. */
export class DeskStage {
  readonly topics = new TopicsInMemory();
  readonly feed = new FeedByHand();
  readonly sent: Sending[] = [];
  readonly failures: unknown[] = [];
  readonly alarms: string[] = [];
  readonly fenced: bigint[] = [];
  subscriptions!: SubscriptionTables;
  answer: (sending: Sending, signal: AbortSignal) => AttemptOutcome | Promise<AttemptOutcome> = () => DELIVERED;
  handshake: () => Handshake | Promise<Handshake> = () => ({ kind: 'allowed' });
  /** What the stream holds, for those who read it by pages. */
  logged: readonly ReadEvent[] = [];
  readOne: (offset: bigint) => ReadEvent | undefined = () => undefined;
  begin: () => { topicId: string; next: readonly bigint[] } = () => ({ topicId: 'aaaaaaaa', next: [0n] });
  policy: Partial<Policy> = {};
  now: () => number = Date.now;
  pullMemory = new PullMemory();
  /** Of the next desk: with another one it waits for the one before, which was not killed. */
  holder = 'satu';

  static async open(): Promise<DeskStage> {
    const stage = new DeskStage();
    await stage.topics.ensureTopic({ name: '_simpul.attempts', partitions: 16, cleanup: 'keep' } as TopicSpec);
    await stage.topics.ensureTopic({ name: '_simpul.audit', partitions: 1, cleanup: 'keep' } as TopicSpec);
    await stage.topics.ensureTopic({ name: '_simpul.test', partitions: 1, cleanup: 'keep' } as TopicSpec);
    stage.subscriptions = await SubscriptionTables.open(stage.topics as never);
    return stage;
  }

  /** A desk that is neither loaded nor open. */
  desk(epoch: bigint, partition: number): PartitionDesk {
    return new PartitionDesk(this.deps(epoch), partition, epoch);
  }

  deps(epoch: bigint): DeskDeps {
    return {
      log: this.topics,
      reading: {
        begin: async () => this.begin(),
        readEvents: async (_owner: unknown, { next, end }: { next: readonly bigint[]; end: readonly bigint[] }) => ({
          events: this.logged.filter(({ offset }) => offset >= next[0]! && offset < end[0]!),
          next: end,
          stopped: 'end',
        }),
        readOne: async (_owner: unknown, _stream: unknown, _p: number, offset: bigint) => this.readOne(offset),
      },
      catalogue: { streams: () => [], stream: () => undefined, newest: () => undefined },
      units: {},
      subscriptions: this.subscriptions,
      feed: this.feed,
      push: {
        send: async (sending: Sending, signal: AbortSignal) => {
          this.sent.push(sending);
          return this.answer(sending, signal);
        },
        ask: async () => this.handshake(),
        hostOf: ({ target }: { target: { url?: string } }) => new URL(target.url ?? 'x:y').host,
      },
      hosts: new Hosts(),
      pullMemory: this.pullMemory,
      policy: this.policy,
      holder: this.holder,
      leaseKey: Buffer.alloc(32, 1),
      sealKey: Buffer.alloc(32, 2),
      now: () => this.now(),
      random: () => 0.5,
      report: {
        failed: (cause: unknown) => void this.failures.push(cause),
        alarm: (code: string) => void this.alarms.push(code),
      },
      isSure: () => true,
      fenced: () => void this.fenced.push(epoch),
    } as unknown as DeskDeps;
  }

  async opened(epoch: bigint, partition: number): Promise<PartitionDesk> {
    const desk = this.desk(epoch, partition);
    await desk.load();
    await desk.open();
    return desk;
  }
}

export const DELIVERED = { kind: 'delivered', status: 204, ms: 1 } as AttemptOutcome;
