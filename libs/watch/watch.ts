import { jittered, pause, withDeadline } from '#concurrency';
import { isFault } from '#faults';
import type { AssignedPartition, EventLog, GroupMember, Membership } from '#log';
import type { Catalogue } from '#registry';
import type { Reading } from '#reading';
import { Claims, type ClaimsReport, type OwnedTable } from '#table';
import type { Units } from '#units';
import type { Resends, WatchRow } from './book.js';
import { Desk } from './desk.js';
import type { Finding } from './finding.js';
import type { WatchLimits } from './limits.js';
import { WATCH_TOPIC } from './table.js';

/** The group of all processes that may watch: the topic has one partition, so one of them does. */
export const WATCH_GROUP = 'simpul.watch';
/** How long close() waits for a join in flight: one that cannot end must not hold up the shutdown. */
const JOIN_WAIT_MS = 5_000;

export interface WatchReport extends ClaimsReport {
  /** A step failed; it is tried again. `stream`: of which. */
  failed?(cause: unknown, stream?: string): void;
}

export interface WatchDeps {
  readonly log: EventLog;
  readonly reading: Reading;
  readonly catalogue: Catalogue;
  readonly units: Units;
  readonly table: OwnedTable<WatchRow>;
  readonly now: () => number;
  /** Publishes the events that say that these have begun or ended; answers those that need no further try. */
  readonly tell: (findings: readonly Finding[]) => Promise<readonly Told[]>;
  readonly report?: WatchReport;
  readonly limits?: Partial<WatchLimits>;
  /** How often rows are written and deadlines looked at, ms. @default 5,000 */
  readonly everyMs?: number;
}

/** What has been published of a finding. */
export interface Told {
  readonly finding: Finding;
  readonly told: NonNullable<Finding['told']>;
}

/** Watches every stream of the deployment while this process owns the one partition of the group; the process that takes over goes on where it stopped. */
export class Watch {
  readonly #deps: WatchDeps;
  readonly #claims: Claims;
  #desk: Desk | undefined;
  #closing: Promise<void> = Promise.resolve();
  #membership: Membership | undefined;
  #joining: Promise<Membership | undefined> = Promise.resolve(undefined);
  #isClosed = false;

  constructor(deps: WatchDeps) {
    this.#deps = deps;
    const { table } = deps;
    this.#claims = new Claims({
      newest: () => Promise.resolve(newestEpoch(table)),
      membership: () => this.#membership,
      report: deps.report,
    });
  }

  /** The findings as the owner knows them; undefined: another process watches. */
  get desk(): Desk | undefined {
    return this.#desk;
  }

  /** Joins the group; resolves once joined. Faults of the log. */
  async join(): Promise<void> {
    const member: GroupMember = {
      start: (at) => this.#start(at),
      // The rows are read by the table; the group says only whose they are.
      batch: (_at, { next }) => Promise.resolve({ next }),
      lost: () => this.#lost(),
      interrupted: (at) => void this.#membership?.reclaim(at.partition).catch(this.#failed),
    };
    const joining = this.#deps.log.join(WATCH_GROUP, [WATCH_TOPIC], member);
    this.#joining = joining.catch(() => undefined);
    this.#membership = await joining;
  }

  /** Resends that gateways have counted. */
  resent(counted: Resends): void {
    this.#desk?.book.resent(counted);
  }

  /** Streams or types have been registered. */
  catalogueChanged(): void {
    this.#desk?.follow();
  }

  /** Stores what is known, and leaves the group. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#desk?.flush().catch(this.#failed);
    this.#lost();
    await this.#closing;
    const membership = await withDeadline(this.#joining, JOIN_WAIT_MS, () => undefined);
    await membership?.leave();
    this.#lost();
    await this.#closing;
  }

  async #start(at: AssignedPartition): Promise<{ readonly offset: bigint }> {
    const { table } = this.#deps;
    this.#lost();
    await this.#closing;
    await table.refresh();
    try {
      await this.#claims.verify(at);
      // What the owner before has written up to the claim counts.
      await table.refresh();
      if (!this.#isClosed) this.#open(at);
    } catch (cause) {
      if (isFault(cause) && cause.code === 'fenced') this.#claims.doubt(at);
      this.#deps.report?.failed?.(cause);
      throw cause;
    }
    return { offset: table.next };
  }

  #open(at: AssignedPartition): void {
    const { partition, epoch } = at;
    const desk = new Desk(this.#deps, epoch, () => this.#membership?.isSure !== false);
    this.#desk = desk;
    desk.follow();
    void this.#work(desk, partition, epoch);
  }

  async #work(desk: Desk, partition: number, epoch: bigint): Promise<void> {
    const { everyMs = 5_000 } = this.#deps;
    while (!desk.isClosed)
      try {
        await pause(jittered(everyMs), desk.signal);
        if (desk.isClosed) return;
        await desk.step();
        this.#claims.committed(partition);
      } catch (cause) {
        if (desk.isClosed) return;
        this.#deps.report?.failed?.(cause);
        if (!isFault(cause) || cause.code !== 'fenced') continue;
        this.#lost();
        await this.#claims.fenced(partition, epoch).catch(this.#failed);
      }
  }

  #lost(): void {
    const desk = this.#desk;
    if (desk === undefined) return;
    this.#desk = undefined;
    this.#closing = Promise.all([this.#closing, desk.close()])
      .then(() => undefined)
      .catch(this.#failed);
  }

  readonly #failed = (cause: unknown): void => this.#deps.report?.failed?.(cause);
}

function newestEpoch(table: OwnedTable<WatchRow>): bigint {
  let newest = -1n;
  for (const [key] of table.entries()) {
    const epoch = table.epoch(key);
    if (epoch !== undefined && epoch > newest) newest = epoch;
  }
  return newest;
}
