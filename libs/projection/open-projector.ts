import type { Actor } from '#access';
import { Fault, isFault } from '#faults';
import type { AssignedPartition, GroupMember, Membership, RecordBatch } from '#log';
import type { CompiledView } from './compile.js';
import { INDEX_VIEW, storageOf, type GenerationRow } from './generations.js';
import { Projector, PROJECTOR_GROUP, type ProjectorDeps } from './projector.js';
import { changeView, PROJECTOR_ACTOR, requestRebuild, type AuditView } from './rebuild.js';

export interface OpenProjectorDeps extends ProjectorDeps {
  readonly audit?: AuditView;
  /** How long the old generation stays after a switch, for readers that have not heard of it, ms. @default 2,000 */
  readonly dropAfterMs?: number;
  /** How often the store is looked at while no event comes, ms. @default 1,000 */
  readonly verifyEveryMs?: number;
  /** Something failed in the background and will be tried again. */
  readonly onTrouble?: (cause: unknown) => void;
}

/** A batch on its way through a transport: handed to Fold, which answers where to go on. */
export interface FoldBatch {
  readonly at: AssignedPartition;
  readonly batch: RecordBatch;
}
export type FoldOutcome = Awaited<ReturnType<GroupMember['batch']>>;

/** The one pattern under which the projector's batches are delivered. */
export const FOLD_PATTERN = 'simpul.projector.batch';

export interface OpenProjector {
  /** Folds one batch and answers where to read on. The handler of FOLD_PATTERN calls this. */
  fold(work: FoldBatch, signal: AbortSignal): Promise<FoldOutcome>;
  /** The events of all streams as a source for a transport strategy (SimpulServer): batches go to `deliver` under FOLD_PATTERN. */
  readonly source: {
    run(deliver: (pattern: string, batch: FoldBatch, signal: AbortSignal) => Promise<unknown>): Promise<void>;
    stop(): Promise<void>;
  };
  /** Joins and folds without a transport; resolves once joined. */
  join(): Promise<void>;
  /** Streams made while this runs. */
  subscribe(streams: readonly string[]): Promise<void>;
  /** Folds a new generation of the view beside the one that serves, and switches when it has caught up. Faults not_found, conflict (one is being built). */
  rebuild(view: string, by: Actor): Promise<GenerationRow>;
  /** How far each held partition is: for health and lag. */
  held(): readonly {
    readonly stream: string;
    readonly partition: number;
    readonly index: bigint;
    readonly views: readonly { readonly storage: string; readonly next: bigint; readonly live: boolean }[];
  }[];
  close(): Promise<void>;
}

const CAUGHT_UP = 500n;

class Running implements OpenProjector {
  readonly #deps: OpenProjectorDeps;
  readonly #projector: Projector;
  #membership: Membership | undefined;
  #ticking: NodeJS.Timeout | undefined;
  #tick: Promise<void> = Promise.resolve();
  #ended: () => void = () => undefined;
  readonly #drops = new Set<NodeJS.Timeout>();
  #closed = false;

  constructor(deps: OpenProjectorDeps) {
    this.#deps = deps;
    this.#projector = new Projector(deps);
  }

  readonly source: OpenProjector['source'] = {
    run: async (deliver) => {
      const ended = new Promise<void>((resolve) => (this.#ended = resolve));
      await this.#join((at, batch, signal) => deliver(FOLD_PATTERN, { at, batch }, signal) as Promise<FoldOutcome>);
      await ended;
    },
    stop: () => this.close(),
  };

  async fold(work: FoldBatch, signal: AbortSignal): Promise<FoldOutcome> {
    try {
      return await this.#projector.batch(work.at, work.batch, signal);
    } catch (cause) {
      this.#deps.onTrouble?.(cause);
      throw cause;
    }
  }

  join(): Promise<void> {
    return this.#join((at, batch, signal) => this.fold({ at, batch }, signal));
  }

  async subscribe(streams: readonly string[]): Promise<void> {
    await this.#membership?.subscribe(streams);
  }

  async rebuild(name: string, by: Actor): Promise<GenerationRow> {
    const view = this.#projector.views.get(name);
    if (!view) throw new Fault('not_found');
    return requestRebuild(this.#deps, view, by);
  }

  held(): ReturnType<OpenProjector['held']> {
    return this.#projector.held().map((a) => ({
      stream: a.stream,
      partition: a.partition,
      index: a.index,
      views: [...a.slots.values()].map(({ storage, next, live }) => ({ storage, next, live })),
    }));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#ticking);
    for (const t of this.#drops) clearTimeout(t);
    await this.#tick;
    await this.#membership?.leave();
    await this.#projector.close();
    this.#ended();
  }

  /** Rows of views that have none, or that were folded with another definition. */
  async prepare(): Promise<void> {
    for (const view of this.#projector.views.values()) {
      const row = this.#deps.generations.row(view.name);
      if (row?.fingerprint === view.fingerprint) continue;
      const { serving } = await this.#redefine(view, row);
      for (let g = serving - 1; row && g >= row.serving; g--)
        await this.#deps.state.drop(storageOf(view.name, g), view.partitions);
    }
  }

  async #redefine(view: CompiledView, row: GenerationRow | undefined): Promise<GenerationRow> {
    const { fingerprint } = view;
    const next = (now: GenerationRow | undefined): GenerationRow | undefined =>
      now?.fingerprint === fingerprint
        ? undefined
        : { serving: Math.max(now?.building ?? 0, now?.serving ?? 0) + 1, fingerprint };
    // The first generation of a view takes the place of nothing: nobody is to account for it.
    const audit = row && this.#deps.audit;
    const { generations } = this.#deps;
    return changeView({ generations, audit }, { action: 'view.switch', view: view.name, by: PROJECTOR_ACTOR }, next);
  }

  async #join(batch: GroupMember['batch']): Promise<void> {
    const p = this.#projector;
    const member: GroupMember = {
      start: (at) => p.start(at),
      batch,
      lost: (at) => p.lost(at),
      outOfRange: (at, range) => p.outOfRange(at, range),
    };
    const topics = this.#deps.catalogue.streams().map((s) => s.name);
    this.#membership = await this.#deps.log.join(PROJECTOR_GROUP, topics, member);
    p.joined(this.#membership);
    this.#again();
  }

  #again(): void {
    if (this.#closed) return;
    this.#ticking = setTimeout(() => {
      this.#tick = this.#work()
        .catch((cause: unknown) => this.#deps.onTrouble?.(cause))
        .finally(() => this.#again());
    }, this.#deps.verifyEveryMs ?? 1_000);
  }

  async #work(): Promise<void> {
    await this.#projector.verify();
    for (const view of this.#projector.views.values()) {
      const row = this.#deps.generations.row(view.name);
      if (row?.building !== undefined && (await this.#caughtUp(view, storageOf(view.name, row.building))))
        await this.#switch(view, row.building);
    }
  }

  async #caughtUp(view: CompiledView, storage: string): Promise<boolean> {
    for (const stream of view.streams) {
      const parts = Array.from({ length: view.partitions }, (_, partition) => ({ stream, partition }));
      const [mine, index] = await Promise.all([
        this.#deps.state.positions(storage, parts),
        this.#deps.state.positions(INDEX_VIEW, parts),
      ]);
      for (const [i, at] of index.entries()) {
        if (at === undefined) continue;
        const next = mine[i]?.next;
        if (next === undefined || next + CAUGHT_UP < at.next) return false;
      }
    }
    return this.#projector.held().every((a) => a.slots.get(storage)?.live !== false);
  }

  async #switch(view: CompiledView, generation: number): Promise<void> {
    let before = 0;
    const what = { action: 'view.switch', view: view.name, by: PROJECTOR_ACTOR } as const;
    try {
      await changeView(this.#deps, what, (row) => {
        if (row?.building !== generation) throw new Fault('conflict', { detail: 'switched already' });
        before = row.serving;
        return { serving: generation, fingerprint: view.fingerprint };
      });
    } catch (e) {
      // Another projector was faster, and drops the old generation.
      if (isFault(e) && e.code === 'conflict') return;
      throw e;
    }
    const old = storageOf(view.name, before);
    const timer = setTimeout(() => {
      this.#drops.delete(timer);
      this.#deps.state.drop(old, view.partitions).catch((cause: unknown) => this.#deps.onTrouble?.(cause));
    }, this.#deps.dropAfterMs ?? 2_000);
    this.#drops.add(timer);
  }
}

/** Prepares the rows of all views; nothing is read before join() or source.run(). `copies` is caught up by each assignment. Faults of log and store. */
export async function openProjector(deps: OpenProjectorDeps): Promise<OpenProjector> {
  const running = new Running(deps);
  await running.prepare();
  return running;
}
