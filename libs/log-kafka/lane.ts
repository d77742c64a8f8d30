import type { AssignedPartition, GroupMember, OutOfRange, ReadLimits, RecordBatch } from '#log';

const HELD_MS = 1_000;
const READ_MS = 30_000;

export interface LaneParts {
  readonly member: GroupMember;
  read(topic: string, partition: number, from: bigint, limits: ReadLimits): Promise<RecordBatch | OutOfRange>;
  /** False while the coordinator has not heard us for a session: others may own the partition by now, so nothing new is handed out. */
  alive(): boolean;
  failed(at: AssignedPartition, what: 'member_failed' | 'read_failed', error: unknown): void;
}

/** One partition of a group: one loop, one batch at a time, from claim to loss. */
export class Lane {
  readonly #parts: LaneParts;
  readonly #gone = new AbortController();
  #at: AssignedPartition;
  #turn = 0;
  #loop: Promise<void> = Promise.resolve();
  #started = false;
  #paused = false;
  #seek: bigint | undefined;
  #holdUntil = 0;
  #next: bigint | undefined;
  #interrupt: () => void = () => {};

  constructor(parts: LaneParts, at: AssignedPartition) {
    this.#parts = parts;
    this.#at = at;
  }

  get at(): AssignedPartition {
    return this.#at;
  }

  /** Where this lane would read next; undefined before it has begun. */
  get next(): bigint | undefined {
    return this.#next;
  }

  /** Begins (again) under this claim: what runs ends first, then the member is asked start(). */
  begin(at: AssignedPartition): void {
    this.#at = at;
    this.#seek = undefined;
    this.#started = true;
    const turn = ++this.#turn;
    this.#interrupt();
    this.#loop = this.#loop.then(() => this.#run(turn, at));
  }

  pause(): void {
    this.#paused = true;
    this.#interrupt();
  }

  resume(): void {
    this.#paused = false;
    this.#interrupt();
  }

  seek(offset: bigint): void {
    this.#seek = offset;
    this.#holdUntil = 0;
    this.#interrupt();
  }

  /** Nothing new is handed out; resolves when the running batch has ended. */
  async finish(): Promise<void> {
    this.#turn++;
    this.#interrupt();
    await this.#loop;
  }

  /** The partition is somebody else's now. */
  end(): void {
    if (this.#gone.signal.aborted) return;
    this.#turn++;
    this.#gone.abort();
    this.#interrupt();
    if (this.#started) this.#parts.member.lost?.(this.#at);
  }

  async #run(turn: number, at: AssignedPartition): Promise<void> {
    const { member } = this.#parts;
    const mine = (): boolean => turn === this.#turn;
    let position = await this.#start(mine, at);
    let standing = false;
    let again: RecordBatch | undefined;
    this.#holdUntil = 0;
    while (position !== undefined && mine()) {
      if (this.#seek !== undefined) {
        position = this.#seek;
        this.#seek = undefined;
        standing = false;
        again = undefined;
      }
      this.#next = position;
      const hold = this.#holdUntil - Date.now();
      if (this.#paused || standing) await this.#idle();
      else if (hold > 0) await this.#idle(hold);
      else if (!this.#parts.alive()) await this.#idle(HELD_MS);
      else {
        const batch: RecordBatch | OutOfRange | undefined = again ?? (await this.#read(at, position));
        if (!mine()) return;
        // asked again after the wait: this process may have been frozen in it
        if (batch === undefined || this.#paused || this.#seek !== undefined || !this.#parts.alive()) continue;
        if (batch.kind === 'out_of_range') {
          standing = true;
          member.outOfRange?.(at, batch);
        } else if (batch.records.length === 0) position = batch.next;
        else {
          again = undefined;
          try {
            const outcome = await member.batch(at, batch, this.#gone.signal);
            position = outcome.next;
            if (outcome.waitMs !== undefined) this.#holdUntil = Date.now() + outcome.waitMs;
          } catch (error) {
            if (mine()) this.#parts.failed(at, 'member_failed', error);
            again = batch;
            this.#holdUntil = Date.now() + HELD_MS;
          }
        }
      }
    }
  }

  async #start(mine: () => boolean, at: AssignedPartition): Promise<bigint | undefined> {
    while (mine()) {
      try {
        return await this.#parts.member.start(at);
      } catch (error) {
        if (mine()) this.#parts.failed(at, 'member_failed', error);
        await this.#idle(HELD_MS);
      }
    }
    return undefined;
  }

  async #read(at: AssignedPartition, from: bigint): Promise<RecordBatch | OutOfRange | undefined> {
    const stop = new AbortController();
    this.#interrupt = () => stop.abort();
    try {
      return await this.#parts.read(at.topic, at.partition, from, { waitMs: READ_MS, signal: stop.signal });
    } catch (error) {
      this.#parts.failed(at, 'read_failed', error);
      this.#holdUntil = Date.now() + HELD_MS;
      return undefined;
    } finally {
      this.#interrupt = () => {};
    }
  }

  /** Until something changes, or `ms` have passed. */
  #idle(ms?: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#interrupt = () => {};
        resolve();
      };
      const timer = ms === undefined ? undefined : setTimeout(done, ms);
      this.#interrupt = done;
    });
  }
}
