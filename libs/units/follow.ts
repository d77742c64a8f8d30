import { jittered, pause } from '#concurrency';
import { confirmsPlace, proofAt, type EventLog } from '#log';
import { isSamePlace, type UnitEvent, type UnitPlace, type UnitRegistry, type UnitsReport } from './open.js';

/** The stream of unit changes; it has one partition. */
export const UNITS_STREAM = 'org.unit';
const RETRY_MS = 1_000;
const MAX_EVENTS = 400;

/** `topicId`: of the topic that the offset was taken from (ReadLimits). */
export interface UnitReadLimits {
  readonly topicId: string;
  readonly max: number;
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

export interface UnitFoldDeps {
  readonly registry: UnitRegistry;
  readonly log: Pick<EventLog, 'read' | 'describe' | 'topicId'>;
  /**
   * Reads at most `max` `org.unit.berubah` events from an offset of `org.unit` on, below the settled end and without copies. Waits up to `waitMs` for the first
   * event (long poll). `next` is the offset to continue from. Fault `stream_recreated` when another topic has the name.
   */
  readonly read: (
    from: bigint,
    limits: UnitReadLimits,
  ) => Promise<{ readonly events: readonly UnitEvent[]; readonly next: bigint }>;
  readonly report: UnitsReport;
  /** Duration of the long poll. @default 2,000 */
  readonly waitMs?: number;
}

export interface UnitFold {
  /** Resolves when the running step has ended. */
  stop(): Promise<void>;
}

/** Where the fold reads. */
interface At {
  readonly topicId: string;
  /** The stored place, which the log has confirmed. */
  readonly place: UnitPlace;
  /** At or above it: no change lies between them. */
  read: UnitPlace;
}

/** Folds `org.unit` into the registry of units until it is stopped. Any number of processes may run it: the table has one writer at a time and one place. */
class RunningFold implements UnitFold {
  readonly #deps: UnitFoldDeps;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #at: At | undefined;
  /** The topic and place whose mismatch was reported. */
  #told: string | undefined;

  constructor(deps: UnitFoldDeps) {
    this.#deps = deps;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted)
      try {
        await this.#step();
      } catch (e) {
        if (signal.aborted) return;
        this.#at = undefined;
        this.#deps.report.foldFailed?.(e);
        await pause(jittered(RETRY_MS), signal);
      }
  }

  async #step(): Promise<void> {
    const { registry, log, report } = this.#deps;
    const topicId = await log.topicId(UNITS_STREAM);
    const { place } = registry;
    let at = this.#at;
    if (at?.topicId !== topicId || !isSamePlace(at.place, place)) {
      this.#at = undefined;
      if (!(await this.#isConfirmed(place))) return this.#refold(place, topicId);
      const proof = place.proof ?? (await this.#proofAt(place.next, topicId));
      // of an older release: believed once
      if (proof !== place.proof) return registry.fold(place, [], { next: place.next, proof });
      this.#at = at = { topicId, place, read: place };
    }
    const { read } = at;
    const batch = await this.#read(read.next, topicId);
    if (batch.next === read.next) return;
    // The log may have lost records below, and have grown again.
    if (!(await this.#isConfirmed(read))) {
      this.#at = undefined;
      return;
    }
    const to = { next: batch.next, proof: await this.#proofAt(batch.next, topicId) };
    if (batch.events.length === 0) at.read = to;
    else await registry.fold(place, batch.events, to, report);
  }

  /** Reads all that the log has, then writes what it makes of the units: until then the units of before stay. */
  async #refold(place: UnitPlace, topicId: string): Promise<void> {
    const { registry, log, report } = this.#deps;
    const { low, high } = (await log.describe(UNITS_STREAM))[0]!;
    const found = `${topicId} ${place.next} ${place.proof}`;
    if (this.#told !== found) report.refolding?.({ next: place.next, low, high });
    this.#told = found;
    const events: UnitEvent[] = [];
    let next = low;
    while (next < high) {
      const batch = await this.#read(next, topicId);
      if (this.#stopping.signal.aborted) return;
      events.push(...batch.events);
      next = batch.next;
    }
    const to = { next, proof: await this.#proofAt(next, topicId) };
    await registry.refold(place, { events, whole: low === 0n }, to, report);
  }

  #read(from: bigint, topicId: string): ReturnType<UnitFoldDeps['read']> {
    const { read, waitMs = 2_000 } = this.#deps;
    return read(from, { topicId, max: MAX_EVENTS, waitMs, signal: this.#stopping.signal });
  }

  #isConfirmed(place: UnitPlace): Promise<boolean> {
    return confirmsPlace(this.#deps.log, UNITS_STREAM, 0, place);
  }

  #proofAt(next: bigint, topicId: string): Promise<string | undefined> {
    return proofAt(this.#deps.log, UNITS_STREAM, 0, next, topicId);
  }
}

export function startUnitFold(deps: UnitFoldDeps): UnitFold {
  return new RunningFold(deps);
}
