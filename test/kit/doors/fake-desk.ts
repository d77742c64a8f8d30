import type { Caller } from '#access';
import type {
  DeadLetter,
  DeliveryAttempt,
  DeskPlace,
  Desks,
  ListPage,
  Paging,
  ParkedSubject,
  ReaderReceipt,
  RedriveJob,
  RedriveOrder,
  RotatedSecret,
  SeekPreview,
  SeekTarget,
  Skipped,
  Standing,
  SubscriptionDesk,
  Taken,
  SubscriptionList,
} from '#delivery';
import { Fault } from '#faults';
import {
  COURIER_PARTITIONS,
  partitionOfSubscription,
  subscriptionId,
  type Subscription,
  type SubscriptionSpec,
} from '#subscriptions';

/** What the table and the streams behind it hold of one subscription. */
interface Held {
  parked: ParkedSubject[];
  dead: DeadLetter[];
  attempts: DeliveryAttempt[];
  readonly jobs: Map<string, RedriveJob>;
}

/** The table of subscriptions that all processes of a test share, and who owns which partition. */
export class FakeTable implements SubscriptionList {
  readonly rows = new Map<string, Subscription>();
  readonly held = new Map<string, Held>();
  readonly owners = new Map<number, string>();
  readonly receipts = new Map<string, Map<string, Omit<ReaderReceipt, 'subscription' | 'owner'>>>();
  /** What the desks were asked to do, in order. */
  readonly orders: RedriveOrder[] = [];

  get(id: string): Subscription | undefined {
    return this.rows.get(id);
  }

  all(): IterableIterator<Subscription> {
    return this.rows.values();
  }

  ownAll(address: string): this {
    for (let p = 0; p < COURIER_PARTITIONS; p++) this.owners.set(p, address);
    return this;
  }

  /** As the process at this address sees it. */
  desksAt(address: () => string): Desks {
    const desks = new Map<number, FakeDesk>();
    return {
      of: (partition): DeskPlace => {
        const owner = this.owners.get(partition);
        if (owner === undefined) return { kind: 'nobody' };
        if (owner !== address()) return { kind: 'there', address: owner };
        let desk = desks.get(partition);
        if (desk === undefined) desks.set(partition, (desk = new FakeDesk(this, partition, address)));
        return { kind: 'here', desk };
      },
    };
  }
}

/** A desk in memory. It keeps what the port promises: versions, names, faults; and it is fenced when it is not the owner any more. */
export class FakeDesk implements SubscriptionDesk {
  readonly #table: FakeTable;
  readonly #partition: number;
  readonly #address: () => string;

  constructor(table: FakeTable, partition: number, address: () => string) {
    this.#table = table;
    this.#partition = partition;
    this.#address = address;
  }

  async create(spec: SubscriptionSpec, by: Caller): Promise<{ subscription: Subscription; secret?: string }> {
    await this.#write();
    const id = subscriptionId(by.owner, spec.name);
    if (this.#table.rows.has(id)) throw new Fault('conflict', { detail: spec.name });
    const at = '2021-07-15T00:00:00.000Z';
    const own = {
      owner: by.owner,
      system: by.system,
      state: 'active',
      version: 1,
      createdAt: at,
      changedAt: at,
    } as const;
    const isWebhook = spec.target.kind === 'webhook';
    const subscription = { ...spec, id, ...own, secrets: isWebhook ? [{ sealed: 'SEALED' }] : [] };
    this.#table.rows.set(id, subscription);
    this.#table.held.set(id, { parked: [], dead: [], attempts: [], jobs: new Map() });
    return { subscription, ...(isWebhook ? { secret: 'whsec_BARU' } : {}) };
  }

  async rotateSecret(id: string): Promise<RotatedSecret> {
    await this.#write();
    const secrets = [{ sealed: 'LATER' }, { sealed: 'SEALED', validUntil: '2021-07-16T00:00:00.000Z' }];
    const subscription = this.#put(id, { secrets });
    return { subscription, secret: 'whsec_LAIN', previousValidUntil: '2021-07-16T00:00:00.000Z' };
  }

  pull(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  commit(): Promise<'done'> {
    return Promise.resolve('done');
  }

  release(): Promise<'done'> {
    return Promise.resolve('done');
  }

  live(): Promise<never> {
    return Promise.reject(new Fault('conflict', { detail: 'target webhook' }));
  }

  standing(id: string): Promise<Standing> {
    const subscription = this.#row(id);
    const { parked, dead } = this.#held(id);
    const held = [...parked, ...dead].reduce((sum, each) => sum + each.held, 0);
    const lag = { events: 3, seconds: 12 };
    const counts = { inFlight: 1, parked: parked.length, dead: dead.length, held };
    return Promise.resolve({ subscription, status: subscription.state, lag, ...counts });
  }

  async change(
    id: string,
    version: number,
    spec: Partial<SubscriptionSpec>,
  ): Promise<{ subscription: Subscription; appliesFrom: Record<string, readonly string[]> }> {
    await this.#write();
    if (this.#row(id).version !== version) throw new Fault('conflict', { detail: 'version' });
    const subscription = this.#put(id, { ...spec, version: version + 1 });
    return { subscription, appliesFrom: { 'imigrasi.paspor': ['imigrasi.paspor/0/17'] } };
  }

  async remove(id: string): Promise<void> {
    await this.#write();
    this.#row(id);
    this.#table.rows.delete(id);
  }

  async pause(id: string, why: string): Promise<Subscription> {
    await this.#write();
    return this.#put(id, { state: 'paused', why });
  }

  async resume(id: string): Promise<Subscription> {
    await this.#write();
    return this.#put(id, { state: 'active' });
  }

  async seek(id: string, to: SeekTarget, dryRun: boolean): Promise<SeekPreview> {
    if (!dryRun) await this.#write();
    this.#row(id);
    return {
      streams: { 'imigrasi.paspor': [`imigrasi.paspor/0/${to === 'earliest' ? 0 : 17}`] },
      events: 17,
      again: 17,
      passedOver: 0,
      ...{ parked: 1, dead: 1, held: 3 },
    };
  }

  deliveries(
    id: string,
    { subject, state }: { subject?: string | undefined; state?: string | undefined },
    page: Paging,
  ): Promise<ListPage<DeliveryAttempt>> {
    const { attempts } = this.#held(id);
    const asked = attempts.filter((a) => (subject ?? a.subject) === a.subject && (state ?? a.outcome) === a.outcome);
    return Promise.resolve(pageOf(asked, page));
  }

  parked(id: string, page: Paging): Promise<ListPage<ParkedSubject>> {
    return Promise.resolve(pageOf(this.#held(id).parked, page));
  }

  deadLetters(id: string, page: Paging): Promise<ListPage<DeadLetter>> {
    return Promise.resolve(pageOf(this.#held(id).dead, page));
  }

  redriveCount(id: string, order: RedriveOrder): Promise<Taken> {
    const { dead } = this.#held(id);
    return Promise.resolve({ count: dead.filter((each) => order.ids?.includes(each.id) ?? true).length });
  }

  async redrive(id: string, order: RedriveOrder): Promise<{ job: string; count: number }> {
    await this.#write();
    const { count } = await this.redriveCount(id, order);
    this.#table.orders.push(order);
    this.#held(id).jobs.set('job-1', {
      ...{ job: 'job-1', state: 'running', done: 0, failed: 0, left: count },
      ...{ startedAt: '2021-07-15T00:00:00.000Z', why: order.why },
    });
    return { job: 'job-1', count };
  }

  redriveJobs(id: string): Promise<readonly RedriveJob[]> {
    return Promise.resolve([...this.#held(id).jobs.values()]);
  }

  redriveJob(id: string, job: string): Promise<RedriveJob> {
    const found = this.#held(id).jobs.get(job);
    return found === undefined ? Promise.reject(new Fault('not_found')) : Promise.resolve(found);
  }

  async skip(id: string, ids: readonly string[], _why: string): Promise<Skipped> {
    await this.#write();
    const held = this.#held(id);
    const before = held.dead.length;
    held.dead = held.dead.filter((each) => !ids.includes(each.id));
    return { skipped: before - held.dead.length };
  }

  receipts(position: string): Promise<readonly ReaderReceipt[]> {
    const found =
      this.#table.receipts.get(position) ?? new Map<string, Omit<ReaderReceipt, 'subscription' | 'owner'>>();
    const own = [...this.#table.all()].filter(({ id }) => partitionOfSubscription(id) === this.#partition);
    return Promise.resolve(
      own.map(({ id, owner }) => ({ subscription: id, owner, ...(found.get(id) ?? { state: 'filtered' as const }) })),
    );
  }

  #row(id: string): Subscription {
    const row = this.#table.get(id);
    if (row === undefined) throw new Fault('not_found');
    return row;
  }

  #held(id: string): Held {
    this.#row(id);
    return this.#table.held.get(id)!;
  }

  #put(id: string, change: Partial<Subscription>): Subscription {
    const row = { ...this.#row(id), ...change };
    this.#table.rows.set(id, row);
    return row;
  }

  /** A write takes an append, and a desk whose partition another process has claimed is refused it. */
  async #write(): Promise<void> {
    await Promise.resolve();
    if (this.#table.owners.get(this.#partition) !== this.#address()) throw new Fault('fenced');
  }
}

function pageOf<T>(rows: readonly T[], { limit, cursor }: Paging): ListPage<T> {
  const start = cursor === undefined ? 0 : Number(cursor);
  if (!Number.isSafeInteger(start)) throw new Fault('invalid_cursor');
  const more = start + limit < rows.length;
  return { items: rows.slice(start, start + limit), ...(more ? { next: String(start + limit) } : {}) };
}
