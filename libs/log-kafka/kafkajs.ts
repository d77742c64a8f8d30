import { createRequire } from 'node:module';
import {
  AssignerProtocol,
  Kafka,
  logLevel,
  type Assigner,
  type Cluster,
  type Consumer,
  type KafkaConfig,
  type PartitionAssigner,
} from 'kafkajs';
import { assign } from './assignment.js';
import type { KafkaLogOptions } from './options.js';

/** The only file that knows kafkajs: membership of a group (join, heartbeat, assignment, offsets as hints). */

const { MemberMetadata, MemberAssignment } = AssignerProtocol;
const HEARTBEAT_MS = 1_000;
const LOOP_MS = 800;
/** Under another name an older assigner would be mixed with this one. */
const PROTOCOL = 'simpul-by-number';

/** kafkajs arms a timer of a negative delay when nothing is pending, which runs every millisecond for ever: 3 % of a core per idle client. */
function patchTimer(): void {
  const require = createRequire(import.meta.url);
  const queue = require('kafkajs/src/network/requestQueue') as {
    prototype: { scheduleCheckPendingRequests(): void; patched?: true };
  };
  if (queue.prototype.patched) return;
  const original = queue.prototype.scheduleCheckPendingRequests;
  queue.prototype.scheduleCheckPendingRequests = function (this: { pending: unknown[] }): void {
    if (this.pending.length > 0) original.call(this);
  };
  queue.prototype.patched = true;
}

export interface Callbacks {
  /** A new assignment: topic → partitions. */
  assigned(partitions: ReadonlyMap<string, readonly number[]>): void;
  /** The coordinator has heard us. */
  alive(): void;
  /** The member is out of the group for good; make another. */
  crashed(error: unknown): void;
}

interface Member {
  readonly memberId: string;
  readonly memberMetadata: Buffer;
}

const byNumber: PartitionAssigner = ({ cluster }: { cluster: Cluster }): Assigner => ({
  name: PROTOCOL,
  version: 0,
  async assign({ members }: { members: Member[] }) {
    const wishes = new Map(
      members.map((m) => [m.memberId, MemberMetadata.decode(m.memberMetadata)?.topics ?? []] as const),
    );
    const counts = new Map<string, number>();
    for (const topic of new Set([...wishes.values()].flat())) {
      // the leader may not read every topic of the others, and one may be gone by now
      await cluster.addTargetTopic(topic).catch(() => undefined);
      counts.set(topic, cluster.findTopicPartitionMetadata(topic).length);
    }
    return [...assign(wishes, counts)].map(([memberId, assignment]) => ({
      memberId,
      memberAssignment: MemberAssignment.encode({ version: 0, assignment, userData: Buffer.alloc(0) }),
    }));
  },
  protocol({ topics }: { topics: string[] }) {
    return {
      name: PROTOCOL,
      metadata: MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
    };
  },
});

function configOf(options: KafkaLogOptions): KafkaConfig {
  const config: KafkaConfig = {
    clientId: `${options.clientId}-group`,
    brokers: [...options.brokers],
    requestTimeout: 10_000,
    connectionTimeout: 3_000,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 30 },
    logLevel: logLevel.ERROR,
    logCreator:
      () =>
      ({ log }) =>
        options.onEvent?.({ kind: 'client_log', detail: `kafkajs: ${log.message}` }),
  };
  if (options.tls) config.ssl = options.tls.ca === undefined ? true : { ca: [options.tls.ca] };
  if (options.sasl) {
    const { mechanism, username, password } = options.sasl;
    if (mechanism === 'PLAIN') config.sasl = { mechanism: 'plain', username, password };
    else if (mechanism === 'SCRAM-SHA-256') config.sasl = { mechanism: 'scram-sha-256', username, password };
    else config.sasl = { mechanism: 'scram-sha-512', username, password };
  }
  return config;
}

/** One membership, from join to leave or crash. It never reads a record: all partitions stay paused in the client. */
export class GroupClient {
  readonly #consumer: Consumer;
  readonly #topics: readonly string[];
  readonly #callbacks: Callbacks;
  #joined = false;
  #failed: unknown;
  #ended = false;

  constructor(options: KafkaLogOptions, group: string, topics: readonly string[], callbacks: Callbacks) {
    patchTimer();
    this.#topics = topics;
    this.#callbacks = callbacks;
    this.#consumer = new Kafka(configOf(options)).consumer({
      groupId: group,
      sessionTimeout: options.sessionMs ?? 10_000,
      rebalanceTimeout: 30_000,
      heartbeatInterval: Math.min(HEARTBEAT_MS, Math.floor((options.sessionMs ?? 10_000) / 4)),
      maxWaitTimeInMs: LOOP_MS,
      partitionAssigners: [byNumber],
      retry: {
        initialRetryTime: 100,
        maxRetryTime: 2_000,
        retries: 30,
        restartOnFailure: () => Promise.resolve(false),
      },
    });
  }

  /** Resolves when the first assignment is here (assigned() was called with it); rejects when there is none. crashed() is for later. */
  async join(): Promise<void> {
    const { events } = this.#consumer;
    this.#consumer.on(events.GROUP_JOIN, ({ payload }) => {
      // before its first fetch: kafkajs goes to the earliest record when an offset is out of range, loses the order of headers that repeat,
      // and lets a slow partition hold up all others of its broker
      this.#consumer.pause(this.#topics.map((topic) => ({ topic })));
      this.#joined = true;
      this.#callbacks.alive();
      this.#callbacks.assigned(new Map(Object.entries(payload.memberAssignment)));
    });
    this.#consumer.on(events.HEARTBEAT, () => this.#callbacks.alive());
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

  /** Tells Kafka's tools how far the group is. Only a hint: nobody begins there. */
  async hint(offsets: readonly { topic: string; partition: number; offset: bigint }[]): Promise<void> {
    await this.#consumer.commitOffsets(offsets.map((o) => ({ ...o, offset: String(o.offset) })));
  }

  async leave(): Promise<void> {
    this.#ended = true;
    await this.#consumer.disconnect();
  }
}
