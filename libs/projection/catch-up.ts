import { jittered, pause } from '#concurrency';
import { contradicts, type JudgedEvents } from '#duplicates';
import { Fault, innermostMessage, isFault, OnceAMinute } from '#faults';
import { epochOf, type EventLog } from '#log';
import type { Progress, State } from '#state';
import type { CompiledView } from './compile.js';
import type { HeldPartition, Slot } from './held-partition.js';
import type { ProjectionReport } from './report.js';

export interface CatchUpDeps {
  readonly log: EventLog;
  readonly state: State;
  readonly now: () => number;
  readonly report?: ProjectionReport;
  /** Called before the position of a slot is read: fills it from a snapshot. */
  readonly prepare?: (held: HeldPartition, slot: Slot) => Promise<void>;
  /** The stored position of a slot, confirmed by the log. */
  readonly trusted: (held: HeldPartition, view: CompiledView, storage: string) => Promise<Progress | undefined>;
  /** The log is not the one that the partition was folded from: claim it again. */
  readonly interrupted: (held: HeldPartition) => Promise<void>;
  /** A newer epoch has written: claim it again. */
  readonly fenced: (held: HeldPartition) => Promise<void>;
  readonly fold: (held: HeldPartition, slot: Slot, judged: JudgedEvents, next: bigint) => Promise<void>;
}

const READ_EVENTS = 500;
const RETRY_MS = 250;
/** Only an operator can help: a restored store, or another view file. */
const STANDS_STILL_MS = 5_000;

/** Readers of their own for views that lie behind, so that the views that are up to date stay fresh. One reader for each slot. */
export class CatchUp {
  readonly #deps: CatchUpDeps;
  readonly #running = new Map<Slot, Promise<void>>();
  readonly #once: OnceAMinute;

  constructor(deps: CatchUpDeps) {
    this.#deps = deps;
    this.#once = new OnceAMinute(deps.now);
  }

  /** Starts a reader for every slot that is not live and has none. A reader ends when its slot is live, dropped, or the partition is lost. */
  start(held: HeldPartition): void {
    if (held.lost.signal.aborted) return;
    for (const slot of held.slots.values()) {
      if (slot.live || this.#running.has(slot)) continue;
      this.#running.set(slot, this.#run(held, slot));
    }
  }

  /** Resolves when the readers of lost partitions have ended. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  /** Reads up to the index; the last stretch holds the mutex, so that no batch comes between it and the hand-over to live. */
  async #run(held: HeldPartition, slot: Slot): Promise<void> {
    const { signal } = held.lost;
    const wanted = (): boolean => !signal.aborted && held.slots.get(slot.storage) === slot;
    while (wanted() && !slot.live) {
      try {
        await this.#deps.prepare?.(held, slot);
        const stored = await this.#deps.trusted(held, slot.view, slot.storage);
        slot.next = stored?.next ?? held.low;
        slot.proof = stored?.proof;
        let moved = true;
        while (moved && wanted() && held.index.next - slot.next > BigInt(READ_EVENTS))
          moved = await this.#readOnce(held, slot);
        await held.mutex.run(async () => {
          while (moved && slot.next < held.index.next && !signal.aborted) moved = await this.#readOnce(held, slot);
          slot.live = moved && slot.next >= held.index.next;
        });
        if (!moved) await pause(jittered(RETRY_MS), signal);
      } catch (cause) {
        if (this.#once.first(`${slot.storage} ${innermostMessage(cause)}`))
          this.#deps.report?.catchUpFailed?.(slot.view.name, held, cause);
        if (isFault(cause) && cause.code === 'fenced') await this.#deps.fenced(held).catch(() => undefined);
        const stands = isFault(cause) && cause.code === 'view_history_missing';
        await pause(jittered(stands ? STANDS_STILL_MS : RETRY_MS), signal);
      }
    }
    // In one step with the look at `live`: a slot that leaves live right behind the hand-over would otherwise find a reader that has ended.
    this.#running.delete(slot);
  }

  /** false: the store was set back, or the partition is claimed again. The slot begins again where the store is. */
  async #readOnce(held: HeldPartition, slot: Slot): Promise<boolean> {
    const before = slot.next;
    const until = held.index.next;
    const lastEpoch = epochOf(slot.proof);
    const read = await this.#deps.log.read(held.stream, held.partition, slot.next, {
      maxRecords: READ_EVENTS,
      topicId: held.topicId,
      ...(lastEpoch === undefined ? {} : { lastEpoch }),
    });
    const lost = read.kind !== 'records' && (read.kind !== 'out_of_range' || slot.next > read.high);
    if (lost || (read.kind === 'records' && contradicts(held.topicId, read.records, held.index))) {
      await this.#deps.interrupted(held);
      return false;
    }
    if (read.kind !== 'records') throw new Fault('offset_out_of_range');
    const next = read.next < until ? read.next : until;
    if (next <= slot.next) throw new Fault('log_unavailable', { detail: 'the log ends below the index' });
    const judged = await held.index.passed(
      read.records.filter((r) => r.offset < until),
      next,
    );
    await this.#deps.fold(held, slot, judged, next);
    return slot.next > before;
  }
}
