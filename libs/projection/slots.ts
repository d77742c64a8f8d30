import { markRefold, trustedCheckpoint, type Refold } from '#duplicates';
import { Fault, isFault } from '#faults';
import { proofOfBeginning, type EventLog } from '#log';
import type { Progress, State, StreamPartition } from '#state';
import type { CompiledView } from './compile.js';
import type { HeldPartition, Slot } from './held-partition.js';
import type { ProjectionReport } from './report.js';
import { isBeingFilled, isUnfilled } from './snapshot-fill.js';
import type { ViewSnapshots } from './view-snapshots.js';

export interface SlotsDeps {
  readonly log: EventLog;
  readonly state: State;
  readonly now: () => number;
  readonly report?: ProjectionReport;
  readonly snapshots: ViewSnapshots;
}

/** A view that lies further behind the index than this gets a catch-up reader, so that the others stay fresh. */
export const NEAR = 2_000n;
const RANGES_MS = 1_000;

/** Where the views of a partition begin: at their stored position, from their snapshot, or at the beginning of the log. */
export class Slots {
  readonly #deps: SlotsDeps;
  readonly #ranges = new Map<string, { at: number; answer: ReturnType<EventLog['describe']> }>();

  constructor(deps: SlotsDeps) {
    this.#deps = deps;
  }

  /** The first offset that the log has; asked at most once a second. */
  async low(stream: string, partition: number): Promise<bigint> {
    const known = this.#ranges.get(stream);
    const now = this.#deps.now();
    if (!known || now - known.at >= RANGES_MS) {
      const answer = this.#deps.log.describe(stream);
      this.#ranges.set(stream, { at: now, answer });
      answer.catch(() => this.#ranges.delete(stream));
    }
    return (await this.#ranges.get(stream)!.answer).find((r) => r.partition === partition)!.low;
  }

  /** The first offset has changed: it is asked anew. */
  forgetLow(stream: string): void {
    this.#ranges.delete(stream);
  }

  /** undefined: the stream is missing in the log. */
  #lowOf(stream: string, partition: number): Promise<bigint | undefined> {
    return this.low(stream, partition).catch((e: unknown) => {
      if (isFault(e) && e.code === 'unknown_topic') return undefined;
      throw e;
    });
  }

  /** A slot where its stored position is; not live while it must be filled or caught up first. Faults of log and state. */
  async open(held: HeldPartition, view: CompiledView, storage: string): Promise<Slot> {
    let stored = await this.#stored(held, view, storage);
    const trusted = isBeingFilled(stored) ? undefined : await this.trusted(held, view, storage);
    // The log may not have confirmed it: then it begins anew.
    if (trusted !== undefined) stored = await this.#stored(held, view, storage);
    const begins = isUnfilled(stored) && (held.low > 0n || (await this.#deps.snapshots.exists(storage)));
    const own = stored[view.streams.indexOf(held.stream)];
    const passed = own !== undefined && own.next < held.low;
    if (begins || passed || isBeingFilled(stored)) return { view, storage, next: held.low, live: false };
    await this.#claimParts(held, view, storage);
    const next = own?.next ?? held.low;
    return { view, storage, next, proof: own?.proof, live: next + NEAR >= held.index.next };
  }

  /** The stored position of a view, confirmed by the log. Where it is not, the view partition and its snapshot begin anew. */
  trusted(held: HeldPartition, view: CompiledView, storage: string): Promise<Progress | undefined> {
    const refolding = (refold: Refold): void => {
      this.#deps.snapshots.discard(storage, held.partition);
      this.#deps.report?.refolding?.(refold);
    };
    return trustedCheckpoint({ ...this.#deps, report: { refolding } }, held.at, storage, view.streams);
  }

  /**
   * A view over several streams: the store must refuse an older owner on all of them before this one reads entries. A view with a snapshot: a checkpoint
   * shows that the store was not emptied.
   */
  async #claimParts(held: HeldPartition, view: CompiledView, storage: string): Promise<void> {
    await markRefold(this.#deps, held.at, storage, view.streams);
    const { state } = this.#deps;
    const { partition, epoch } = held;
    const needed = view.streams.length > 1 || this.#deps.snapshots.mayFill(storage);
    for (const stream of needed ? view.streams : []) {
      const part: StreamPartition = { stream, partition };
      const low = await this.#lowOf(stream, partition);
      // Missing in the log: nobody can own it, and the other streams of the view go on.
      if (low === undefined) continue;
      const stored = await state.position(storage, part);
      const { next: from = low } = stored ?? {};
      const proof =
        stored?.proof ?? (from === low ? proofOfBeginning(await this.#deps.log.topicId(stream)) : undefined);
      const same = { from, next: from, ...(proof === undefined ? {} : { proof }) };
      const claimed = await state.commit(storage, part, { epoch, ...same, low, puts: [], deletes: [] });
      if (!claimed.ok && claimed.epoch > epoch)
        throw new Fault('fenced', { detail: `${storage}/${partition} was written by a newer owner` });
    }
  }

  /**
   * Before a catch-up reader begins: a view partition in which nothing is folded is filled from its snapshot, and so is one that was set back to where the
   * log has deleted what follows. Fault `view_history_missing`: there is no snapshot for it, and the view partition stands still.
   */
  async prepare(held: HeldPartition, slot: Slot): Promise<void> {
    const { view, storage } = slot;
    const stored = await this.#stored(held, view, storage);
    const passed = !isUnfilled(stored) && (await this.#beginsAbove(held, view, (n) => stored[n]?.next)) !== undefined;
    if (!isUnfilled(stored) && !passed) return;
    if (isBeingFilled(stored) || (await this.#deps.snapshots.exists(storage)))
      await this.#deps.snapshots.fill(held, slot, passed);
    const begins = await this.#stored(held, view, storage);
    // What the log has deleted would be missing for ever (R6.2).
    const missing = await this.#beginsAbove(held, view, (n) => (isUnfilled(begins) ? 0n : begins[n]?.next));
    if (missing !== undefined) throw new Fault('view_history_missing', { detail: `${storage}: ${missing}` });
    await this.#claimParts(held, view, storage);
  }

  /** The first stream of the view that the log has deleted from its place on, with the offset where it begins. */
  async #beginsAbove(
    { partition }: HeldPartition,
    { streams }: CompiledView,
    placeOf: (stream: number) => bigint | undefined,
  ): Promise<string | undefined> {
    for (const [n, stream] of streams.entries()) {
      const place = placeOf(n);
      const low = place === undefined ? undefined : await this.#lowOf(stream, partition);
      if (low !== undefined && low > place!) return `${stream}/${partition} begins at ${low}`;
    }
    return undefined;
  }

  #stored({ partition }: HeldPartition, view: CompiledView, storage: string): ReturnType<State['positions']> {
    return this.#deps.state.positions(
      storage,
      view.streams.map((stream) => ({ stream, partition })),
    );
  }
}
