import { Fault } from '#faults';
import { proofBehindHole, proofOfBeginning, type AssignedPartition, type LogRecord } from '#log';
import type { EventRecord } from '#registry';
import type { Progress } from '#state';
import { endOf, trustedCheckpoint, type CheckpointDeps } from './checkpoint.js';
import { findCopies, type IndexDeps, type OwnedPartition } from './index-step.js';
import { INDEX_VIEW } from './index-view.js';
import { openRecords, type OpenRecordsDeps } from './open-records.js';
import { beginningOf, PositionTrace, recheck, recheckAllFrom, recheckFrom } from './recheck.js';

const RELISTED_AT_ONCE = 500;

/** What the duplicate index reports. All calls return at once. */
export interface DuplicatesReport {
  /**
   * `_simpul.settled` does not have the copies of this partition: those of [from, next) are looked for again. Of events that are older than the index keeps, copies
   * are not found again. Alarm.
   */
  relisting?(at: {
    readonly stream: string;
    readonly partition: number;
    readonly from: bigint;
    readonly next: bigint;
  }): void;
  /** Copies were found among new records, and listed. */
  copies?(stream: string, partition: number, count: number): void;
}

export interface DuplicateIndexDeps extends IndexDeps, OpenRecordsDeps {
  readonly report?: DuplicatesReport & OpenRecordsDeps['report'] & CheckpointDeps['report'];
}

/** The events of a batch, and which of them are copies: offset of the copy → offset of its original. */
export interface JudgedEvents {
  readonly events: readonly EventRecord[];
  /** What a commit of the batch stores beside its end. */
  readonly end: ReturnType<typeof endOf>;
  readonly copies: ReadonlyMap<bigint, bigint>;
}

/**
 * `judged`: the index has passed the batch.
 * `rewound`: the store expected another position, and the index went back to it: read again from `next`.
 * `fenced`: a newer epoch has written (R1): claim again.
 */
export type IndexStep =
  ({ readonly kind: 'judged' } & JudgedEvents) | { readonly kind: 'rewound' } | { readonly kind: 'fenced' };

/** The duplicate index (R2) as its one writer per stream partition sees it. */
export class DuplicateIndex {
  constructor(private readonly deps: DuplicateIndexDeps) {}

  /**
   * The index over an assigned partition, from its stored position, else from its beginning (`begin()`), not below `low`. Where the log does not confirm the position, copies and settled end
   * of the partition are taken back and the index begins anew. Faults of log and state.
   */
  async open(at: AssignedPartition, low: bigint): Promise<IndexedPartition> {
    const { copies } = this.deps;
    const { topic, topicId, partition, epoch } = at;
    // Copies that an earlier owner listed must be known before its position is read.
    await copies.refresh([topic]);
    const trusted = (): Promise<Progress | undefined> =>
      trustedCheckpoint(this.deps, at, INDEX_VIEW, [topic], (from) =>
        copies.reset(topic, partition, topicId, epoch, from),
      );
    let stored = await trusted();
    // The store was set back, and retention has passed its place: what lies between is gone from the log, and nobody can be shown a copy of it.
    while (stored !== undefined && stored.next < low) {
      const start = { stream: topic, epoch, next: low, until: low, proof: proofOfBeginning(topicId) };
      await this.deps.state.reset(INDEX_VIEW, partition, stored, [start], this.deps.now());
      stored = await trusted();
    }
    const index = new IndexedPartition(this.deps, at, low, stored?.next ?? low, stored?.proof);
    if (stored === undefined) await index.begin();
    else if (!copies.isListed(topic, partition)) await this.#relist(at, low, index.next);
    await copies.opened(topic, partition, topicId, epoch, index.next);
    return index;
  }

  /** The table of copies was lost: judges again what lies between the settled end that this process knows and the position of the index. */
  async #relist({ topic, topicId, partition, epoch }: AssignedPartition, low: bigint, next: bigint): Promise<void> {
    const { log, copies, report } = this.deps;
    const part = { stream: topic, partition, epoch, topicId };
    const end = copies.end(topic, partition);
    const from = end > low ? end : low;
    if (from >= next) return;
    report?.relisting?.({ stream: topic, partition, from, next });
    for (let at = from; at < next;) {
      const read = await log.read(topic, partition, at, { maxRecords: RELISTED_AT_ONCE, topicId });
      if (read.kind === 'out_of_range' && at < read.low) {
        at = read.low;
        continue;
      }
      // The log has changed since the claim: the partition is opened again.
      if (read.kind !== 'records') throw new Fault('log_unavailable', { detail: `${topic}/${partition} at ${at}` });
      const records = read.records.filter((r) => r.offset < next);
      await findCopies(this.deps, part, await openRecords(this.deps, part, records, false));
      if (read.next <= at) return;
      at = read.next;
    }
  }
}

/** The duplicate index over one assigned stream partition. Calls of step() must not overlap. */
export class IndexedPartition {
  readonly #deps: DuplicateIndexDeps;
  readonly #part: OwnedPartition;
  readonly #epoch: bigint;
  /** First offset that the log had. */
  readonly #logLow: bigint;
  /** Where the index begins while the store has nothing of it. */
  #low: bigint;
  #next: bigint;
  #proof: string | undefined;
  /** state.connection() when the last ten minutes were filled in again (R2.2). */
  #connection: number | undefined;
  /** state.evictions() when the whole index was filled in again. */
  #evictions = 0;
  readonly #trace: PositionTrace;

  constructor(deps: DuplicateIndexDeps, at: AssignedPartition, low: bigint, next: bigint, proof: string | undefined) {
    this.#deps = deps;
    this.#part = { stream: at.topic, partition: at.partition, epoch: at.epoch, topicId: at.topicId };
    this.#epoch = at.epoch;
    this.#logLow = low;
    this.#low = low;
    this.#next = next;
    this.#proof = proof;
    this.#trace = new PositionTrace(deps.now);
    this.#trace.mark(next);
  }

  /** The offset that is judged next. */
  get next(): bigint {
    return this.#next;
  }

  /** Which record of the log stands before `next`. */
  get proof(): string | undefined {
    return this.#proof;
  }

  /** The store was set back: judge again from this offset, when it is a lower one. */
  setBack(next: bigint): void {
    if (next >= this.#next) return;
    this.#next = next;
    this.#proof = undefined;
  }

  /** The store has nothing of this index: judge from its beginning. Faults of the log. */
  async begin(): Promise<void> {
    this.#low = await beginningOf(this.#deps, this.#part, this.#logLow);
    this.#next = this.#low;
    this.#proof = undefined;
  }

  /** Judges records up to `next` and moves the index there; copies are listed durably before it moves. Faults of log and state: do it again. */
  async step(records: readonly LogRecord[], next: bigint): Promise<IndexStep> {
    if (next <= this.#next) return { kind: 'judged', ...(await this.passed(records, next)) };
    const { copies, state, report } = this.#deps;
    const { stream, partition } = this.#part;
    const { events, copies: listed, end } = await this.#open(records, next, true);
    const found = await this.#find(events.filter((e) => e.record.offset >= this.#next));
    const change = { epoch: this.#epoch, from: this.#next, next, low: this.#low, ...end, puts: [], deletes: [] };
    const committed = await state.commit(INDEX_VIEW, this.#part, change).catch((e: unknown) => {
      // Other processes cannot ask the store either: the ends that were not told yet are told now.
      void copies.writeEnds();
      throw e;
    });
    if (!committed.ok) {
      if (committed.epoch > this.#epoch) return { kind: 'fenced' };
      this.#next = committed.expected;
      this.#proof = undefined;
      // Our own `low` is expected where nothing is stored.
      if (committed.expected === this.#low && (await state.position(INDEX_VIEW, this.#part)) === undefined)
        await this.begin();
      return { kind: 'rewound' };
    }
    this.#next = next;
    this.#proof = end.proof;
    this.#trace.mark(next);
    if (found.size > 0) report?.copies?.(stream, partition, found.size);
    copies.settle(stream, partition, next, this.#epoch, this.#part.topicId);
    return { kind: 'judged', events, end, copies: new Map([...listed, ...found]) };
  }

  /** Events of records up to `next`, which the index has passed: the list of copies decides. */
  passed(records: readonly LogRecord[], next: bigint): Promise<JudgedEvents> {
    return this.#open(records, next, false);
  }

  async #open(records: readonly LogRecord[], next: bigint, report: boolean): Promise<JudgedEvents> {
    const { stream, partition } = this.#part;
    const events = await openRecords(this.#deps, this.#part, records, report);
    const copies = new Map<bigint, bigint>();
    for (const { record } of events) {
      const original = this.#deps.copies.originalOf(stream, partition, record.offset);
      if (original !== undefined) copies.set(record.offset, original);
    }
    const hole = records.length === 0 && this.#proof !== undefined;
    const end = hole ? { proof: proofBehindHole(this.#proof!) } : endOf(this.#part.topicId, records, next);
    return { events, copies, end };
  }

  /** A store that reconnected meanwhile may have lost entries: the answers count only when the connection is still the same afterwards. */
  async #find(events: readonly EventRecord[]): Promise<ReadonlyMap<bigint, bigint>> {
    for (;;) {
      const connection = this.#deps.state.connection();
      if (this.#connection !== connection) {
        const evictions = this.#deps.state.evictions();
        const range = { low: this.#low, next: this.#next };
        const from =
          evictions > this.#evictions
            ? await recheckAllFrom(this.#deps, this.#part)
            : await recheckFrom(this.#deps, this.#part, this.#trace.before, range);
        await recheck(this.#deps, this.#part, from, this.#next);
        this.#evictions = evictions;
      }
      this.#connection = connection;
      const found = await findCopies(this.#deps, this.#part, events);
      if (this.#deps.state.connection() === connection) return found;
    }
  }
}
