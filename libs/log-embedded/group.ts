import { Mutex, pause } from '#concurrency';
import { partitionKey } from '#event';
import {
  assignPartitions,
  claimPartitions,
  PartitionLoop,
  type AssignedPartition,
  type ClaimRequest,
  type EventLog,
  type GroupMember,
  type Membership,
  type Reclaimed,
} from '#log';

/** A batch that does not heed the abort signal holds up a rebalance this long; afterwards its commits are fenced by the newer epoch (R1). */
const HAND_OVER_MS = 5_000;

/** The opened log through which a member joined. */
export interface GroupHome extends Pick<EventLog, 'append' | 'read' | 'ensureTopic'> {
  /** Written into claim records (R1). */
  readonly address: string;
  now(): number;
  /** Throws Fault `unknown_topic`. */
  shapeOf(topic: string): TopicShape;
}

export interface TopicShape {
  /** See EventLog.topicId. */
  readonly topicId: string;
  readonly partitions: number;
}

interface Member {
  /** Grows in the order of joining, as text too: the assignment rule sorts by it. */
  readonly id: string;
  readonly handler: GroupMember;
  readonly home: GroupHome;
  readonly topics: Set<string>;
  /** By topic and partition; only those that are not lost. */
  readonly loops: Map<string, PartitionLoop>;
  leaving: boolean;
}

/** The members of one group in this process. They share one assignment, which changes when a member joins, leaves or subscribes (rebalance). */
export class Group {
  readonly #name: string;
  readonly #members: Member[] = [];
  /** Rebalances run one at a time. */
  readonly #rebalances = new Mutex();
  #joined = 0;

  constructor(name: string) {
    this.#name = name;
  }

  get empty(): boolean {
    return this.#members.length === 0;
  }

  /** See EventLog.join. Resolves when the partitions of the new member are claimed. */
  async join(home: GroupHome, topics: readonly string[], handler: GroupMember): Promise<Membership> {
    for (const topic of topics) home.shapeOf(topic);
    const id = String(this.#joined++).padStart(12, '0');
    const member: Member = { id, handler, home, topics: new Set(topics), loops: new Map(), leaving: false };
    this.#members.push(member);
    await this.rebalance();
    return {
      // One process: nobody else can own anything.
      isSure: true,
      seek: (topic, partition, offset) => member.loops.get(partitionKey(topic, partition))?.seek(offset),
      subscribe: async (more) => {
        for (const topic of more) home.shapeOf(topic);
        for (const topic of more) member.topics.add(topic);
        await this.rebalance();
      },
      reclaim: (partition, above) => this.#reclaim(member, partition, above),
      leave: () => this.#leave(member),
    };
  }

  /** Rebalances: assigns all partitions again. Partitions that keep their owner are not interrupted. */
  rebalance(): Promise<void> {
    return this.#rebalances.run(async () => {
      const wanted = this.#assignment();
      await Promise.all(this.#members.map((member) => this.#takeAway(member, wanted.get(member) ?? new Map())));
      for (const [member, partitions] of wanted) await this.#give(member, partitions);
    });
  }

  #assignment(): Map<Member, Map<string, Omit<AssignedPartition, 'epoch'>>> {
    const members = this.#members.filter((member) => !member.leaving);
    const shapes = new Map<string, TopicShape>();
    for (const { topics, home } of members)
      for (const topic of topics) if (!shapes.has(topic)) shapes.set(topic, shapeOrNone(home, topic));
    const counts = new Map([...shapes].map(([topic, { partitions }]) => [topic, partitions]));
    const assigned = assignPartitions(new Map(members.map((m) => [m.id, [...m.topics]])), counts);
    return new Map(
      members.map((member) => {
        const own = new Map<string, Omit<AssignedPartition, 'epoch'>>();
        for (const [topic, partitions] of assigned.get(member.id)!) {
          const { topicId } = shapes.get(topic)!;
          for (const partition of partitions) own.set(partitionKey(topic, partition), { topic, topicId, partition });
        }
        return [member, own];
      }),
    );
  }

  async #takeAway(member: Member, wanted: ReadonlyMap<string, unknown>): Promise<void> {
    const ending: Promise<void>[] = [];
    for (const [key, loop] of member.loops) {
      if (wanted.has(key)) continue;
      member.loops.delete(key);
      ending.push(loop.lose());
    }
    if (ending.length === 0) return;
    const stop = new AbortController();
    await Promise.race([Promise.all(ending), pause(HAND_OVER_MS, stop.signal)]);
    stop.abort();
  }

  async #give(member: Member, wanted: ReadonlyMap<string, Omit<AssignedPartition, 'epoch'>>): Promise<void> {
    const fresh = [...wanted].filter(([key]) => !member.loops.has(key));
    if (fresh.length === 0) return;
    const epochs = await this.#claim(member, [...new Set(fresh.map(([, at]) => at.partition))]);
    if (!epochs) return;
    for (const [key, at] of fresh) {
      const claimed = { ...at, epoch: epochs.get(at.partition)! };
      member.loops.set(key, new PartitionLoop({ member: member.handler, log: member.home }, claimed));
    }
  }

  // Outside the mutex: a batch may wait for its reclaim, and a rebalance waits for that batch.
  async #reclaim(member: Member, partition: number, above?: bigint): Promise<Reclaimed> {
    const own = (): PartitionLoop[] => [...member.loops.values()].filter((loop) => loop.at.partition === partition);
    if (own().length === 0 || member.leaving) return { kind: 'lost' };
    let skipped = 0n;
    const epochs = await this.#claim(member, [partition], { above, skipped: (count) => (skipped = count) });
    const still = own();
    if (!epochs || still.length === 0) return { kind: 'lost' };
    const epoch = epochs.get(partition)!;
    for (const loop of still) loop.restart({ ...loop.at, epoch });
    return { kind: 'claimed', epoch, skipped };
  }

  #claim(
    member: Member,
    partitions: readonly number[],
    more: Pick<ClaimRequest, 'above' | 'skipped'> = {},
  ): Promise<ReadonlyMap<number, bigint> | undefined> {
    const { home } = member;
    return claimPartitions({
      ...more,
      log: home,
      group: this.#name,
      partitions,
      address: home.address,
      now: () => home.now(),
      wanted: () => !member.leaving,
    });
  }

  async #leave(member: Member): Promise<void> {
    if (!member.leaving) {
      member.leaving = true;
      await this.#rebalances.run(async () => {
        const loops = [...member.loops.values()];
        await Promise.all(loops.map((loop) => loop.stop()));
        member.loops.clear();
        for (const loop of loops) void loop.lose();
        this.#members.splice(this.#members.indexOf(member), 1);
      });
    }
    await this.rebalance();
  }
}

function shapeOrNone(home: GroupHome, topic: string): TopicShape {
  try {
    return home.shapeOf(topic);
  } catch {
    // deleted since it was subscribed
    return { topicId: '', partitions: 0 };
  }
}
