import { createRequire } from 'node:module';
import { connect as netConnect, isIP } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import {
  AssignerProtocol,
  Kafka,
  logLevel,
  type Assigner,
  type Cluster,
  type Consumer,
  type ISocketFactory,
  type KafkaConfig,
  type PartitionAssigner,
} from 'kafkajs';
import { assignPartitions } from '#log';
import type { KafkaLogOptions } from './options.js';
import { SessionClock } from './session.js';

/** The only file that imports kafkajs: the membership of a consumer group (join, heartbeat, assignment, offset commits for Kafka's own tools). */

const { MemberMetadata, MemberAssignment } = AssignerProtocol;
const HEARTBEAT_MS = 1_000;
const FETCH_WAIT_MS = 800;
const KEEP_ALIVE_MS = 60_000;
/** Kafka refuses a member whose assigner has another name than that of the group: change it only together with the meaning of the metadata. */
const PROTOCOL = 'simpul-by-number';

/** kafkajs sets a timer with a negative delay when no request is pending; it then fires every millisecond and costs 3 % of a core per idle client. */
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

/** A broker refuses a client that authenticates a connection again within one second, so a shorter session could not be kept by a client that asks once a second. */
const SHORTEST_SESSION_MS = 3_000;
const AHEAD_MS = 10_000;

/**
 * kafkajs authenticates a connection again 10 s before its SASL session ends (connections.max.reauth.ms), which for a session of 10 s or less is before
 * every request: the broker closes the connection. Here it is at half of the session, at most 10 s before its end.
 */
function patchReauthentication(): void {
  const require = createRequire(import.meta.url);
  const connection = require('kafkajs/src/network/connection') as {
    prototype: { sessionLifetime: { toNumber(): number }; reauthenticationThreshold: number };
  };
  if (Object.hasOwn(connection.prototype, 'reauthenticationThreshold')) return;
  Object.defineProperty(connection.prototype, 'reauthenticationThreshold', {
    get(this: { sessionLifetime: { toNumber(): number } }): number {
      return reauthenticateAheadMs(this.sessionLifetime.toNumber());
    },
    set() {
      // the constructor of kafkajs sets its default
    },
  });
}

/** No client can keep a SASL session so short; the message names the setting of the broker. */
export class SessionTooShort extends Error {
  /** kafkajs tries again for a minute what does not say that it is final. */
  readonly retriable = false;
}

function sessionTooShortIn(error: unknown): SessionTooShort | undefined {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof SessionTooShort) return e;
  return undefined;
}

/** How long before the end of a SASL session of so many ms a connection is authenticated again. Throws SessionTooShort. */
export function reauthenticateAheadMs(sessionMs: number): number {
  if (sessionMs > 0 && sessionMs < SHORTEST_SESSION_MS)
    throw new SessionTooShort(
      `SASL sessions of ${sessionMs} ms are too short: connections.max.reauth.ms must be ${SHORTEST_SESSION_MS} or more`,
    );
  return Math.min(AHEAD_MS, sessionMs / 2);
}

export interface Callbacks {
  /** A new assignment: topic → partitions, as Kafka calls them. */
  assigned(partitions: ReadonlyMap<string, readonly number[]>): void;
  /** The coordinator has accepted a heartbeat or a join that was sent at `sentAt`, ms since 1970. */
  heartbeat(sentAt: number): void;
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

/** kafkajs splits a bootstrap broker at its first colon: an IPv6 address goes through it without colons. */
const withoutColons = (broker: string): string =>
  broker.startsWith('[') ? broker.replace(/^\[[^\]]*\]/, (address) => address.replaceAll(':', '~')) : broker;

/** As the factory of kafkajs, which it does not export, but for the host of withoutColons(). */
const connect: ISocketFactory = ({ host: given, port, ssl, onConnect }) => {
  const host = given.startsWith('[') ? given.slice(1, -1).replaceAll('~', ':') : given;
  const socket = ssl
    ? tlsConnect({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect)
    : netConnect({ host, port }, onConnect);
  return socket.setKeepAlive(true, KEEP_ALIVE_MS);
};

function configOf(options: KafkaLogOptions): KafkaConfig {
  const config: KafkaConfig = {
    clientId: `${options.clientId}-group`,
    brokers: options.brokers.map(withoutColons),
    socketFactory: connect,
    requestTimeout: 10_000,
    connectionTimeout: 3_000,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 30 },
    logLevel: logLevel.ERROR,
    logCreator:
      () =>
      ({ log }) =>
        options.report?.clientError?.('kafkajs', log.message),
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
    patchTimer();
    patchReauthentication();
    this.#topics = topics;
    this.#callbacks = callbacks;
    this.#consumer = new Kafka(configOf(options)).consumer({
      groupId: group,
      sessionTimeout: options.sessionMs ?? 10_000,
      rebalanceTimeout: 30_000,
      heartbeatInterval: Math.min(HEARTBEAT_MS, Math.floor((options.sessionMs ?? 10_000) / 4)),
      maxWaitTimeInMs: FETCH_WAIT_MS,
      partitionAssigners: [assigner],
      retry: {
        initialRetryTime: 100,
        maxRetryTime: 2_000,
        retries: 30,
        restartOnFailure: () => Promise.resolve(false),
      },
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
    this.#consumer.on(events.REQUEST, ({ payload }) => this.#session.answered(payload.apiName, payload.createdAt));
    this.#consumer.on(events.HEARTBEAT, () => {
      this.#session.heartbeat();
      this.#callbacks.heartbeat(this.#session.aliveAt);
    });
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
