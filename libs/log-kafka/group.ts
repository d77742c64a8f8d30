import { jittered, pause } from '#concurrency';
import { partitionKey } from '#event';
import { innermostMessage, isFault } from '#faults';
import {
  claimPartitions,
  PartitionLoop,
  type AssignedPartition,
  type ClaimRequest,
  type EventLog,
  type GroupMember,
  type Membership,
  type PartitionLoopDeps,
  type Reclaimed,
} from '#log';
import { GroupClient, SessionTooShort } from './kafkajs.js';
import type { KafkaLogOptions } from './options.js';

const JOIN_DEADLINE_MS = 30_000;
const REJOIN_MS = 1_000;
const OFFSET_COMMIT_MS = 5_000;
const SESSION_MS = 10_000;
/** Between two looks whether this member is alive again. */
const ALIVE_MS = 100;

export interface GroupDeps {
  readonly log: Pick<EventLog, 'append' | 'read' | 'ensureTopic'>;
  readonly options: KafkaLogOptions;
  /** As the port calls it: without the prefix of the deployment. */
  readonly group: string;
  /** Adds the prefix of the deployment. */
  readonly kafkaName: (name: string) => string;
  /** Removes the prefix of the deployment. */
  readonly portName: (name: string) => string;
  readonly member: GroupMember;
  /** Those of the topics that exist; all of them while Kafka does not answer. */
  existing(topics: readonly string[]): Promise<readonly string[]>;
  /** false for a partition above the number with which the topic was ensured. */
  owns(topic: string, partition: number): boolean;
  /** See EventLog.topicId. */
  topicId(topic: string): Promise<string>;
  left(group: Group): void;
}

/**
 * One member of a consumer group. kafkajs gives the membership (join, heartbeat, rebalance); every assignment is claimed with a record in
 * `_simpul.owners` (R1) before a PartitionLoop starts. The committed offsets of the group are only for Kafka's own tools.
 */
export class Group implements Membership {
  readonly #deps: GroupDeps;
  readonly #loopDeps: PartitionLoopDeps;
  /** By topic and partition, as the port calls them. */
  readonly #loops = new Map<string, PartitionLoop>();
  readonly #committed = new Map<string, bigint>();
  readonly #commitTimer: NodeJS.Timeout;
  #topics: readonly string[];
  #client: GroupClient | undefined;
  /** Grows with every assignment, loss and leave: a claim of an older generation starts nothing. */
  #generation = 0;
  /** Of partitions that the last assignment has left with this member, until start() is asked again. */
  readonly #kept = new Set<PartitionLoop>();
  #claiming: Promise<unknown> = Promise.resolve();
  /** When the last heartbeat that the coordinator accepted was sent, on the clock that nobody sets; long ago from when a rebalance begins until it has ended. */
  #heartbeatAt = Number.NEGATIVE_INFINITY;
  #ended = false;

  constructor(deps: GroupDeps, topics: readonly string[]) {
    this.#deps = deps;
    this.#topics = [...new Set(topics)];
    const { report } = deps.options;
    this.#loopDeps = {
      member: deps.member,
      log: deps.log,
      // after a session without a heartbeat the coordinator may have given the partitions to another member
      ownershipIsSure: () => this.#isAlive,
      ...(report === undefined ? {} : { report }),
    };
    this.#commitTimer = setInterval(() => void this.#commitOffsets(), OFFSET_COMMIT_MS);
    this.#commitTimer.unref();
  }

  get isSure(): boolean {
    // Another member may have owned a partition between the two assignments that left it here, and what runs of it does not know of that.
    for (const loop of this.#kept)
      if (loop.rests) return false;
      else this.#kept.delete(loop);
    return this.#isAlive;
  }

  get #isAlive(): boolean {
    return performance.now() - this.#heartbeatAt < (this.#deps.options.sessionMs ?? SESSION_MS);
  }

  /** Resolves when the first assignment is claimed. Rejects when the group cannot be joined in 30 s. */
  async join(): Promise<void> {
    const end = performance.now() + JOIN_DEADLINE_MS;
    // kafkajs takes the refusal of a coordinator that is loading or moving as final
    await this.#connect((error) => {
      if (error instanceof SessionTooShort || performance.now() > end) throw error;
    });
    await this.#claiming;
  }

  /** Tries until a client is in the group or this member leaves; `failed` may throw to give up. */
  async #connect(failed: (error: unknown) => void): Promise<void> {
    while (!this.#ended && this.#client === undefined) {
      const client = this.#newClient(await this.#deps.existing(this.#topics));
      this.#client = client;
      try {
        await client.join();
        return;
      } catch (error) {
        if (this.#client === client) this.#client = undefined;
        await client.leave().catch(() => undefined);
        failed(error);
      }
      await pause(jittered(REJOIN_MS));
    }
  }

  #newClient(topics: readonly string[]): GroupClient {
    const { options, group, kafkaName } = this.#deps;
    const client: GroupClient = new GroupClient(options, kafkaName(group), topics.map(kafkaName), {
      heartbeat: (sentAt) => {
        // kafkajs reads the wall clock: set back by an hour, it would make a member owner for an hour after its session has ended.
        const age = Math.max(0, Date.now() - sentAt);
        if (this.#client === client) this.#heartbeatAt = performance.now() - age;
      },
      rebalancing: () => {
        if (this.#client === client) this.#heartbeatAt = Number.NEGATIVE_INFINITY;
      },
      assigned: (partitions) => {
        if (this.#client === client) this.#claiming = this.#take(partitions);
      },
      crashed: (error) => {
        if (this.#client !== client || this.#ended) return;
        // kafkajs does not rejoin after a crash: a new client joins in its place
        this.#reportRejoin(innermostMessage(error));
        this.#client = undefined;
        this.#loseAll();
        void this.#connect((again) => this.#reportRejoin(innermostMessage(again)));
      },
    });
    return client;
  }

  #reportRejoin(reason: string): void {
    this.#deps.options.report?.rejoining?.(this.#deps.group, reason);
  }

  #loseAll(): void {
    this.#generation++;
    const loops = [...this.#loops.values()];
    this.#loops.clear();
    for (const loop of loops) void loop.lose();
  }

  async #take(partitions: ReadonlyMap<string, readonly number[]>): Promise<void> {
    const generation = ++this.#generation;
    const wanted = new Map<string, { topic: string; partition: number }>();
    for (const [kafkaTopic, list] of partitions) {
      const topic = this.#deps.portName(kafkaTopic);
      // Partitions that an admin added hold nothing of the hub's.
      for (const partition of list)
        if (this.#deps.owns(topic, partition)) wanted.set(partitionKey(topic, partition), { topic, partition });
    }
    this.#kept.clear();
    for (const [key, loop] of this.#loops) {
      // also what stays with this member stops: another member may have owned it between the two assignments
      if (wanted.has(key)) {
        this.#kept.add(loop);
        void loop.stop();
      } else {
        this.#loops.delete(key);
        void loop.lose();
      }
    }
    const numbers = [...new Set([...wanted.values()].map((w) => w.partition))].sort((a, b) => a - b);
    const epochs = await this.#claim(numbers, generation);
    if (!epochs) return;
    const ids = await this.#topicIds(new Set([...wanted.values()].map((w) => w.topic)), generation);
    if (!ids) return;
    for (const [key, place] of wanted) {
      const topicId = ids.get(place.topic);
      const loop = this.#loops.get(key);
      // deleted since the assignment: Kafka will assign again
      if (topicId === undefined) {
        if (loop) this.#kept.delete(loop);
        continue;
      }
      const at: AssignedPartition = { ...place, topicId, epoch: epochs.get(place.partition)! };
      if (loop) loop.restart(at);
      else this.#loops.set(key, new PartitionLoop(this.#loopDeps, at));
    }
  }

  /** undefined: there was another assignment since, or the member leaves. */
  async #claim(
    partitions: readonly number[],
    generation: number,
    more: Pick<ClaimRequest, 'above' | 'skipped'> = {},
  ): Promise<ReadonlyMap<number, bigint> | undefined> {
    const { log, options, group } = this.#deps;
    const epochs = await claimPartitions({
      ...more,
      log,
      group,
      partitions,
      address: options.address ?? options.clientId,
      now: Date.now,
      wanted: () => generation === this.#generation,
      failed: (reason) => this.#reportRejoin(reason),
    });
    return generation === this.#generation ? epochs : undefined;
  }

  /** The ids of the topics that exist; undefined: there was another assignment since, or the member leaves. */
  async #topicIds(topics: ReadonlySet<string>, generation: number): Promise<Map<string, string> | undefined> {
    const ids = new Map<string, string>();
    for (const topic of topics)
      for (let known = false; !known && generation === this.#generation;)
        try {
          ids.set(topic, await this.#deps.topicId(topic));
          known = true;
        } catch (error) {
          known = isFault(error) && error.code === 'unknown_topic';
          if (!known) {
            this.#reportRejoin(innermostMessage(error));
            await pause(jittered(REJOIN_MS));
          }
        }
    return generation === this.#generation ? ids : undefined;
  }

  async #commitOffsets(): Promise<void> {
    const moved = [];
    for (const [key, { at, next }] of this.#loops) {
      if (next === undefined || this.#committed.get(key) === next) continue;
      this.#committed.set(key, next);
      moved.push({ topic: this.#deps.kafkaName(at.topic), partition: at.partition, offset: next });
    }
    if (moved.length > 0) await this.#client?.commitOffsets(moved).catch(() => undefined);
  }

  seek(topic: string, partition: number, offset: bigint): void {
    this.#loops.get(partitionKey(topic, partition))?.seek(offset);
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    const all = [...new Set([...this.#topics, ...topics])];
    if (this.#ended || all.length === this.#topics.length) return;
    this.#topics = all;
    const client = this.#client;
    this.#client = undefined;
    await this.#stopAll();
    await client?.leave().catch(() => undefined);
    await this.#connect((error) => this.#reportRejoin(innermostMessage(error)));
    await this.#claiming;
  }

  async reclaim(partition: number, above?: bigint): Promise<Reclaimed> {
    const own = (): PartitionLoop[] => [...this.#loops.values()].filter((loop) => loop.at.partition === partition);
    const generation = this.#generation;
    // Until a heartbeat is taken, the partition may be another member's: a claim would fence that one.
    while (!this.#isAlive && generation === this.#generation) await pause(jittered(ALIVE_MS));
    if (generation !== this.#generation || own().length === 0) return { kind: 'lost' };
    let skipped = 0n;
    const epochs = await this.#claim([partition], generation, { above, skipped: (count) => (skipped = count) });
    if (!epochs) return { kind: 'lost' };
    const epoch = epochs.get(partition)!;
    for (const loop of own()) loop.restart({ ...loop.at, epoch });
    return { kind: 'claimed', epoch, skipped };
  }

  async #stopAll(): Promise<void> {
    this.#generation++;
    await Promise.all([...this.#loops.values()].map((loop) => loop.stop()));
    await this.#commitOffsets();
    this.#loseAll();
  }

  async leave(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#commitTimer);
    const client = this.#client;
    await this.#stopAll();
    this.#client = undefined;
    await client?.leave().catch(() => undefined);
    this.#deps.left(this);
  }
}
