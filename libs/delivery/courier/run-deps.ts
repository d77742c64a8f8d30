import type { EventLog } from '#log';
import type { ReadEvent, Reading } from '#reading';
import type { Catalogue } from '#registry';
import type { CompiledSubscription } from '#subscriptions';
import type { Units } from '#units';
import type { Feed } from '../feed/feed.js';
import type { Alarm, Policy } from '../lanes/types.js';
import type { LeasesDeps } from '../pull/leases.js';
import type { PullMemory } from '../pull/memory.js';
import type { Attempts } from './attempts.js';
import type { Hosts } from './hosts.js';
import type { LaneWriter } from './lane-writer.js';
import type { Push } from './push.js';
import type { DeliveryReport } from './report.js';
import type { Run } from './run.js';
import type { SubscriptionTables } from './subscription-tables.js';

/** What the subscriptions of a partition need of the process. */
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
  readonly pullMemory: PullMemory;
  /** When failed deliveries are made again. @default POLICY */
  readonly policy?: Partial<Policy> | undefined;
  /** See OwnerRow. */
  readonly holder: string;
  readonly now: () => number;
  readonly random: () => number;
  readonly report?: DeliveryReport;
  /** False while another courier may own the partition already. */
  readonly isSure: () => boolean;
  /** A newer owner has written. */
  readonly fenced: () => void;
}

/** What the deliveries of one subscription need. */
export interface RunDeps {
  readonly feed: Feed<CompiledSubscription>;
  readonly push: Push;
  readonly hosts: Hosts;
  readonly attempts: Pick<Attempts, 'add'>;
  readonly writer: Pick<LaneWriter, 'write'>;
  readonly leasing: Pick<LeasesDeps, 'epoch' | 'key' | 'flush'>;
  readonly pullMemory: PullMemory;
  /** See LeasesDeps.idle. */
  readonly idle: (run: Run) => void;
  /** @default POLICY */
  readonly policy?: Partial<Policy> | undefined;
  readonly now: () => number;
  readonly random: () => number;
  /** False while another courier may own the partition already (R1.6): no attempt starts. */
  readonly isSure: () => boolean;
  /** False also while what has ended cannot be stored. */
  readonly mayStart: () => boolean;
  /**
   * The event at a position as the owner of the subscription sees it; undefined: it may not see it any more. Faults of the log, and `corrupt_record` and
   * `offset_out_of_range` when nobody can read it any more.
   */
  readonly read: (subscription: CompiledSubscription, position: string) => Promise<ReadEvent | undefined>;
  /** The subscription must pause or be disabled: stores that. */
  readonly halt: (run: Run, state: 'paused' | 'disabled', why: string) => void;
  readonly alarm: (run: Run, alarm: Alarm) => void;
  readonly damaged: (run: Run, position: string) => void;
  readonly failed: (cause: unknown) => void;
}
