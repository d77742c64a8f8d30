import { maySeeOwner, mayRead, readLevel, type Caller } from '#access';
import type { Catalogue } from '#registry';
import type { State } from '#state';
import type { Units } from '#units';
import type { CompiledView } from './compile.js';
import type { RefusalReason } from './entry.js';
import { readRefused, type RefusedEvent } from './refused.js';

export interface ConflictReaderDeps {
  readonly state: Pick<State, 'scan'>;
  readonly views: readonly CompiledView[];
  /** The storage that serves; undefined: none yet. */
  readonly storage: (view: CompiledView) => string | undefined;
  readonly catalogue: Pick<Catalogue, 'newest'>;
  readonly units: Units;
}

/** An event that a view has refused, as a caller may see it: never its data. */
export interface Conflict {
  readonly view: string;
  /** Key of the entry that it would have changed. */
  readonly key: string;
  readonly reason: RefusalReason;
  readonly type: string;
  readonly source: string;
  readonly position: string;
  /** RFC 3339. */
  readonly recordedtime: string;
  /** The unit or party that owns the entry; null when the reason is another. */
  readonly owner: string | null;
}

export interface Conflicts {
  /** Newest first, then by view and position. */
  readonly conflicts: readonly Conflict[];
  /** How many events each view has refused in all, also those that it no longer keeps. */
  readonly counts: Readonly<Record<string, number>>;
}

/** The events that views have refused (R5.10, R5.11): the newest of each view partition. */
export class ConflictReader {
  constructor(private readonly deps: ConflictReaderDeps) {}

  /** Those that the caller may see. Without `view`: of every view. Faults of the store. */
  async list(caller: Caller, view?: CompiledView): Promise<Conflicts> {
    const asked = view === undefined ? this.deps.views.filter((v) => v.refuses) : [view];
    const counts: Record<string, number> = {};
    const conflicts: Conflict[] = [];
    for (const one of asked) {
      counts[one.name] = 0;
      for (const { count, events } of await this.#read(one)) {
        counts[one.name]! += count;
        for (const event of events) if (this.#isVisible(caller, event)) conflicts.push(shown(one, event));
      }
    }
    return { conflicts: conflicts.sort(newestFirst), counts };
  }

  /** Every kept event of a view, for the hub itself. */
  async all(view: CompiledView): Promise<readonly RefusedEvent[]> {
    return (await this.#read(view)).flatMap(({ events }) => events);
  }

  async #read(view: CompiledView): Promise<Awaited<ReturnType<typeof readRefused>>[]> {
    const storage = this.deps.storage(view);
    if (storage === undefined || !view.refuses) return [];
    const partitions = Array.from({ length: view.partitions }, (_, partition) => partition);
    return Promise.all(partitions.map((partition) => readRefused(this.deps.state, storage, partition)));
  }

  /** Whoever may read the event, and the owner of the entry with the units above it: it must learn who tried. A restricted type only as the event itself. */
  #isVisible(caller: Caller, { type: name, witness: [source, data], owner }: RefusedEvent): boolean {
    const { catalogue, units } = this.deps;
    const type = catalogue.newest(name);
    if (type === undefined) return false;
    if (readLevel(caller, type, { source, data }, units) !== 'none') return true;
    return !type.restricted && owner !== undefined && mayRead(caller.roles) && maySeeOwner(caller, owner, units);
  }
}

function shown(
  view: CompiledView,
  { key, reason, type, witness, position, recordedtime, owner }: RefusedEvent,
): Conflict {
  return { view: view.name, key, reason, type, source: witness[0], position, recordedtime, owner: owner ?? null };
}

function newestFirst(a: Conflict, b: Conflict): number {
  if (a.recordedtime !== b.recordedtime) return a.recordedtime < b.recordedtime ? 1 : -1;
  if (a.view !== b.view) return a.view < b.view ? -1 : 1;
  return a.position < b.position ? -1 : 1;
}
