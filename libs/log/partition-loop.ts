import { setImmediate as nextTurn } from 'node:timers/promises';
import { jittered, pause } from '#concurrency';
import type { AssignedPartition, EventLog, GroupMember, ReadAnswer, RecordBatch } from './port.js';

/** After a failed start, read or batch, before the same step is tried again. */
const RETRY_MS = 1_000;
/** Long poll of one read at the end of the log. */
const LONG_POLL_MS = 30_000;
/** The longest delay of a timer: until something else wakes the loop. */
const FOREVER_MS = 0x7fff_ffff;

export interface PartitionReport {
  /** start() or batch() of the member threw. The same call is made again after 1 s. */
  memberFailed?(at: AssignedPartition, error: unknown): void;
  /** The log could not be read. The same read is made again after 1 s. */
  readFailed?(at: AssignedPartition, error: unknown): void;
}

export interface PartitionLoopDeps {
  readonly member: GroupMember;
  readonly log: Pick<EventLog, 'read'>;
  /** False while another member may own the partition already (the session of this one has lapsed): nothing new is handed out. @default always true */
  readonly ownershipIsSure?: () => boolean;
  readonly report?: PartitionReport;
}

/**
 * One partition of a group in the hands of one member, from its claim to its loss: start(), then read and batch() again and again, never two
 * calls at once. An adapter makes one for each partition that it assigns to a member, after the claim, and calls restart(), stop() and lose().
 * The promises to the member are those of GroupMember.
 */
export class PartitionLoop {
  readonly #deps: PartitionLoopDeps;
  readonly #lost = new AbortController();
  #at: AssignedPartition;
  /** Grows with restart, stop and lose: a run of an older generation hands out nothing more. */
  #generation = 0;
  #running: Promise<void> = Promise.resolve();
  /** Aborted to end a wait or a long poll; renewed by the loop. */
  #interrupt = new AbortController();
  #seekTo: bigint | undefined;
  #next: bigint | undefined;
  /** Leader epoch at `next − 1`, when it is known (ReadLimits.lastEpoch). */
  #lastEpoch: number | undefined;
  #interrupted = false;
  #rests = false;
  /** The batch that the member has thrown at. */
  #failedBatch: RecordBatch | undefined;
  /** On the clock of performance.now(). */
  #holdUntil = 0;

  /** Starts at once under this claim. */
  constructor(deps: PartitionLoopDeps, at: AssignedPartition) {
    this.#deps = deps;
    this.#at = at;
    this.restart(at);
  }

  get at(): AssignedPartition {
    return this.#at;
  }

  /** The offset to be read next; undefined before start() has answered. */
  get next(): bigint | undefined {
    return this.#next;
  }

  /** From stop() until start() is asked after a restart(): what the member does beside batches is still that of the claim before. */
  get rests(): boolean {
    return this.#rests;
  }

  /** Goes on under another claim of the same partition: the batch that runs is finished, its outcome is ignored, then start() is asked. */
  restart(at: AssignedPartition): void {
    if (this.#lost.signal.aborted) return;
    this.#at = at;
    this.#seekTo = undefined;
    const generation = this.#nextGeneration();
    this.#running = this.#running.then(() => this.#run(generation));
  }

  /** See Membership.seek. Ends a hold and an interruption. */
  seek(offset: bigint): void {
    this.#seekTo = offset;
    this.#interrupt.abort();
  }

  /** Hands out nothing new, until restart(). Resolves when the batch that runs has ended. */
  async stop(): Promise<void> {
    this.#rests = true;
    this.#nextGeneration();
    await this.#running;
  }

  /** The partition belongs to another member now, for good: aborts the signal of the batch that runs and calls lost(), both at once. Resolves as stop() does. */
  async lose(): Promise<void> {
    if (!this.#lost.signal.aborted) {
      this.#nextGeneration();
      this.#lost.abort();
      try {
        this.#deps.member.lost?.(this.#at);
      } catch (error) {
        this.#deps.report?.memberFailed?.(this.#at, error);
      }
    }
    await this.#running;
  }

  #nextGeneration(): number {
    this.#interrupt.abort();
    return ++this.#generation;
  }

  async #run(generation: number): Promise<void> {
    // join() resolves first: a member has its membership before it is asked start()
    await nextTurn();
    const current = (): boolean => generation === this.#generation;
    this.#next = undefined;
    this.#lastEpoch = undefined;
    this.#interrupted = false;
    this.#failedBatch = undefined;
    this.#holdUntil = 0;
    while (current()) {
      // everything that an interrupt may have changed is looked at below
      if (this.#interrupt.signal.aborted) this.#interrupt = new AbortController();
      if (this.#next !== undefined) this.#takeSeek();
      const holdMs = this.#holdUntil - performance.now();
      if (holdMs > 0) await this.#wait(holdMs);
      else if (this.#interrupted) await this.#wait(FOREVER_MS);
      else if (this.#next === undefined) await this.#start(current, this.#at);
      else if (!this.#isSure()) await this.#wait(jittered(RETRY_MS));
      else {
        const read = this.#failedBatch ?? (await this.#read(current, this.#at, this.#next));
        // asked again: this process may have been frozen while it read
        if (read && current() && this.#seekTo === undefined && this.#isSure())
          await this.#handOut(current, this.#at, read);
      }
    }
  }

  #isSure(): boolean {
    return this.#deps.ownershipIsSure?.() ?? true;
  }

  #wait(ms: number): Promise<void> {
    return pause(ms, this.#interrupt.signal);
  }

  #hold(ms: number): void {
    this.#holdUntil = performance.now() + ms;
  }

  #takeSeek(): void {
    if (this.#seekTo === undefined) return;
    this.#next = this.#seekTo;
    this.#lastEpoch = undefined;
    this.#seekTo = undefined;
    this.#interrupted = false;
    this.#failedBatch = undefined;
    this.#holdUntil = 0;
  }

  async #start(current: () => boolean, at: AssignedPartition): Promise<void> {
    try {
      this.#rests = false;
      const { offset, lastEpoch } = await this.#deps.member.start(at);
      if (!current()) return;
      // A member without types may answer none: without an error the loop would ask it again and again, and nothing else would run.
      if (typeof offset !== 'bigint') throw new TypeError('start() has answered no offset');
      this.#next = offset;
      this.#lastEpoch = lastEpoch;
    } catch (error) {
      if (!current()) return;
      this.#deps.report?.memberFailed?.(at, error);
      this.#hold(jittered(RETRY_MS));
    }
  }

  async #read(current: () => boolean, at: AssignedPartition, from: bigint): Promise<ReadAnswer | undefined> {
    const { signal } = this.#interrupt;
    const { topic, partition, topicId } = at;
    const lastEpoch = this.#lastEpoch;
    try {
      return await this.#deps.log.read(topic, partition, from, {
        topicId,
        ...(lastEpoch === undefined ? {} : { lastEpoch }),
        waitMs: LONG_POLL_MS,
        signal,
      });
    } catch (error) {
      if (!current()) return undefined;
      this.#deps.report?.readFailed?.(at, error);
      this.#hold(jittered(RETRY_MS));
      return undefined;
    }
  }

  async #handOut(current: () => boolean, at: AssignedPartition, read: ReadAnswer): Promise<void> {
    const { member, report } = this.#deps;
    try {
      if (read.kind !== 'records') {
        this.#interrupted = true;
        if (read.kind === 'recreated') this.#at = { ...at, topicId: read.topicId };
        member.interrupted?.(this.#at, read);
      } else if (read.records.length > 0 || read.next !== this.#next) {
        const { next, waitMs = 0 } = await member.batch(at, read, this.#lost.signal);
        if (!current() || this.#seekTo !== undefined) return;
        this.#moveTo(next, read);
        this.#failedBatch = undefined;
        if (waitMs > 0) this.#hold(waitMs);
      }
    } catch (error) {
      if (!current()) return;
      report?.memberFailed?.(at, error);
      if (read.kind === 'records') this.#failedBatch = read;
      this.#hold(jittered(RETRY_MS));
    }
  }

  /** An epoch that does not belong to the record before `next` would make the log look truncated: it is kept only where the batch shows it. */
  #moveTo(next: bigint, read: RecordBatch): void {
    if (next === this.#next) return;
    const before = read.records.findLast((r) => r.offset === next - 1n);
    this.#lastEpoch = next === read.next ? read.lastEpoch : before?.leaderEpoch;
    this.#next = next;
  }
}
