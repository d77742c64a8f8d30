import { setImmediate as nextTurn } from 'node:timers/promises';
import { isFault } from '#faults';
import type { AssignedPartition, GroupMember, OutOfRange, RecordBatch } from '#log';

const HOLD_MS = 1_000;

/** Where a lane reads: this file's log, without waiting. */
export interface Source {
  readNow(topic: string, partition: number, from: bigint): RecordBatch | OutOfRange;
  /** Calls wake when something may lie above `from`. Returns how to stop. */
  listen(topic: string, partition: number, from: bigint, wake: () => void): () => void;
}

/** One partition in the hands of one member: start, then batch after batch, never two at once. */
export class Lane {
  at: AssignedPartition;
  readonly #source: Source;
  readonly #member: GroupMember;
  readonly #abort = new AbortController();
  readonly #running: Promise<void>;
  #stopped = false;
  #paused = false;
  #askStart = true;
  #seekTo: bigint | undefined;
  /** Undefined: stands still until a seek. */
  #next: bigint | undefined;
  /** Changes with each seek and reclaim: what ran before it has no say. */
  #turn = 0;
  #poke: (() => void) | undefined;

  constructor(at: AssignedPartition, source: Source, member: GroupMember) {
    this.at = at;
    this.#source = source;
    this.#member = member;
    this.#running = this.#run();
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#poke?.();
  }

  seek(offset: bigint): void {
    this.#seekTo = offset;
    this.#turn++;
    this.#poke?.();
  }

  /** Under a new epoch start() is asked again. */
  restart(at: AssignedPartition): void {
    this.at = at;
    this.#askStart = true;
    this.#seekTo = undefined;
    this.#turn++;
    this.#poke?.();
  }

  /** No further batch; resolves when the one that runs has ended. `abort`: tell it that the partition is lost. */
  async stop(abort: boolean): Promise<void> {
    if (!this.#stopped) {
      this.#stopped = true;
      this.#poke?.();
    }
    if (abort) this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    // not within the caller's turn: the membership is there before the member hears of it
    await nextTurn();
    while (!this.#stopped) {
      try {
        await this.#step();
      } catch (e) {
        if (isFault(e) && e.code === 'unknown_topic') break;
        await this.#rest(HOLD_MS);
      }
    }
    this.#stopped = true;
    this.#abort.abort();
    this.#member.lost?.(this.at);
  }

  async #step(): Promise<void> {
    if (this.#askStart) {
      const turn = this.#turn;
      const next = await this.#member.start(this.at);
      if (turn === this.#turn) {
        this.#askStart = false;
        this.#next = next;
      } else if (this.#seekTo !== undefined) this.#askStart = false;
      return;
    }
    if (this.#seekTo !== undefined) {
      this.#next = this.#seekTo;
      this.#seekTo = undefined;
    }
    if (this.#paused || this.#next === undefined) return this.#rest();
    const { topic, partition } = this.at;
    const from = this.#next;
    const batch = this.#source.readNow(topic, partition, from);
    if (batch.kind === 'out_of_range') {
      this.#next = undefined;
      this.#member.outOfRange?.(this.at, batch);
    } else if (batch.records.length > 0) await this.#give(batch);
    else {
      this.#next = batch.next;
      const still = this.#source.listen(topic, partition, batch.next, () => this.#poke?.());
      await this.#rest().finally(still);
    }
  }

  /** The same batch again and again until the member has taken it, unless it is told to read elsewhere. */
  async #give(batch: RecordBatch): Promise<void> {
    const turn = this.#turn;
    while (turn === this.#turn && !this.#stopped) {
      if (this.#paused) {
        await this.#rest();
        continue;
      }
      let outcome: { readonly next: bigint; readonly waitMs?: number };
      try {
        outcome = await this.#member.batch(this.at, batch, this.#abort.signal);
      } catch {
        if (turn === this.#turn) await this.#rest(HOLD_MS, turn);
        continue;
      }
      if (turn !== this.#turn) return;
      this.#next = outcome.next;
      if (outcome.waitMs !== undefined && outcome.waitMs > 0) await this.#rest(outcome.waitMs, turn);
      // let the rest of the process breathe between batches
      else await nextTurn();
      return;
    }
  }

  /** Until something changes, or the time is over. With a turn: only a seek, a reclaim or the end cuts it short. */
  #rest(ms?: number, turn?: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(() => done(), ms);
      const done = (): void => {
        clearTimeout(timer);
        this.#poke = undefined;
        resolve();
      };
      this.#poke = () => {
        if (turn === undefined || turn !== this.#turn || this.#stopped) done();
      };
    });
  }
}
