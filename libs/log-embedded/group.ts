import type { AssignedPartition, GroupMember, Membership } from '#log';
import { Lane, type Source } from './lane.js';

const HAND_OVER_MS = 5_000;

/** What a group needs of the log it was joined through. */
export interface Home extends Source {
  /** Throws Fault `unknown_topic`. */
  partitionsOf(topic: string): number;
  /** Appends one claim record per partition number (R1). Undefined: not durable now. */
  claimEpochs(group: string, numbers: readonly number[]): Promise<readonly bigint[] | undefined>;
  /** Resolves after the time, or at once when the log closes. */
  pause(ms: number): Promise<void>;
}

interface Seat {
  readonly member: GroupMember;
  readonly home: Home;
  readonly topics: Set<string>;
  leaving: boolean;
}

/** The members of one group in this process, and who has which partition. */
export class Group {
  readonly name: string;
  readonly #seats: Seat[] = [];
  readonly #lanes = new Map<string, { readonly seat: Seat; readonly lane: Lane }>();
  readonly #epochs = new Map<number, { readonly seat: Seat; epoch: bigint }>();
  #turns: Promise<unknown> = Promise.resolve();

  constructor(name: string) {
    this.name = name;
  }

  get empty(): boolean {
    return this.#seats.length === 0;
  }

  async join(home: Home, topics: readonly string[], member: GroupMember): Promise<Membership> {
    for (const topic of topics) home.partitionsOf(topic);
    const seat: Seat = { member, home, topics: new Set(topics), leaving: false };
    this.#seats.push(seat);
    await this.#inTurn(() => this.#rebalance());
    return {
      assigned: () => this.#lanesOf(seat).map(({ lane }) => lane.at),
      pause: (topic, partition) => this.#laneOf(seat, topic, partition)?.pause(),
      resume: (topic, partition) => this.#laneOf(seat, topic, partition)?.resume(),
      seek: (topic, partition, offset) => this.#laneOf(seat, topic, partition)?.seek(offset),
      subscribe: async (more) => {
        for (const topic of more) home.partitionsOf(topic);
        for (const topic of more) seat.topics.add(topic);
        await this.#inTurn(() => this.#rebalance());
      },
      reclaim: (partition) => this.#reclaim(seat, partition),
      leave: () => this.#leave(seat),
    };
  }

  async #leave(seat: Seat): Promise<void> {
    if (seat.leaving) return this.#turns.then(() => undefined);
    seat.leaving = true;
    await this.#inTurn(async () => {
      await Promise.all(this.#lanesOf(seat).map(({ lane }) => lane.stop(false)));
      this.#forgetStopped();
      this.#seats.splice(this.#seats.indexOf(seat), 1);
    });
    await this.#inTurn(() => this.#rebalance());
  }

  async #reclaim(seat: Seat, partition: number): Promise<boolean> {
    const held = this.#epochs.get(partition);
    if (held?.seat !== seat || seat.leaving) return false;
    const epochs = await this.#claim(seat, [partition]);
    // another may have got the partition meanwhile; its claim is then the younger one
    if (!epochs || this.#epochs.get(partition) !== held || seat.leaving) return false;
    held.epoch = epochs[0]!;
    for (const { lane } of this.#lanesOf(seat))
      if (lane.at.partition === partition && !lane.stopped) lane.restart({ ...lane.at, epoch: held.epoch });
    return true;
  }

  /** Only one at a time: who has what never changes under a running rebalance. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turns.then(work);
    this.#turns = done.catch(() => undefined);
    return done;
  }

  async #rebalance(): Promise<void> {
    const wanted = this.#wanted();
    const stopping: Promise<void>[] = [];
    for (const [key, { seat, lane }] of this.#lanes) {
      if (wanted.get(key)?.seat === seat && !lane.stopped) continue;
      // a batch that hears nothing of the abort is fenced by its older epoch
      stopping.push(Promise.race([lane.stop(true), seat.home.pause(HAND_OVER_MS)]));
    }
    await Promise.all(stopping);
    this.#forgetStopped();

    const claims = new Map<Seat, Set<number>>();
    for (const { seat, partition } of wanted.values()) {
      if (this.#epochs.get(partition)?.seat === seat) continue;
      let numbers = claims.get(seat);
      if (!numbers) claims.set(seat, (numbers = new Set()));
      numbers.add(partition);
    }
    for (const [seat, set] of claims) {
      const numbers = [...set];
      const epochs = await this.#claim(seat, numbers);
      if (epochs) numbers.forEach((number, i) => this.#epochs.set(number, { seat, epoch: epochs[i]! }));
    }
    for (const [key, { seat, topic, partition }] of wanted) {
      const held = this.#epochs.get(partition);
      if (this.#lanes.has(key) || held?.seat !== seat || seat.leaving) continue;
      const at: AssignedPartition = { topic, partition, epoch: held.epoch };
      this.#lanes.set(key, { seat, lane: new Lane(at, seat.home, seat.member) });
    }
  }

  /** Partition p of every topic to the same member: the (p mod members)-th of those who read the topic, in order of joining. */
  #wanted(): Map<string, { seat: Seat; topic: string; partition: number }> {
    const seats = this.#seats.filter((s) => !s.leaving);
    const wanted = new Map<string, { seat: Seat; topic: string; partition: number }>();
    const topics = new Set(seats.flatMap((s) => [...s.topics]));
    for (const topic of topics) {
      const readers = seats.filter((s) => s.topics.has(topic));
      for (let partition = 0; partition < partitionsOf(readers[0]!.home, topic); partition++) {
        const first = seats[partition % seats.length]!;
        const seat = first.topics.has(topic) ? first : readers[partition % readers.length]!;
        wanted.set(`${topic}/${partition}`, { seat, topic, partition });
      }
    }
    return wanted;
  }

  async #claim(seat: Seat, numbers: readonly number[]): Promise<readonly bigint[] | undefined> {
    while (!seat.leaving) {
      const epochs = await seat.home.claimEpochs(this.name, numbers);
      if (epochs) return epochs;
      await seat.home.pause(1_000);
    }
    return undefined;
  }

  #forgetStopped(): void {
    for (const [key, { lane }] of this.#lanes) if (lane.stopped) this.#lanes.delete(key);
    const held = new Set([...this.#lanes.values()].map(({ lane }) => lane.at.partition));
    for (const number of this.#epochs.keys()) if (!held.has(number)) this.#epochs.delete(number);
  }

  #lanesOf(seat: Seat): { lane: Lane }[] {
    return [...this.#lanes.values()].filter((l) => l.seat === seat && !l.lane.stopped);
  }

  #laneOf(seat: Seat, topic: string, partition: number): Lane | undefined {
    const found = this.#lanes.get(`${topic}/${partition}`);
    return found?.seat === seat ? found.lane : undefined;
  }
}

function partitionsOf(home: Home, topic: string): number {
  try {
    return home.partitionsOf(topic);
  } catch {
    // deleted since it was subscribed
    return 0;
  }
}
