import { formatPosition, parsePosition } from '#event';
import { Fault, isFault } from '#faults';
import type { Caller } from '#access';
import {
  compileSubscription,
  makeSecret,
  rotated,
  streamsOf,
  subscriptionId,
  type Subscription,
  type SubscriptionSpec,
} from '#subscriptions';
import type {
  DeadLetter,
  DeliveryAttempt,
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
} from '../desk-port.js';
import type { CursorRow, Place } from '../port.js';
import { liveCursor, readLiveCursor, rewound, type LiveReader } from '../pull/live.js';
import type { CommitOutcome, Leases, Pulled, PullWish } from '../pull/leases.js';
import { cursorsOf } from './cursors-of.js';
import { editedEvent } from './edited.js';
import { deadLettersOf, deliveriesOf, parkedOf } from './lists.js';
import { receiptsAt } from './reader-receipts.js';
import { messageId } from './message-id.js';
import { takenBy, unknownOf } from './redrives.js';
import type { Run } from './run.js';
import type { RunSetDeps } from './run-deps.js';
import { DRAIN_MS, RunSet } from './run-set.js';
import { seekCount } from './seek-count.js';
import { standingOf } from './standing.js';
import { startsOf, type Starts } from './starts.js';
import { texts } from './texts.js';

export interface DeskDeps extends RunSetDeps {
  /** See webhookSealKey(). */
  readonly sealKey: Buffer;
}

/** What decides whether an event is due. */
const FILTERS = ['types', 'filters', 'units', 'test'] as const;

/** What doors ask of the subscriptions of one partition, at its owner. Changes are made one after the other. */
export class PartitionDesk implements SubscriptionDesk {
  readonly #deps: DeskDeps;
  readonly #set: RunSet;

  constructor(deps: DeskDeps, partition: number, epoch: bigint) {
    this.#deps = deps;
    this.#set = new RunSet(deps, partition, epoch);
  }

  /** Whether it delivers; false as soon as the partition is lost. */
  get isOpen(): boolean {
    return this.#set.isOpen;
  }

  get epoch(): bigint {
    return this.#set.epoch;
  }

  get runs(): Iterable<Run> {
    return this.#set.runs.values();
  }

  newestEpoch(): bigint {
    return this.#set.newestEpoch();
  }

  load(): Promise<void> {
    return this.#set.load();
  }

  open(): Promise<void> {
    return this.#set.open();
  }

  /** `orderly`: the process ends. `lost`: another courier may deliver already. */
  close(how: 'orderly' | 'lost'): Promise<void> {
    return this.#set.close(how);
  }

  /** A type or stream was registered. */
  catalogueChanged(): void {
    this.#set.catalogueChanged();
  }

  create(
    spec: SubscriptionSpec,
    by: Caller,
    starts?: Starts,
  ): Promise<{ readonly subscription: Subscription; readonly secret?: string }> {
    return this.#set.changes.run(async () => {
      const id = subscriptionId(by.owner, spec.name);
      if (this.#set.runs.has(id) || this.#deps.subscriptions.get(id) !== undefined)
        throw new Fault('conflict', {
          detail: spec.name,
          problems: [{ pointer: '/name', reason: texts.name_taken(), expected: texts.name_free({ name: spec.name }) }],
        });
      const at = this.#time();
      const made = spec.target.kind === 'webhook' ? makeSecret(id, this.#deps.sealKey) : undefined;
      const subscription: Subscription = {
        ...spec,
        id,
        owner: by.owner,
        system: by.system,
        state: 'active',
        version: 1,
        secrets: made === undefined ? [] : [made.sealed],
        createdAt: at,
        changedAt: at,
      };
      // Rows that an earlier creation has left when its process was killed are not taken for those of this one.
      await this.#set.forget(id);
      await this.#set.writeCursors(
        id,
        await this.#starts(subscription, spec.start, starts === undefined ? '/start' : '/starts', starts),
      );
      try {
        await this.#set.writeSubscription(id, subscription);
      } catch (cause) {
        void this.#set.settle(id);
        throw cause;
      }
      await this.#set.begin(subscription);
      return made === undefined ? { subscription } : { subscription, secret: made.text };
    });
  }

  rotateSecret(id: string): Promise<RotatedSecret> {
    return this.#change(id, async ({ subscription }) => {
      const { target, secrets } = subscription;
      if (target.kind !== 'webhook') throw new Fault('conflict', { detail: target.kind });
      const { sealKey, now } = this.#deps;
      const { sealed, text } = makeSecret(id, sealKey);
      const valid = rotated(secrets, sealed, now());
      const stored = await this.#store({ ...subscription, secrets: valid, changedAt: this.#time() });
      return { subscription: stored, secret: text, previousValidUntil: valid[1]?.validUntil ?? this.#time() };
    });
  }

  async standing(id: string): Promise<Standing> {
    return this.standingOf(this.#run(id));
  }

  /** Never rejects. */
  standingOf(run: Run): Promise<Standing> {
    return standingOf(run, this.#deps.log, this.#deps.now());
  }

  change(
    id: string,
    version: number,
    changes: Partial<SubscriptionSpec>,
  ): Promise<{
    readonly subscription: Subscription;
    readonly appliesFrom: Readonly<Record<string, readonly string[]>>;
  }> {
    return this.#change(id, async (run) => {
      const { subscription } = run;
      if (subscription.version !== version) throw new Fault('conflict', { detail: `version ${subscription.version}` });
      const next: Subscription = { ...subscription, ...changes, version: version + 1, changedAt: this.#time() };
      const isOther = FILTERS.some((name) => changes[name] !== undefined);
      const from = new Map([...run.streams].map(([name, { scanned }]) => [name, scanned]));
      try {
        if (isOther) for (const [name, place] of await this.#decided(run)) from.set(name, place);
        // What the filter of before has passed stays passed, also when this process ends now.
        await this.#set.flush();
        const added = new Map<string, CursorRow>();
        for (const [stream, row] of await this.#starts(next, changes.start ?? 'now', '/start'))
          if (!run.streams.has(stream)) added.set(stream, row);
        await this.#set.writeCursors(id, added);
        for (const [stream, { next: place }] of added) from.set(stream, place);
      } catch (cause) {
        run.lookOn();
        throw cause;
      }
      await this.#store(next);
      if (changes.target === undefined || changes.target.kind === subscription.target.kind)
        await this.#set.followStreams(run);
      else run = await this.#beginAt(run, new Map());
      const appliesFrom: Record<string, readonly string[]> = {};
      for (const [stream, place] of from) appliesFrom[stream] = positionsOf(stream, place);
      return { subscription: next, appliesFrom };
    });
  }

  async #decided(run: Run): Promise<ReadonlyMap<string, readonly bigint[]>> {
    const from = await run.holdAll();
    if (from === undefined) throw new Fault('fenced');
    return from;
  }

  remove(id: string): Promise<void> {
    return this.#change(id, (run) => this.#remove(run));
  }

  /** Removes a subscription to which no connection is open, and none was since this time, ms. */
  removeUnread(id: string, before: number): Promise<void> {
    return this.#change(id, async (run) => {
      if (run.seat.isUnreadSince(before)) await this.#remove(run);
    });
  }

  pause(id: string, why: string): Promise<Subscription> {
    return this.#change(id, ({ subscription }) =>
      this.#store({ ...subscription, state: 'paused', why, changedAt: this.#time() }),
    );
  }

  resume(id: string): Promise<Subscription> {
    return this.#change(id, async (run) => {
      const { why: _why, ...subscription } = run.subscription;
      const stored = await this.#store({ ...subscription, state: 'active', changedAt: this.#time() });
      // What halted it may stand still.
      await this.#set.followStreams(run);
      return stored;
    });
  }

  async seek(id: string, to: SeekTarget, dryRun: boolean): Promise<SeekPreview> {
    const run = this.#run(id);
    const rows = await this.#starts(run.subscription, to, '/to');
    // Outside of the changes: it may take seconds.
    const count = await seekCount(this.#set, run, rows, dryRun ? 10_000 : 3_000);
    if (!dryRun)
      await this.#change(id, async (current) => {
        await this.#set.dropDamaged(id);
        return this.#beginAt(current, rows);
      });
    const streams = [...rows].map(([stream, { next }]) => [stream, positionsOf(stream, next)] as const);
    return { streams: Object.fromEntries(streams), ...count };
  }

  async pull(id: string, wish: PullWish, signal: AbortSignal): Promise<Pulled | undefined> {
    return this.#leases(this.#run(id), 'pull').pull(wish, signal);
  }

  async commit(
    id: string,
    token: string,
    through: readonly Place[],
    except?: readonly Place[],
  ): Promise<CommitOutcome> {
    return this.#leases(this.#run(id), 'pull').commit(token, through, except);
  }

  async release(id: string, token: string, failed?: string, final?: boolean): Promise<CommitOutcome> {
    return this.#leases(this.#run(id), 'pull').release(token, failed, final);
  }

  live(id: string, seen: string | undefined): Promise<LiveReader> {
    return this.#change(id, async (run) => {
      this.#leases(run, 'sse');
      const places = seen === undefined ? undefined : readLiveCursor(seen);
      if (places === undefined && seen !== undefined) throw new Fault('invalid_cursor');
      const rows = new Map<string, CursorRow>();
      for (const [stream, row] of cursorsOf(run)) {
        const back = rewound(row, places?.get(stream));
        if (back !== undefined) rows.set(stream, back);
      }
      const next = rows.size === 0 ? run : await this.#beginAt(run, rows);
      return next.seat.take(this.#leases(next, 'sse'), () => liveCursor(cursorsOf(next)));
    });
  }

  deliveries(
    id: string,
    filter: { readonly subject?: string | undefined; readonly state?: string | undefined },
    page: Paging,
  ): Promise<ListPage<DeliveryAttempt>> {
    return deliveriesOf(this.#set.attempts, this.#run(id).subscription, filter, page);
  }

  parked(id: string, page: Paging): Promise<ListPage<ParkedSubject>> {
    return Promise.resolve(parkedOf(this.#run(id), page));
  }

  deadLetters(id: string, page: Paging): Promise<ListPage<DeadLetter>> {
    return Promise.resolve(deadLettersOf(this.#run(id), page));
  }

  async redriveCount(id: string, order: RedriveOrder): Promise<Taken> {
    const run = this.#run(id);
    if (order.edited !== undefined) await this.#checkEdited(run, order, order.edited);
    const unknown = unknownOf(run, order.ids);
    return { count: takenBy(run, order).length, ...unknown };
  }

  redrive(id: string, order: RedriveOrder): Promise<Taken & { readonly job: string }> {
    return this.#change(id, async (run) => {
      if (order.edited !== undefined) await this.#checkEdited(run, order, order.edited);
      const unknown = unknownOf(run, order.ids);
      const begun = await this.#set.redrives.begin(run, order);
      if (begun === undefined) throw new Fault('fenced');
      return { ...begun, ...unknown };
    });
  }

  redriveJobs(id: string): Promise<readonly RedriveJob[]> {
    return Promise.resolve(this.#set.redrives.all(this.#run(id)));
  }

  redriveJob(id: string, job: string): Promise<RedriveJob> {
    const found = this.#set.redrives.of(this.#run(id), job);
    if (found === undefined) throw new Fault('not_found');
    return Promise.resolve(found);
  }

  skip(id: string, ids: readonly string[], why: string): Promise<Skipped> {
    return this.#change(id, async (run) => {
      const unknown = unknownOf(run, ids);
      let skipped = 0;
      for (const { position, subject, tries } of takenBy(run, { ids, rate: 1, why })) {
        if (!(await run.skip(position))) continue;
        skipped++;
        const about = { id: messageId(run.subscription, [position]), subscription: id, position, subject, try: tries };
        const at = this.#time();
        this.#set.attempts.add({ ...about, at, ms: 0, outcome: 'dead', reason: 'skipped', head: why });
      }
      await this.#set.attempts.flush();
      return { skipped, ...unknown };
    });
  }

  receipts(position: string): Promise<readonly ReaderReceipt[]> {
    return receiptsAt(this.#set, position);
  }

  async #checkEdited(run: Run, order: RedriveOrder, data: Readonly<Record<string, unknown>>): Promise<void> {
    const taken = takenBy(run, order);
    if (taken.length !== 1) throw new Fault('conflict', { detail: `edited: ${taken.length}` });
    const original = await this.#set.seenBy(run.compiled, parsePosition(taken[0]!.position)!);
    if (original === undefined) throw new Fault('not_found');
    editedEvent(original, { job: '', data }, this.#deps.now());
  }

  /** `member`: of the request, which says where to begin. */
  async #starts(
    subscription: Subscription,
    start: string,
    member: string,
    starts?: Starts,
  ): Promise<ReadonlyMap<string, CursorRow>> {
    const { catalogue, units } = this.#deps;
    const streams = streamsOf(subscription, catalogue, units).flatMap((name) => this.#set.streamOf(name) ?? []);
    try {
      return await startsOf(this.#deps, streams, start, starts);
    } catch (cause) {
      if (!isFault(cause) || cause.code !== 'invalid_query') throw cause;
      const problems = cause.problems.map((problem) => ({ ...problem, pointer: member }));
      throw new Fault('invalid_request', { cause, problems });
    }
  }

  /** Makes a row durable, and lets its run know. */
  async #store(row: Subscription): Promise<Subscription> {
    const run = this.#run(row.id);
    try {
      await this.#set.writeSubscription(row.id, row);
    } catch (cause) {
      void this.#set.settle(row.id, run);
      throw cause;
    }
    const before = run.subscription;
    const isSame =
      before.types === row.types &&
      before.filters === row.filters &&
      before.units === row.units &&
      before.test === row.test;
    run.changed(row, isSame ? run.compiled : compileSubscription(row));
    return row;
  }

  #change<T>(id: string, work: (run: Run) => Promise<T>): Promise<T> {
    return this.#set.changes.run(() => work(this.#run(id)));
  }

  /** Runs a subscription anew, from these cursors on where they are given. What was leased is not any more. */
  async #beginAt(run: Run, rows: ReadonlyMap<string, CursorRow>): Promise<Run> {
    const { id } = run.subscription;
    const next = await this.#set.replace(run, DRAIN_MS, () => this.#set.writeCursors(id, rows));
    if (next === undefined) throw new Fault('not_found');
    return next;
  }

  async #remove(run: Run): Promise<void> {
    const { id } = run.subscription;
    await this.#set.replace(run, 0, () => this.#set.writeSubscription(id, undefined));
    await this.#set.forget(id);
  }

  #leases({ leases, subscription }: Run, wanted: 'pull' | 'sse'): Leases {
    const { kind } = subscription.target;
    if (leases === undefined || kind !== wanted) throw new Fault('conflict', { detail: `target ${kind}` });
    return leases;
  }

  #run(id: string): Run {
    const run = this.#set.runs.get(id);
    if (run === undefined) throw new Fault('not_found');
    return run;
  }

  #time(): string {
    return new Date(this.#deps.now()).toISOString();
  }
}

const positionsOf = (stream: string, offsets: readonly bigint[]): readonly string[] =>
  offsets.map((offset, partition) => formatPosition(stream, partition, offset));
