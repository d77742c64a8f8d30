import {
  AssignerProtocol,
  type Assigner,
  type Cluster,
  type Consumer,
  type Kafka,
  type PartitionAssigner,
} from 'kafkajs';
import { kafkaClient, SessionTooShort } from '#kafka-client';
import { assignPartitions } from '#log';
import type { KafkaLogOptions } from './options.js';
import { SessionClock } from './session.js';

export { SessionTooShort };

/** The only file here that imports kafkajs: the membership of a consumer group (join, heartbeat, assignment, offset commits for Kafka's own tools). */

const { MemberMetadata, MemberAssignment } = AssignerProtocol;
/** So soon members learn of one that has left: its partitions stand still until then. */
const HEARTBEAT_MS = 500;
/** Nothing is fetched, but kafkajs looks only so often whether a heartbeat is due. */
const FETCH_WAIT_MS = 250;
/** Kafka refuses a member whose assigner has another name than that of the group: change it only together with the meaning of the metadata. */
const PROTOCOL = 'simpul-by-number';

function sessionTooShortIn(error: unknown): SessionTooShort | undefined {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof SessionTooShort) return e;
  return undefined;
}

export interface Callbacks {
  /** A new assignment: topic → partitions, as Kafka calls them. */
  assigned(partitions: ReadonlyMap<string, readonly number[]>): void;
  /** The coordinator has accepted a heartbeat or a join that was sent at `sentAt`, ms since 1970. */
  heartbeat(sentAt: number): void;
  /**
   * The group rebalances, or its coordinator has refused a heartbeat: this member is about to join again, and until it is assigned() its partitions may get another
   * owner at any moment. May come more than once.
   */
  rebalancing(): void;
  /** kafkajs has given up and will not rejoin. Not called before join() has resolved. */
  crashed(error: unknown): void;
}

interface Member {
  readonly memberId: string;
  readonly memberMetadata: Buffer;
}

const assigner: PartitionAssigner = ({ cluster }: { cluster: Cluster }): Assigner => ({
  name: PROTOCOL,
  version: 0,
  async assign({ members }: { members: Member[] }) {
    const subscriptions = new Map(
      members.map((m) => [m.memberId, MemberMetadata.decode(m.memberMetadata)?.topics ?? []] as const),
    );
    const counts = new Map<string, number>();
    for (const topic of new Set([...subscriptions.values()].flat())) {
      // kafkajs knows only the topics that this member reads; another member may also read a topic that was deleted since
      await cluster.addTargetTopic(topic).catch(() => undefined);
      counts.set(topic, cluster.findTopicPartitionMetadata(topic).length);
    }
    return [...assignPartitions(subscriptions, counts)].map(([memberId, topics]) => ({
      memberId,
      memberAssignment: MemberAssignment.encode({
        version: 0,
        assignment: Object.fromEntries(topics),
        userData: Buffer.alloc(0),
      }),
    }));
  },
  protocol({ topics }: { topics: string[] }) {
    return {
      name: PROTOCOL,
      metadata: MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
    };
  },
});

const RETRY = { initialRetryTime: 100, maxRetryTime: 2_000, retries: 30 };

function clientOf({ brokers, clientId, tls, sasl, report }: KafkaLogOptions): Kafka {
  return kafkaClient({
    brokers,
    clientId: `${clientId}-group`,
    sasl,
    ssl: tls && (tls.ca === undefined ? true : { ca: [tls.ca] }),
    retry: RETRY,
    logged: (message) => report?.clientError?.('kafkajs', message),
  });
}

/** One membership, from join to leave or crash. It never fetches a record: all partitions are paused in the client, the port's read() reads them. */
export class GroupClient {
  readonly #consumer: Consumer;
  readonly #topics: readonly string[];
  readonly #callbacks: Callbacks;
  readonly #session = new SessionClock();
  #joined = false;
  #failed: unknown;
  #ended = false;

  constructor(options: KafkaLogOptions, group: string, topics: readonly string[], callbacks: Callbacks) {
    this.#topics = topics;
    this.#callbacks = callbacks;
    this.#consumer = clientOf(options).consumer({
      groupId: group,
      sessionTimeout: options.sessionMs ?? 10_000,
      rebalanceTimeout: 30_000,
      heartbeatInterval: Math.min(HEARTBEAT_MS, Math.floor((options.sessionMs ?? 10_000) / 4)),
      maxWaitTimeInMs: FETCH_WAIT_MS,
      partitionAssigners: [assigner],
      retry: { ...RETRY, restartOnFailure: () => Promise.resolve(false) },
    });
  }

  /**
   * Resolves when the first assignment has arrived and assigned() was called with it. Rejects when there is none, with SessionTooShort when it is of no
   * use to try again; crashed() is not called for that.
   */
  join(): Promise<void> {
    return this.#join().catch((error: unknown) => {
      throw sessionTooShortIn(error) ?? error;
    });
  }

  async #join(): Promise<void> {
    const { events } = this.#consumer;
    this.#consumer.on(events.GROUP_JOIN, ({ payload }) => {
      // before the first fetch. kafkajs must not read: it jumps to the earliest record when an offset is out of range, loses the order of
      // repeated headers, and a slow partition stops all others of its broker (head-of-line blocking)
      this.#consumer.pause(this.#topics.map((topic) => ({ topic })));
      this.#joined = true;
      this.#session.joined();
      this.#callbacks.heartbeat(this.#session.aliveAt);
      this.#callbacks.assigned(new Map(Object.entries(payload.memberAssignment)));
    });
    this.#consumer.on(events.REQUEST, ({ payload }) => {
      this.#session.answered(payload.apiName, payload.createdAt);
      // kafkajs tells of a rebalance when it joins again, and of a coordinator that does not know this member any more not at all.
      if (this.#session.isRefused) setImmediate(() => this.#session.isRefused && this.#callbacks.rebalancing());
    });
    this.#consumer.on(events.HEARTBEAT, () => {
      this.#session.heartbeat();
      this.#callbacks.heartbeat(this.#session.aliveAt);
    });
    this.#consumer.on(events.REBALANCING, () => this.#callbacks.rebalancing());
    this.#consumer.on(events.CRASH, ({ payload }) => {
      if (!this.#joined) this.#failed = payload.error;
      else if (!this.#ended) this.#callbacks.crashed(payload.error);
    });
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: [...this.#topics], fromBeginning: true });
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: () => Promise.resolve(),
    });
    if (!this.#joined) throw this.#failed ?? new Error('no assignment');
  }

  /** Shows the progress of the group to Kafka's own tools (lag). No member starts at these offsets. */
  async commitOffsets(offsets: readonly { topic: string; partition: number; offset: bigint }[]): Promise<void> {
    await this.#consumer.commitOffsets(offsets.map((o) => ({ ...o, offset: String(o.offset) })));
  }

  async leave(): Promise<void> {
    this.#ended = true;
    await this.#consumer.disconnect();
  }
}
