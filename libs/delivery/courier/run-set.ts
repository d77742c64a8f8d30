import { jittered, Mutex, pause } from '#concurrency';
import { parsePosition } from '#event';
import { Fault, innermostMessage, isFault } from '#faults';
import { TEST_EVENTS } from '#log';
import type { ReadEvent } from '#reading';
import type { StreamInfo } from '#registry';
import { compileSubscription, streamsOf, type CompiledSubscription, type Subscription } from '#subscriptions';
import type { CursorRow, LaneRow, LeaseRow, Place, RedriveRow, StoredRow } from '../port.js';
import { Attempts } from './attempts.js';
import { damagedOf, damagedRows } from './damage.js';
import { cursorKey, Flusher } from './flusher.js';
import { Follows } from './follows.js';
import { handedOver, handOver, LOST_DRAIN_MS } from './handover.js';
import { recordHalt } from './halted.js';
import { LaneWriter } from './lane-writer.js';
import { Redrives } from './redrives.js';
import type { RunDeps, RunSetDeps } from './run-deps.js';
import { Run } from './run.js';
import { fromBeginning } from './starts.js';
import { openCourierTables, type CourierTables } from './tables.js';
import { takeOver, writeAll } from './takeover.js';

/** The tables of one partition under one epoch, and a run for each of its subscriptions. */
export class RunSet {
  readonly deps: RunSetDeps;
  readonly partition: number;
  readonly epoch: bigint;
  readonly runs = new Map<string, Run>();
  readonly attempts: Attempts;
  readonly redrives: Redrives;
  /** Changes of subscriptions, one after the other. */
  readonly changes = new Mutex();
  readonly #stop = new AbortController();
  /** Aborts as soon as the set is to close. */
  readonly #ending = new AbortController();
  readonly #follows: Follows;
  #opening: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #tables: CourierTables | undefined;
  #writer: LaneWriter | undefined;
  #flusher: Flusher | undefined;
  #isOpen = false;

  constructor(deps: RunSetDeps, partition: number, epoch: bigint) {
    this.deps = deps;
    this.partition = partition;
    this.epoch = epoch;
    const { log, report, now } = deps;
    this.#follows = new Follows({
      streamsOf: ({ subscription }) => streamsOf(subscription, deps.catalogue, deps.units),
      streamOf: (name) => this.streamOf(name),
      cursor: (id, stream) => this.#tables!.cursors.get(cursorKey(id, stream)),
      damaged: (id, streams) => damagedOf(this.#tables!, id, streams),
      halt: (run, why) => {
        if (run.subscription.state === 'active') void this.#halt(run, 'paused', why);
      },
      beginning: (stream) => fromBeginning(deps, stream),
      store: (id, stream, row) => this.writeCursors(id, new Map([[stream, row]])),
      isCurrent: (run) => this.#isCurrent(run),
      signal: this.#stop.signal,
      failed: report?.failed,
    });
    this.attempts = new Attempts(log, partition, report?.failed, report?.attempted);
    this.redrives = new Redrives({
      now,
      store: ({ subscription: { id } }, job, row) => this.#writer!.write([{ key: `${id}/j/${job}`, row }]),
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The greatest epoch that a row of the partition was written under; −1n: there is none. Call it after load(). */
  newestEpoch(): bigint {
    const { cursors, lanes } = this.#tables!;
    let newest = -1n;
    for (const table of [this.deps.subscriptions.of(this.partition), cursors, lanes])
      for (const [key] of table.entries()) {
        const epoch = table.epoch(key);
        if (epoch !== undefined && epoch > newest) newest = epoch;
      }
    return newest;
  }

  /** Reads the rows. Nothing is written or delivered. Fault `log_unavailable`. */
  async load(): Promise<void> {
    const { log, subscriptions, report } = this.deps;
    await subscriptions.of(this.partition).refresh();
    const tables = await openCourierTables({ log, partition: this.partition, report: report?.table });
    this.#tables = tables;
    if (this.#closing !== undefined) await tables.close();
    await this.#unlessClosed(() => Promise.resolve());
  }

  /**
   * Writes the rows under the new epoch, so that a late write of the owner before counts for nothing, and begins to deliver. Faults as OwnedTable.write(), and
   * `fenced` when it is closed meanwhile.
   */
  open(): Promise<void> {
    const opening = this.#open();
    this.#opening = opening.catch(() => undefined);
    return opening;
  }

  async #open(): Promise<void> {
    const { subscriptions, now, fenced, report, holder } = this.deps;
    const { epoch, attempts } = this;
    const { cursors, lanes } = this.#tables!;
    const table = subscriptions.of(this.partition);
    const { signal } = this.#stop;
    await this.#unlessClosed(() => handedOver(lanes, holder, this.#ending.signal));
    await takeOver(table, this.#tables!, { epoch, holder }, (step) => this.#unlessClosed(step));
    const failed = report?.failed;
    this.#writer = new LaneWriter({ lanes, attempts, epoch, signal, fenced, failed });
    this.#flusher = new Flusher({
      runs: () => this.runs.values(),
      cursors,
      attempts,
      epoch,
      now,
      fenced,
      failed,
    });
    const rows = Map.groupBy(this.#ownRows(), ([key]) => key.slice(0, key.indexOf('/')));
    for (const [id, subscription] of [...table.entries()])
      await this.#unlessClosed(() => this.#begin(subscription, rows.get(id) ?? []));
    this.#isOpen = true;
    this.#flusher.start();
    // For what was registered meanwhile.
    this.catalogueChanged();
  }

  async #unlessClosed(work: () => Promise<unknown>): Promise<void> {
    if (this.#closing === undefined) await work();
    if (this.#closing !== undefined) throw new Fault('fenced', { detail: `partition ${this.partition} is closed` });
  }

  /** Rows of this owner: what an earlier one writes late is not among them. */
  *#ownRows(): IterableIterator<[string, StoredRow]> {
    const { lanes } = this.#tables!;
    for (const entry of lanes.entries()) if (lanes.epoch(entry[0]) === this.epoch) yield entry;
  }

  /** Runs a subscription whose row is durable, from its cursors on; a stream without a cursor from its first event. */
  begin(subscription: Subscription): Promise<Run> {
    const prefix = `${subscription.id}/`;
    return this.#begin(
      subscription,
      [...this.#ownRows()].filter(([key]) => key.startsWith(prefix)),
    );
  }

  async #begin(subscription: Subscription, stored: Iterable<readonly [string, StoredRow]>): Promise<Run> {
    const { id } = subscription;
    const rows: (LaneRow | LeaseRow)[] = [];
    const jobs: RedriveRow[] = [];
    for (const [, row] of stored)
      if (row.kind === 'redrive') jobs.push(row);
      else if (row.kind !== 'owner') rows.push(row);
    const run = new Run(this.#runDeps(), subscription, compileSubscription(subscription), rows);
    this.runs.set(id, run);
    await this.followStreams(run);
    run.pump();
    this.redrives.resume(run, jobs);
    return run;
  }

  /** A type or stream was registered: subscriptions that want it follow it. */
  catalogueChanged(): void {
    for (const run of this.runs.values()) void this.followStreams(run);
  }

  /** Follows the streams that a subscription reads and does not follow yet; those that cannot be read now as soon as they can. Never rejects. */
  followStreams(run: Run): Promise<void> {
    return this.#follows.all(run);
  }

  #isCurrent(run: Run): boolean {
    return !this.#ending.signal.aborted && this.runs.get(run.subscription.id) === run && !run.isStopped;
  }

  /**
   * Ends a run, does `work` once everything that it has written and passed is durable, and runs what the row of the subscription says then; undefined: there is none.
   * When it fails, the subscription runs again as its row says, as soon as that is known. Call it within `changes`.
   */
  async replace(run: Run, drainMs: number, work: () => Promise<void>): Promise<Run | undefined> {
    const { id } = run.subscription;
    try {
      await run.stop(drainMs, 'void');
      // Rows that the run has handed out before.
      if (!(await this.#writer!.write([]))) throw new Fault('fenced');
      await this.flush();
      await work();
      this.runs.delete(id);
      const row = this.deps.subscriptions.of(this.partition).get(id);
      return row === undefined ? undefined : await this.begin(row);
    } catch (cause) {
      void this.settle(id, run);
      throw cause;
    }
  }

  /** Finds out what the row of a subscription is after a change that has failed, and lets it run so. Without a run: one that could not be made is not there. */
  async settle(id: string, run?: Run): Promise<void> {
    const { signal } = this.#stop;
    for (let isSettled = false; !isSettled && !signal.aborted;) {
      try {
        await this.changes.run(() => (run === undefined ? this.#unmake(id) : this.#settle(run)));
        isSettled = true;
      } catch (cause) {
        this.deps.report?.failed?.(cause);
        await pause(jittered(AGAIN_MS), signal);
      }
    }
  }

  async #unmake(id: string): Promise<void> {
    if (this.#closing !== undefined || this.runs.has(id)) return;
    await this.writeSubscription(id, undefined);
    await this.forget(id);
  }

  async #settle(run: Run): Promise<void> {
    const { id, target } = run.subscription;
    const known = this.runs.get(id);
    if (this.#closing !== undefined || (known !== undefined && known !== run)) return;
    const table = this.deps.subscriptions.of(this.partition);
    await table.refresh();
    const row = table.get(id);
    // From here on the outcome of the append that nobody knew counts for nothing.
    await this.writeSubscription(id, row);
    if (row !== undefined && !run.isStopped && row.target.kind === target.kind) {
      run.changed(row, compileSubscription(row));
      return this.followStreams(run);
    }
    await run.stop(0, 'void');
    this.runs.delete(id);
    if (row === undefined) await this.forget(id);
    else await this.begin(row);
  }

  /** The event at a place as the owner sees it, whether it is due or not. Faults of Reading.readOne(). */
  async seenBy({ owner }: CompiledSubscription, place: Place): Promise<ReadEvent | undefined> {
    const { stream, partition, offset } = place;
    const info = this.streamOf(stream);
    return info && (await this.deps.reading.readOne(owner, info, partition, offset));
  }

  isDue(compiled: CompiledSubscription, event: ReadEvent): boolean {
    return compiled.wants(event.type.type) && compiled.holds(event, this.deps.units);
  }

  streamOf(name: string): StreamInfo | undefined {
    const { catalogue } = this.deps;
    if (name !== TEST_EVENTS.name) return catalogue.stream(name);
    return { ...TEST_EVENTS, ordering: 'subject', subjectForm: 'pseudonym', types: [] };
  }

  /** Writes the row of a subscription of this partition. Faults as OwnedTable.write(). */
  async writeSubscription(id: string, row: Subscription | undefined): Promise<void> {
    await this.#fenceable(() =>
      this.deps.subscriptions.of(this.partition).write([{ key: id, row, epoch: this.epoch }]),
    );
  }

  async writeCursors(id: string, rows: ReadonlyMap<string, CursorRow | undefined>): Promise<void> {
    const entries = [...rows].map(([stream, row]) => [cursorKey(id, stream), row] as const);
    await this.#fenceable(() => writeAll(this.#tables!.cursors, entries, this.epoch));
  }

  /** Deletes what is stored of a subscription beside its row. */
  async forget(id: string): Promise<void> {
    const prefix = `${id}/`;
    const { cursors, lanes } = this.#tables!;
    const own = <V>(table: { entries(): Iterable<[string, V]> }): [string, undefined][] =>
      [...table.entries()].filter(([key]) => key.startsWith(prefix)).map(([key]) => [key, undefined]);
    await this.#fenceable(() => writeAll(lanes, own(lanes), this.epoch));
    await this.#fenceable(() => writeAll(cursors, own(cursors), this.epoch));
  }

  /** Gives up the rows of a subscription that cannot be read, when a person has said where it goes on. */
  async dropDamaged(id: string): Promise<void> {
    const rows = damagedRows(this.#tables!, id).map((key) => [key, undefined] as const);
    await this.#fenceable(() => writeAll(this.#tables!.lanes, rows, this.epoch));
  }

  /** Whether a durable row says that the event is held, or waits for its next try: the cursor may have passed it (R8.6). */
  isInRow(id: string, position: string): boolean {
    const { lanes } = this.#tables!;
    return lanes.get(`${id}/h/${position}`) !== undefined || lanes.get(`${id}/r/${position}`) !== undefined;
  }

  /** Stores every cursor as it stands now. Faults as OwnedTable.write(). */
  async flush(): Promise<void> {
    await this.#flusher!.flush(true);
  }

  /**
   * Ends all runs: attempts in flight may end for a moment, how far everything is gets stored, and the next owner is told so, also one that waits already. Never
   * rejects.
   */
  close(how: 'orderly' | 'lost'): Promise<void> {
    this.#isOpen = false;
    this.#ending.abort();
    this.#closing ??= this.#close(how, how === 'orderly' ? DRAIN_MS : LOST_DRAIN_MS);
    return this.#closing;
  }

  /** Nothing is written again that the log has not taken. */
  #giveUp(): void {
    this.#stop.abort();
    this.attempts.giveUp();
  }

  async #close(how: 'orderly' | 'lost', drainMs: number): Promise<void> {
    const failed = this.deps.report?.failed;
    // A log that does not answer must not hold up the end of the process.
    const over = setTimeout(() => this.#giveUp(), drainMs + LAST_WRITES_MS);
    await this.#opening;
    await Promise.all([...this.runs.values()].map((run) => run.stop(drainMs, how)));
    await this.#flusher?.stop();
    // Also of a lost partition: the next owner repeats less, and under this epoch nothing that is written late counts (R4.5).
    const isStored = await this.#flusher?.flush(true).then(
      () => true,
      (cause: unknown) => void failed?.(cause),
    );
    this.#stop.abort();
    const closing = this.attempts.close();
    await this.redrives.stop();
    await this.#writer?.idle();
    await closing;
    clearTimeout(over);
    if (isStored === true)
      await handOver(this.#tables!.lanes, this.deps.holder, this.epoch).catch((cause: unknown) => failed?.(cause));
    await this.#tables?.close().catch((cause: unknown) => failed?.(cause));
  }

  async #fenceable<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (cause) {
      if (isFault(cause) && cause.code === 'fenced') this.deps.fenced();
      throw cause;
    }
  }

  #runDeps(): RunDeps {
    const { feed, push, hosts, pullMemory, policy, now, random, report } = this.deps;
    // A set that is closed while it opens has runs that nobody has told yet.
    const isSure = (): boolean => !this.#ending.signal.aborted && this.deps.isSure();
    return {
      feed,
      push,
      hosts,
      pullMemory,
      policy,
      attempts: this.attempts,
      writer: this.#writer!,
      leasing: {
        epoch: this.epoch,
        key: this.deps.leaseKey,
        flush: () => this.#flusher!.soon(),
      },
      now,
      random,
      isSure,
      mayStart: () => isSure() && this.attempts.hasRoom && !this.#flusher!.isLate,
      read: (compiled, position) => this.seenBy(compiled, parsePosition(position)!),
      idle: (run) => void this.#rest(run),
      halt: (run, state, why) => void this.#halt(run, state, why),
      alarm: (run, { kind, ...facts }) =>
        report?.alarm?.(`delivery_${kind}`, { subscription: run.subscription.id, ...facts }),
      damaged: (run, position) => report?.damaged?.(run.subscription.id, position),
      failed: (cause) => report?.failed?.(cause),
    };
  }

  /** Runs a subscription anew from its cursors, so that what was read ahead leaves memory. */
  async #rest(run: Run): Promise<void> {
    try {
      await this.changes.run(async () => {
        if (this.#closing === undefined && this.#isCurrent(run) && run.leases?.isIdle === true)
          await this.replace(run, 0, () => Promise.resolve());
      });
    } catch (cause) {
      this.deps.report?.failed?.(cause);
    }
  }

  /** The lanes stand; that is stored, so that a later owner does not begin again. */
  async #halt(run: Run, state: 'paused' | 'disabled', why: string): Promise<void> {
    const { now, report } = this.deps;
    report?.alarm?.('delivery_halted', { subscription: run.subscription.id, state, why });
    run.lanes.pause();
    await this.changes.run(async () => {
      if (this.#closing !== undefined || !this.#isCurrent(run)) return;
      const { subscription } = run;
      const row = { ...subscription, state, why, changedAt: new Date(now()).toISOString() };
      run.changed(row, run.compiled);
      try {
        await this.writeSubscription(subscription.id, row);
        await recordHalt(this.deps, subscription, state, why);
      } catch (cause) {
        report?.failed?.(innermostMessage(cause));
      }
    });
  }
}

const AGAIN_MS = 1_000;
/** How long attempts in flight may go on when the courier closes: another one takes over within 3 s of SIGTERM. */
export const DRAIN_MS = 1_500;
/** For what is to be stored at the end, after attempts had time to end. */
const LAST_WRITES_MS = 2_000;
