import { maySeeAllOwners, maySeeOwner, mayRead, readLevel, type Caller } from '#access';
import { formatPosition, type Position } from '#event';
import { ENDLESS, type Turn } from '#limits';
import type { Catalogue } from '#registry';
import type { State } from '#state';
import type { Units } from '#units';
import type { CompiledView } from './compile.js';
import type { RefusalReason } from './entry.js';
import { officeOf } from './owner.js';
import { hasDropped, readRefused, type RefusedEvent } from './refused.js';

export interface ConflictReaderDeps {
  readonly state: Pick<State, 'scan'>;
  readonly views: readonly CompiledView[];
  /** The storage that serves; undefined: none yet. */
  readonly storage: (view: CompiledView) => string | undefined;
  readonly catalogue: Pick<Catalogue, 'newest' | 'stream'>;
  readonly units: Units;
}

/** An event that a view has refused, as a caller may see it: never its data. */
export interface Conflict {
  readonly view: string;
  /** Key of the entry that it would have changed; null when it names a count of somebody else and the caller may not see whose. */
  readonly key: string | null;
  readonly reason: RefusalReason;
  readonly type: string;
  readonly source: string;
  readonly position: string;
  /** RFC 3339. */
  readonly recordedtime: string;
  /** The unit or party that owns the entry; null when the reason is another, and to a caller that may not see the refusals of that owner. */
  readonly owner: string | null;
}

export interface Conflicts {
  /** Newest first, then by view and position. */
  readonly conflicts: readonly Conflict[];
  /**
   * By view: how many of `conflicts` before paging, which are those that the caller may see. For operators, stewards and admin keys of the hub: how many events the
   * view has refused in all, also those that it no longer keeps; not where it folds a restricted type.
   */
  readonly counts: Readonly<Record<string, number>>;
  /**
   * By view, then by source: how many of its refused events the view no longer keeps, for whoever may see the refusals of that source; `""`: of further
   * sources, for those who see all. Views without such events are absent, and so are those that fold a restricted type.
   */
  readonly dropped: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Which rows of the list are wanted, and in whose turns they are looked for. */
export interface ConflictPage {
  /** @default all */
  readonly most?: number;
  /** Whether a row stands behind the place where the page begins. @default all do */
  readonly follows?: (row: Conflict) => boolean;
  /** @default without turns */
  readonly turn?: Turn;
}

/** The events that views have refused (R5.10, R5.11): the newest of each view partition. */
export class ConflictReader {
  constructor(private readonly deps: ConflictReaderDeps) {}

  /** Those that the caller may see, the first `most` in order. Without `view`: of every view. Faults of the store. */
  async list(caller: Caller, view?: CompiledView, page: ConflictPage = {}): Promise<Conflicts> {
    const { most = Number.POSITIVE_INFINITY, follows = () => true, turn = ENDLESS } = page;
    const asked = view === undefined ? this.deps.views.filter((v) => v.refuses) : [view];
    const counts: Record<string, number> = {};
    const dropped: Record<string, Readonly<Record<string, number>>> = {};
    let conflicts: Conflict[] = [];
    for (const one of asked) {
      let all = 0;
      let visible = 0;
      const outs: Readonly<Record<string, number>>[] = [];
      // One partition after the other: what all of them keep is never in memory at once.
      for (const read of this.#partitions(one)) {
        const { count, events, out } = await read();
        await turn.next();
        turn.scanned('entries', events.length + 1);
        all += count;
        outs.push(out);
        for (const event of events) {
          if (turn.isOver) await turn.next();
          if (!this.#isVisible(caller, event)) continue;
          visible++;
          const row = this.#shown(caller, one, event);
          if (follows(row)) conflicts.push(row);
        }
        if (conflicts.length > most) conflicts = conflicts.sort(newestFirst).slice(0, most);
      }
      const isOpen = mayRead(caller.roles) && !this.#hasRestricted(one);
      const seesAll = isOpen && maySeeAllOwners(caller);
      const out = isOpen ? this.#outFor(caller, outs) : {};
      if (Object.keys(out).length > 0) dropped[one.name] = out;
      counts[one.name] = seesAll ? all : visible;
    }
    return { conflicts: conflicts.sort(newestFirst), counts, dropped };
  }

  /**
   * Whether a view has refused the event of this source at a position. `unknown`: none keeps it, and one of them no longer keeps all that it has refused of the
   * source. `behind`: none that has folded it has refused it, and one has not folded it. Faults of the store.
   */
  async refusalOf(
    { stream, partition, offset }: Position,
    source: string,
  ): Promise<'refused' | 'none' | 'unknown' | 'behind'> {
    const position = formatPosition(stream, partition, offset);
    let isBehind = false;
    let isUnknown = false;
    for (const view of this.deps.views) {
      if (!view.refuses || !view.streams.includes(stream)) continue;
      const storage = this.deps.storage(view);
      const read = storage === undefined ? undefined : await readRefused(this.deps.state, storage, partition);
      if (read?.events.some((event) => event.position === position) === true) return 'refused';
      isBehind ||= (read?.progress.find((p) => p.stream === stream)?.next ?? 0n) <= offset;
      isUnknown ||= read !== undefined && hasDropped(read.out, source);
    }
    return isBehind ? 'behind' : isUnknown ? 'unknown' : 'none';
  }

  /** Every kept event of a view, for the hub itself. */
  async all(view: CompiledView): Promise<readonly RefusedEvent[]> {
    return (await Promise.all(this.#partitions(view).map((read) => read()))).flatMap(({ events }) => events);
  }

  #partitions(view: CompiledView): readonly (() => ReturnType<typeof readRefused>)[] {
    const storage = this.deps.storage(view);
    if (storage === undefined || !view.refuses) return [];
    return Array.from({ length: view.partitions }, (_, n) => () => readRefused(this.deps.state, storage, n));
  }

  /** Whoever may read the event, and the owner of the entry with the units above it: it must learn who tried. A restricted type only as the event itself. */
  #isVisible(caller: Caller, { type: name, witness: [source, data], owner }: RefusedEvent): boolean {
    const { catalogue, units } = this.deps;
    const type = catalogue.newest(name);
    if (type === undefined) return false;
    if (readLevel(caller, type, { source, data }, units) !== 'none') return true;
    return !type.restricted && owner !== undefined && mayRead(caller.roles) && maySeeOwner(caller, owner, units);
  }

  /** A source knows how many it has sent; the owners of the entries are not told by this which they were. */
  #outFor(caller: Caller, outs: readonly Readonly<Record<string, number>>[]): Record<string, number> {
    const sum: Record<string, number> = {};
    for (const [source, events] of outs.flatMap((out) => Object.entries(out)))
      if (maySeeOwner(caller, officeOf(source) ?? 'hub', this.deps.units)) sum[source] = (sum[source] ?? 0) + events;
    return sum;
  }

  #hasRestricted({ streams }: CompiledView): boolean {
    const { catalogue } = this.deps;
    const types = streams.flatMap((stream) => catalogue.stream(stream)?.types ?? []);
    return types.some((type) => catalogue.newest(type)?.restricted === true);
  }

  /** Whoever reads the event knows the key that it names, but not whose the entry is; the key of a count that it would have left names the owner too. */
  #shown(caller: Caller, view: CompiledView, refused: RefusedEvent): Conflict {
    const { key, reason, type, witness, position, recordedtime, owner } = refused;
    const knows = owner === undefined || maySeeOwner(caller, owner, this.deps.units);
    return {
      view: view.name,
      key: knows || view.kind !== 'count' ? key : null,
      reason,
      type,
      source: witness[0],
      position,
      recordedtime,
      owner: knows ? (owner ?? null) : null,
    };
  }
}

function newestFirst(a: Conflict, b: Conflict): number {
  if (a.recordedtime !== b.recordedtime) return a.recordedtime < b.recordedtime ? 1 : -1;
  if (a.view !== b.view) return a.view < b.view ? -1 : 1;
  return a.position < b.position ? -1 : 1;
}
