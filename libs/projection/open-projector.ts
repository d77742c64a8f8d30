import { withDeadline } from '#concurrency';
import { INDEX_VIEW } from '#duplicates';
import { Fault, isFault } from '#faults';
import type { GroupMember, Membership } from '#log';
import type { CompiledView } from './compile.js';
import { storageOf, type GenerationRow } from './generations.js';
import { needWholeHistory } from './history.js';
import { Projector, PROJECTOR_GROUP, type ProjectorDeps } from './projector.js';
import { changeView, PROJECTOR_ACTOR, type AuditView } from './rebuild.js';
import type { SnapshotStatus } from './view-snapshot.js';

export interface OpenProjectorDeps extends ProjectorDeps {
  readonly audit?: AuditView;
  /** How long the old generation stays after a switch, for readers that do not know the new one yet, ms. @default 2,000 */
  readonly dropAfterMs?: number;
  /** How often positions are compared with the store and rebuilds are checked, ms. @default 1,000 */
  readonly verifyEveryMs?: number;
}

export interface OpenProjector {
  /** Joins the group `simpul.projector` and folds its batches; resolves once joined. Faults of the log. */
  join(): Promise<void>;
  /** Reads these streams from now on (streams registered while this runs). */
  subscribe(streams: readonly string[]): Promise<void>;
  /** The next offset of the index and of each view, for every held partition: for lag metrics. */
  held(): readonly {
    readonly stream: string;
    readonly partition: number;
    readonly index: bigint;
    readonly views: readonly {
      readonly view: string;
      readonly storage: string;
      readonly next: bigint;
      readonly live: boolean;
    }[];
  }[];
  /** The snapshots of the held view partitions. */
  snapshots(): readonly SnapshotStatus[];
  /** Leaves the group, after a join in flight (waits at most 5 s for it; later the closing of the log ends it). No call comes to the projector afterwards. */
  close(): Promise<void>;
}

const CAUGHT_UP = 500n;
/** How long close() waits for a join in flight. A join that cannot end, because Kafka does not answer, must not hold up the shutdown. */
const JOIN_WAIT_MS = 5_000;

/** The projector with its group membership, and what it does between batches: verify positions, switch rebuilt views, drop old generations. */
class RunningProjector implements OpenProjector {
  readonly #deps: OpenProjectorDeps;
  readonly #projector: Projector;
  #membership: Membership | undefined;
  /** The join in flight or done; undefined when it failed. Never rejects. */
  #joining: Promise<Membership | undefined> = Promise.resolve(undefined);
  #ticking: NodeJS.Timeout | undefined;
  #tick: Promise<void> = Promise.resolve();
  readonly #drops = new Set<NodeJS.Timeout>();
  #closed = false;

  constructor(deps: OpenProjectorDeps) {
    this.#deps = deps;
    this.#projector = new Projector(deps);
  }

  async join(): Promise<void> {
    const p = this.#projector;
    const member: GroupMember = {
      start: (at) => p.start(at),
      batch: (at, batch, signal) =>
        p.batch(at, batch, signal).catch((cause: unknown) => {
          this.#deps.report?.failed?.(cause);
          throw cause;
        }),
      lost: (at) => p.lost(at),
      interrupted: (at, why) => p.interrupted(at, why),
    };
    const topics = this.#deps.catalogue.streams().map((s) => s.name);
    const joining = this.#deps.log.join(PROJECTOR_GROUP, topics, member);
    this.#joining = joining.catch(() => undefined);
    this.#membership = await joining;
    p.joined(this.#membership);
    this.#again();
  }

  async subscribe(streams: readonly string[]): Promise<void> {
    await this.#membership?.subscribe(streams);
  }

  held(): ReturnType<OpenProjector['held']> {
    return this.#projector.held().map((a) => ({
      stream: a.stream,
      partition: a.partition,
      index: a.index.next,
      views: [...a.slots.values()].map(({ view, storage, next, live }) => ({ view: view.name, storage, next, live })),
    }));
  }

  snapshots(): readonly SnapshotStatus[] {
    return this.#projector.snapshots.status();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#ticking);
    for (const t of this.#drops) clearTimeout(t);
    await this.#tick;
    // While the join is in flight the group calls the member already, so the group is left after the join.
    const membership = await withDeadline(this.#joining, JOIN_WAIT_MS, () => undefined);
    await this.#projector.snapshots.flush();
    await membership?.leave();
    await this.#projector.close();
  }

  /** Rows of views that have none, or that were folded with another definition. */
  async prepare(): Promise<void> {
    for (const view of this.#projector.views.values()) {
      const row = this.#deps.generations.row(view.name);
      this.#needSnapshotPolicy(view);
      if (row?.fingerprint === view.fingerprint) continue;
      // Before anything changes: the generation that serves stays what it is.
      try {
        await needWholeHistory(this.#deps.log, view);
      } catch (e) {
        if (!isFault(e) || e.code !== 'view_history_missing' || !isAdoptable(view, row)) throw e;
        await this.#adopt(view);
        continue;
      }
      const { serving } = await this.#redefine(view, row);
      for (let g = serving - 1; row && g >= row.serving; g--)
        await this.#drop(storageOf(view.name, g), view.partitions);
    }
  }

  /** A stream that deletes events needs snapshots of its views (R6.2). */
  #needSnapshotPolicy(view: CompiledView): void {
    const forgets = view.streams.find((s) => this.#deps.catalogue.stream(s)?.retentionMs !== undefined);
    if (forgets !== undefined && (this.#deps.snapshots ?? 'none') === 'none')
      throw new Fault('snapshot_incomplete', {
        detail: `${view.name} folds ${forgets}, which deletes events: SIMPUL_SNAPSHOTS=none`,
      });
  }

  /** The log cannot give the entries again, and only their owners or needed steps are new: they are kept, and owned as R5.10 says of entries without an owner. */
  async #adopt(view: CompiledView): Promise<void> {
    const { generations, audit } = this.#deps;
    const { fingerprint } = view;
    await changeView({ generations, audit }, { action: 'view.switch', view: view.name, by: PROJECTOR_ACTOR }, (now) =>
      now !== undefined && isAdoptable(view, now) ? { ...now, fingerprint } : undefined,
    );
  }

  async #redefine(view: CompiledView, row: GenerationRow | undefined): Promise<GenerationRow> {
    const { fingerprint } = view;
    const next = (now: GenerationRow | undefined): GenerationRow | undefined =>
      now?.fingerprint === fingerprint
        ? undefined
        : { serving: Math.max(now?.building ?? 0, now?.serving ?? 0) + 1, fingerprint };
    // The first generation of a view replaces nothing: it needs no audit record.
    const audit = row && this.#deps.audit;
    const { generations } = this.#deps;
    return changeView({ generations, audit }, { action: 'view.switch', view: view.name, by: PROJECTOR_ACTOR }, next);
  }

  async #drop(storage: string, partitions: number): Promise<void> {
    await this.#deps.state.drop(storage, partitions);
    await this.#projector.snapshots.drop(storage);
  }

  #again(): void {
    if (this.#closed) return;
    this.#ticking = setTimeout(() => {
      this.#tick = this.#work()
        .catch((cause: unknown) => this.#deps.report?.failed?.(cause))
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
      // Another projector has switched, and drops the old generation.
      if (isFault(e) && e.code === 'conflict') return;
      throw e;
    }
    const old = storageOf(view.name, before);
    const timer = setTimeout(() => {
      this.#drops.delete(timer);
      this.#drop(old, view.partitions).catch((cause: unknown) => this.#deps.report?.failed?.(cause));
    }, this.#deps.dropAfterMs ?? 2_000);
    this.#drops.add(timer);
  }
}

/** Prepares the generation rows of all views; reads nothing before join(). Faults of log and store. */
export async function openProjector(deps: OpenProjectorDeps): Promise<OpenProjector> {
  const running = new RunningProjector(deps);
  await running.prepare();
  return running;
}

/** Whether a view was folded as now, but for who may change its entries, and for which events it refuses. */
function isAdoptable({ ownerless, stepless, untold }: CompiledView, row: GenerationRow | undefined): boolean {
  return row !== undefined && [ownerless, stepless, untold].includes(row.fingerprint);
}
