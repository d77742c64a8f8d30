import { withDeadline } from '#concurrency';
import { Fault, isFault } from '#faults';
import type { AssignedPartition, EventLog, GroupMember, Membership } from '#log';
import { SUBSCRIPTIONS_TOPIC } from '#subscriptions';
import { Claims, type ClaimsReport } from '#table';
import { ATTEMPTS_SPEC } from './attempts.js';
import { originOf, type OwnersTable } from '../owners.js';
import { PartitionDesk, type DeskDeps } from './partition-desk.js';
import { Temporaries } from './temporaries.js';

/** The group of all couriers. Its claims in `_simpul.owners` say who owns a partition (R9.1). */
export const COURIER_GROUP = 'simpul.couriers';

const AGAIN_MS = 1_000;
/** How long close() waits for a join in flight: one that cannot end must not hold up the shutdown. */
const JOIN_WAIT_MS = 5_000;

export interface CourierReport extends ClaimsReport {
  /** A step failed; it is tried again after a second. */
  failed?(cause: unknown): void;
}

export interface CourierDeps extends Omit<DeskDeps, 'isSure' | 'fenced'> {
  readonly log: Pick<EventLog, 'join' | 'ensureTopic'> & DeskDeps['log'];
  readonly owners: Pick<OwnersTable, 'of' | 'onClaim'>;
  /** With which this process claims. */
  readonly address: string;
  readonly courierReport?: CourierReport;
}

/** The subscriptions that this process runs: a member of the group of couriers, with one desk for each partition that it owns. */
export class Courier {
  readonly #deps: CourierDeps;
  readonly #claims: Claims;
  readonly #desks = new Map<number, PartitionDesk>();
  /** Closing of the desk that was there before, by partition: the next one begins after it. */
  readonly #closing = new Map<number, Promise<void>>();
  readonly #temporaries: Temporaries;
  #membership: Membership | undefined;
  #joining: Promise<Membership | undefined> = Promise.resolve(undefined);
  #isClosed = false;
  readonly #unlisten: () => void;

  constructor(deps: CourierDeps) {
    this.#deps = deps;
    this.#temporaries = new Temporaries({ desks: () => this.desks(), now: deps.now, failed: this.#failed });
    this.#claims = new Claims({
      newest: (partition) => Promise.resolve(this.#desks.get(partition)?.newestEpoch() ?? -1n),
      membership: () => this.#membership,
      report: deps.courierReport,
    });
    this.#unlisten = deps.owners.onClaim((partition) => this.#claimed(partition));
  }

  /** Joins the group, and runs the subscriptions of its partitions; resolves once joined. Faults of the log. */
  async join(): Promise<void> {
    const { log } = this.#deps;
    await log.ensureTopic(ATTEMPTS_SPEC);
    const member: GroupMember = {
      start: (at) => this.#start(at),
      // The rows are read by the table; the group says only whose they are.
      batch: (_at, { next }) => Promise.resolve({ next }),
      lost: (at) => this.#lost(at),
      interrupted: (at) => void this.#membership?.reclaim(at.partition).catch(this.#failed),
    };
    const joining = log.join(COURIER_GROUP, [SUBSCRIPTIONS_TOPIC], member);
    this.#joining = joining.catch(() => undefined);
    this.#membership = await joining;
    if (!this.#isClosed) this.#temporaries.start();
  }

  /** The desk of a partition that this process owns and runs. */
  desk(partition: number): PartitionDesk | undefined {
    const desk = this.#desks.get(partition);
    return desk?.isOpen === true ? desk : undefined;
  }

  /** Every open desk. */
  *desks(): IterableIterator<PartitionDesk> {
    for (const desk of this.#desks.values()) if (desk.isOpen) yield desk;
  }

  /** A type or stream was registered: subscriptions that want it follow it. */
  catalogueChanged(): void {
    for (const desk of this.desks()) desk.catalogueChanged();
  }

  /** Ends all deliveries: lets attempts in flight end for a moment, stores how far they are, and leaves the group. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unlisten();
    await this.#temporaries.stop();
    await Promise.all([...this.#desks.values()].map((desk) => desk.close('orderly')));
    const membership = await withDeadline(this.#joining, JOIN_WAIT_MS, () => undefined);
    await membership?.leave();
    await Promise.all(this.#closing.values());
  }

  async #start(at: AssignedPartition): Promise<{ readonly offset: bigint }> {
    const { partition, epoch } = at;
    this.#lost(at);
    const desk: PartitionDesk = new PartitionDesk(
      {
        ...this.#deps,
        isSure: () => this.#membership?.isSure === true,
        fenced: () => {
          if (this.#desks.get(partition) === desk) void this.#claims.fenced(partition, epoch).catch(this.#failed);
        },
      },
      partition,
      epoch,
    );
    // At once, so that a loss meanwhile closes it.
    this.#desks.set(partition, desk);
    try {
      await this.#closing.get(partition);
      if (this.#isClosed) throw new Fault('fenced', { detail: 'the courier is closed' });
      await desk.load();
      await this.#claims.verify(at);
      await desk.open();
      this.#claims.committed(partition);
      this.#claimed(partition);
    } catch (cause) {
      if (isFault(cause) && cause.code === 'fenced') this.#claims.doubt(at);
      this.#deps.courierReport?.failed?.(cause);
      throw cause;
    }
    return { offset: this.#deps.subscriptions.of(partition).next };
  }

  /**
   * A claim of another process that is newer than ours while the group says that the partition is ours: it made its claim before the last rebalance, and the log took it
   * after ours. Requests would go to it until somebody claims again (R9.2).
   */
  #claimed(partition: number): void {
    const desk = this.#desks.get(partition);
    const last = this.#deps.owners.of(partition);
    if (desk === undefined || last === undefined || last.epoch <= desk.epoch) return;
    if (this.#isClosed || last.address === originOf(this.#deps.address)) return;
    if (this.#membership?.isSure !== true) {
      // After a rebalance it is lost, or claimed anew.
      setTimeout(() => this.#claimed(partition), AGAIN_MS).unref();
      return;
    }
    void this.#claims.again(partition, desk.epoch).catch(this.#failed);
  }

  #lost({ partition }: Pick<AssignedPartition, 'partition'>): void {
    const desk = this.#desks.get(partition);
    if (desk === undefined) return;
    this.#desks.delete(partition);
    const before = this.#closing.get(partition) ?? Promise.resolve();
    const closing = Promise.all([before, desk.close('lost')])
      .then(() => undefined)
      .catch(this.#failed);
    this.#closing.set(partition, closing);
  }

  readonly #failed = (cause: unknown): void => this.#deps.courierReport?.failed?.(cause);
}
