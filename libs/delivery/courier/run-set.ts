import { parsePosition, type Position } from '#event';
import { innermostMessage, isFault } from '#faults';
import { TEST_EVENTS, type EventLog } from '#log';
import type { ReadEvent, Reading } from '#reading';
import type { Catalogue, StreamInfo } from '#registry';
import { compileSubscription, streamsOf, type CompiledSubscription, type Subscription } from '#subscriptions';
import type { TableReport } from '#table';
import type { Units } from '#units';
import type { Feed } from '../feed/feed.js';
import type { Policy } from '../lanes/types.js';
import type { AttemptRow, CursorRow, LaneRow, LeaseRow, RedriveRow } from '../port.js';
import { Attempts } from './attempts.js';
import { cursorKey, Flusher } from './flusher.js';
import type { Hosts } from './hosts.js';
import { LaneWriter } from './lane-writer.js';
import type { Push } from './push.js';
import { Redrives } from './redrives.js';
import { Run, type RunDeps } from './run.js';
import { fromBeginning } from './starts.js';
import type { SubscriptionTables } from './subscription-tables.js';
import { openCourierTables, type CourierTables } from './tables.js';

export interface DeliveryReport {
  /** Something that a person must know: a code of the alarms, with its facts. */
  readonly alarm?: (code: string, facts: Readonly<Record<string, string>>) => void;
  readonly damaged?: (subscription: string, position: string) => void;
  /** A write or read failed; it is made again. */
  readonly failed?: (cause: unknown) => void;
  /** An attempt has ended. */
  readonly attempted?: (row: AttemptRow) => void;
  readonly table?: TableReport;
}

export interface RunSetDeps {
  readonly log: Pick<
    EventLog,
    'append' | 'read' | 'describe' | 'offsetAt' | 'ensureTopic' | 'ensureTopics' | 'topicId'
  >;
  readonly reading: Reading;
  readonly catalogue: Catalogue;
  readonly units: Units;
  readonly subscriptions: SubscriptionTables;
  readonly feed: Feed<CompiledSubscription>;
  readonly push: Push;
  /** See leaseKey(). */
  readonly leaseKey: Buffer;
  readonly hosts: Hosts;
  /** When failed deliveries are made again. @default POLICY */
  readonly policy?: Partial<Policy> | undefined;
  readonly now: () => number;
  readonly random: () => number;
  readonly report?: DeliveryReport;
  /** False while another courier may own the partition already. */
  readonly isSure: () => boolean;
  /** A newer owner has written. */
  readonly fenced: () => void;
}

/** The tables of one partition under one epoch, and a run for each of its subscriptions. */
export class RunSet {
  readonly deps: RunSetDeps;
  readonly partition: number;
  readonly epoch: bigint;
  readonly runs = new Map<string, Run>();
  readonly attempts: Attempts;
  readonly redrives: Redrives;
  readonly #stop = new AbortController();
  #tables: CourierTables | undefined;
  #writer: LaneWriter | undefined;
  #flusher: Flusher | undefined;
  #isOpen = false;

  constructor(deps: RunSetDeps, partition: number, epoch: bigint) {
    this.deps = deps;
    this.partition = partition;
    this.epoch = epoch;
    const { log, report, now } = deps;
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
    let newest = -1n;
    const look = (epoch: bigint | undefined): void => {
      if (epoch !== undefined && epoch > newest) newest = epoch;
    };
    const table = this.deps.subscriptions.of(this.partition);
    for (const [id] of table.entries()) look(table.epoch(id));
    const { cursors, lanes } = this.#tables!;
    for (const [key] of cursors.entries()) look(cursors.epoch(key));
    for (const [key] of lanes.entries()) look(lanes.epoch(key));
    return newest;
  }

  /** Reads the rows. Nothing is written or delivered. Fault `log_unavailable`. */
  async load(): Promise<void> {
    const { log, subscriptions, report } = this.deps;
    await subscriptions.of(this.partition).refresh();
    this.#tables = await openCourierTables({ log, partition: this.partition, report: report?.table });
  }

  /** Writes the rows under the new epoch, so that a late write of the owner before counts for nothing, and begins to deliver. Faults as OwnedTable.write(). */
  async open(): Promise<void> {
    const { subscriptions, now, fenced, report } = this.deps;
    const { epoch, attempts } = this;
    const { cursors, lanes } = this.#tables!;
    const table = subscriptions.of(this.partition);
    await writeAll(table, [...table.entries()], epoch);
    await writeAll(cursors, [...cursors.entries()], epoch);
    await writeAll(lanes, [...lanes.entries()], epoch);
    const { signal } = this.#stop;
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
    this.#isOpen = true;
    for (const [, subscription] of table.entries()) await this.begin(subscription);
    this.#flusher.start();
  }

  /** Runs a subscription whose row is durable, from its cursors on; a stream without a cursor from its first event. */
  async begin(subscription: Subscription): Promise<Run> {
    const { id } = subscription;
    const rows: (LaneRow | LeaseRow)[] = [];
    const jobs: RedriveRow[] = [];
    const prefix = `${id}/`;
    for (const [key, row] of this.#tables!.lanes.entries())
      if (key.startsWith(prefix)) {
        if (row.kind === 'redrive') jobs.push(row);
        else rows.push(row);
      }
    const run = new Run(this.#runDeps(), subscription, compileSubscription(subscription), rows);
    this.runs.set(id, run);
    await this.followStreams(run);
    run.pump();
    this.redrives.resume(run, jobs);
    return run;
  }

  /** Follows the streams that a subscription reads and does not follow yet. */
  async followStreams(run: Run): Promise<void> {
    const { catalogue, units } = this.deps;
    const { subscription } = run;
    for (const name of streamsOf(subscription, catalogue, units)) {
      if (run.streams.has(name)) continue;
      const stream = this.streamOf(name);
      if (stream === undefined) continue;
      const key = cursorKey(subscription.id, name);
      let row = this.#tables!.cursors.get(key);
      if (row === undefined) {
        // The stream, or the type in it, is younger than the subscription.
        row = await fromBeginning(this.deps, stream);
        await this.writeCursors(subscription.id, new Map([[name, row]]));
      }
      if (this.runs.get(subscription.id) === run && !run.streams.has(name)) run.follow(stream, row);
    }
  }

  /**
   * The event at a place as the owner sees it, when it is due to the subscription by the rights and filters of now. Faults of Reading.readOne(); an event that the log
   * does not keep any more is not due.
   */
  async dueAt(compiled: CompiledSubscription, { stream, partition, offset }: Position): Promise<ReadEvent | undefined> {
    const { reading, units } = this.deps;
    const info = this.streamOf(stream);
    const event = info && (await reading.readOne(compiled.owner, info, partition, offset));
    if (event === undefined || !compiled.wants(event.type.type)) return undefined;
    return compiled.holds(event, units) ? event : undefined;
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

  isHeld(id: string, position: string): boolean {
    return this.#tables!.lanes.get(`${id}/h/${position}`) !== undefined;
  }

  /** Stores every cursor as it stands now. Faults as OwnedTable.write(). */
  async flush(): Promise<void> {
    await this.#flusher!.flush(true);
  }

  /** Ends all runs. Attempts in flight may end within `drainMs`; how far everything is gets stored unless the partition is lost. Never rejects. */
  async close(drainMs: number): Promise<void> {
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    // A log that does not answer must not hold up the end of a process, nor the next desk of the partition.
    const giveUp = setTimeout(() => {
      this.#stop.abort();
      void this.attempts.close();
    }, drainMs + STORE_MS);
    try {
      await this.#close(drainMs, wasOpen);
    } finally {
      clearTimeout(giveUp);
    }
  }

  async #close(drainMs: number, wasOpen: boolean): Promise<void> {
    const failed = this.deps.report?.failed;
    await Promise.all([...this.runs.values()].map((run) => run.stop(drainMs)));
    if (wasOpen) {
      await this.#flusher!.stop();
      if (drainMs > 0) await this.flush().catch((cause: unknown) => failed?.(cause));
    }
    this.#stop.abort();
    const closing = this.attempts.close();
    await this.redrives.stop();
    await this.#writer?.idle();
    await closing;
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
    const { feed, push, hosts, policy, now, random, isSure, report } = this.deps;
    return {
      feed,
      push,
      hosts,
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
      read: (compiled, position) => this.dueAt(compiled, parsePosition(position)!),
      halt: (run, state, why) => void this.#halt(run, state, why),
      alarm: (run, { kind, ...facts }) =>
        report?.alarm?.(`delivery_${kind}`, { subscription: run.subscription.id, ...facts }),
      damaged: (run, position) => report?.damaged?.(run.subscription.id, position),
      failed: (cause) => report?.failed?.(cause),
    };
  }

  /** The lanes stand already; that is stored, so that a later owner does not begin again. */
  async #halt(run: Run, state: 'paused' | 'disabled', why: string): Promise<void> {
    const { now, report } = this.deps;
    const { subscription } = run;
    report?.alarm?.('delivery_halted', { subscription: subscription.id, state, why });
    const row = { ...subscription, state, why, changedAt: new Date(now()).toISOString() };
    run.changed(row, run.compiled);
    try {
      await this.writeSubscription(subscription.id, row);
    } catch (cause) {
      report?.failed?.(innermostMessage(cause));
    }
  }
}

async function writeAll<V>(
  table: {
    write(
      changes: readonly { readonly key: string; readonly row: V | undefined; readonly epoch: bigint }[],
    ): Promise<void>;
  },
  rows: readonly (readonly [string, V | undefined])[],
  epoch: bigint,
): Promise<void> {
  for (let at = 0; at < rows.length; at += MOST_ROWS)
    await table.write(rows.slice(at, at + MOST_ROWS).map(([key, row]) => ({ key, row, epoch })));
}

/** How long the end of a desk waits for the log, beside the attempts in flight. */
const STORE_MS = 2_000;
/** Rows of one append, so that also large ones fit it. */
const MOST_ROWS = 200;
