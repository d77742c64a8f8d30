import { setTimeout as pause } from 'node:timers/promises';
import { innermostMessage } from '#faults';
import {
  OWNERS_TOPIC,
  type AssignedPartition,
  type EventLog,
  type GroupMember,
  type Membership,
  type NewRecord,
} from '#log';
import { GroupClient } from './kafkajs.js';
import { Lane, type LaneParts } from './lane.js';
import type { KafkaLogOptions } from './options.js';

const JOIN_MS = 30_000;
const REJOIN_MS = 1_000;
const HINT_MS = 5_000;
const CLAIMS_AT_ONCE = 500;

interface Parts {
  readonly log: Pick<EventLog, 'append' | 'read'>;
  readonly options: KafkaLogOptions;
  /** As the port calls it. */
  readonly group: string;
  /** As Kafka calls them. */
  readonly outer: (name: string) => string;
  readonly inner: (name: string) => string;
  readonly member: GroupMember;
  /** Those of the topics that exist; all of them when that cannot be known now. */
  present(topics: readonly string[]): Promise<readonly string[]>;
  left(group: Group): void;
}

const nameOf = (topic: string, partition: number): string => `${topic}/${partition}`;

/**
 * A member of a group. kafkajs says which partitions are ours; every assignment is claimed with a record in `_simpul.owners` (R1) before
 * anything is asked or read; the reading is the log's own read().
 */
export class Group implements Membership {
  readonly #parts: Parts;
  readonly #lanes = new Map<string, Lane>();
  readonly #laneParts: LaneParts;
  readonly #paused = new Set<string>();
  readonly #hinted = new Map<string, bigint>();
  readonly #hints: NodeJS.Timeout;
  #topics: readonly string[];
  #client: GroupClient | undefined;
  /** Grows with every assignment, loss and leave: what was begun for an older one is dropped. */
  #turn = 0;
  #claiming: Promise<unknown> = Promise.resolve();
  #heard = 0;
  #ended = false;

  constructor(parts: Parts, topics: readonly string[]) {
    this.#parts = parts;
    this.#topics = [...new Set(topics)];
    const sessionMs = parts.options.sessionMs ?? 10_000;
    this.#laneParts = {
      member: parts.member,
      read: (topic, partition, from, limits) => parts.log.read(topic, partition, from, limits),
      alive: () => Date.now() - this.#heard < sessionMs,
      failed: (at, kind, error) =>
        parts.options.onEvent?.({ kind, topic: at.topic, partition: at.partition, detail: innermostMessage(error) }),
    };
    this.#hints = setInterval(() => void this.#hint(), HINT_MS);
    this.#hints.unref();
  }

  /** Resolves when the first assignment is claimed. Rejects when the group cannot be joined in 30 s. */
  async join(): Promise<void> {
    const end = Date.now() + JOIN_MS;
    // a coordinator that is just loading, or moving, refuses; kafkajs takes that as final
    await this.#connect((error) => {
      if (Date.now() > end) throw error;
    });
    await this.#claiming;
  }

  async #connect(failed: (error: unknown) => void): Promise<void> {
    while (!this.#ended && this.#client === undefined) {
      const topics = await this.#parts.present(this.#topics);
      const client = this.#newClient(topics);
      this.#client = client;
      try {
        await client.join();
        return;
      } catch (error) {
        if (this.#client === client) this.#client = undefined;
        await client.leave().catch(() => undefined);
        failed(error);
      }
      await pause(REJOIN_MS);
    }
  }

  #newClient(topics: readonly string[]): GroupClient {
    const { options, group, outer } = this.#parts;
    const client: GroupClient = new GroupClient(options, outer(group), topics.map(outer), {
      alive: () => {
        if (this.#client === client) this.#heard = Date.now();
      },
      assigned: (partitions) => {
        if (this.#client === client) this.#claiming = this.#take(partitions);
      },
      crashed: (error) => {
        if (this.#client !== client || this.#ended) return;
        // kafkajs has given up: a new member takes its place, until it works or we leave
        this.#tell(error);
        this.#client = undefined;
        this.#dropAll();
        void this.#connect((again) => this.#tell(again));
      },
    });
    return client;
  }

  #tell(error: unknown): void {
    this.#parts.options.onEvent?.({ kind: 'rejoining', detail: `${this.#parts.group}: ${innermostMessage(error)}` });
  }

  #dropAll(): void {
    this.#turn++;
    const lanes = [...this.#lanes.values()];
    this.#lanes.clear();
    for (const lane of lanes) lane.end();
  }

  async #take(partitions: ReadonlyMap<string, readonly number[]>): Promise<void> {
    const turn = ++this.#turn;
    const wanted = new Map<string, { topic: string; partition: number }>();
    for (const [outer, list] of partitions) {
      const topic = this.#parts.inner(outer);
      for (const partition of list) wanted.set(nameOf(topic, partition), { topic, partition });
    }
    for (const [name, lane] of this.#lanes) {
      if (wanted.has(name)) {
        // ours again, but others may have had it in between: nothing more under the old claim
        void lane.finish();
        continue;
      }
      this.#lanes.delete(name);
      lane.end();
    }
    const numbers = [...new Set([...wanted.values()].map((w) => w.partition))].sort((a, b) => a - b);
    const epochs = await this.#claim(numbers, () => turn === this.#turn);
    if (!epochs || turn !== this.#turn) return;
    for (const [name, { topic, partition }] of wanted) {
      const at: AssignedPartition = { topic, partition, epoch: epochs.get(partition)! };
      let lane = this.#lanes.get(name);
      if (!lane) {
        lane = new Lane(this.#laneParts, at);
        if (this.#paused.has(name)) lane.pause();
        this.#lanes.set(name, lane);
      }
      lane.begin(at);
    }
  }

  /** The epoch of each number: the offset of its claim record. Tries until it is durable; undefined when it is no longer wanted. */
  async #claim(numbers: readonly number[], wanted: () => boolean): Promise<ReadonlyMap<number, bigint> | undefined> {
    const { log, options, group } = this.#parts;
    const epochs = new Map<number, bigint>();
    for (let i = 0; i < numbers.length;) {
      const some = numbers.slice(i, i + CLAIMS_AT_ONCE);
      const value = Buffer.from(
        JSON.stringify({ address: options.address ?? options.clientId, time: new Date().toISOString() }),
      );
      const records: NewRecord[] = some.map((n) => ({ key: Buffer.from(nameOf(group, n)), value, headers: [] }));
      const done = await log.append(OWNERS_TOPIC, 0, records);
      if (!wanted()) return undefined;
      if (done.kind === 'accepted') {
        some.forEach((n, j) => epochs.set(n, done.base + BigInt(j)));
        i += some.length;
      } else {
        this.#tell(new Error(`claim ${done.kind}`));
        await pause(REJOIN_MS);
        if (!wanted()) return undefined;
      }
    }
    return epochs;
  }

  async #hint(): Promise<void> {
    const moved = [];
    for (const [name, lane] of this.#lanes) {
      const { next } = lane;
      if (next === undefined || this.#hinted.get(name) === next) continue;
      this.#hinted.set(name, next);
      moved.push({ topic: this.#parts.outer(lane.at.topic), partition: lane.at.partition, offset: next });
    }
    if (moved.length > 0) await this.#client?.hint(moved).catch(() => undefined);
  }

  assigned(): readonly AssignedPartition[] {
    return [...this.#lanes.values()].map((lane) => lane.at);
  }

  pause(topic: string, partition: number): void {
    this.#paused.add(nameOf(topic, partition));
    this.#lanes.get(nameOf(topic, partition))?.pause();
  }

  resume(topic: string, partition: number): void {
    this.#paused.delete(nameOf(topic, partition));
    this.#lanes.get(nameOf(topic, partition))?.resume();
  }

  seek(topic: string, partition: number, offset: bigint): void {
    this.#lanes.get(nameOf(topic, partition))?.seek(offset);
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    const all = [...new Set([...this.#topics, ...topics])];
    if (this.#ended || all.length === this.#topics.length) return;
    this.#topics = all;
    const client = this.#client;
    this.#client = undefined;
    await this.#stopLanes();
    await client?.leave().catch(() => undefined);
    await this.#connect((error) => this.#tell(error));
    await this.#claiming;
  }

  async reclaim(partition: number): Promise<boolean> {
    const turn = this.#turn;
    const ours = (): Lane[] => [...this.#lanes.values()].filter((lane) => lane.at.partition === partition);
    if (ours().length === 0) return false;
    const epochs = await this.#claim([partition], () => turn === this.#turn);
    if (!epochs) return false;
    for (const lane of ours()) lane.begin({ ...lane.at, epoch: epochs.get(partition)! });
    return true;
  }

  async #stopLanes(): Promise<void> {
    this.#turn++;
    await Promise.all([...this.#lanes.values()].map((lane) => lane.finish()));
    await this.#hint();
    this.#dropAll();
  }

  async leave(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#hints);
    const client = this.#client;
    await this.#stopLanes();
    this.#client = undefined;
    await client?.leave().catch(() => undefined);
    this.#parts.left(this);
  }
}
