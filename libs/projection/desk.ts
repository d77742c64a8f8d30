import type { DecodedEvent } from '#registry';
import type { Put, Delete, State, StateChange, StreamPartition, Committed } from '#state';
import type { CompiledView } from './compile.js';
import type { Contribution, RefusedCount, Removed, Stored, StoredRefusal } from './entry.js';
import { fold, keepsRemoved, needsEntry, sourcesFor, type Desk, type Refused } from './fold.js';
import { RefusedRing, refusedKeys } from './refused.js';

interface Change<T> {
  readonly value: T | undefined;
  readonly event: DecodedEvent;
}

/** Entries of a batch: those read from the store, and over them the changes of the fold. Only the last change of a key is written. */
class BatchDesk implements Desk {
  readonly entries = new Map<string, Stored>();
  readonly parts = new Map<string, Contribution>();
  readonly changedEntries = new Map<string, Change<Stored>>();
  readonly removedKeys = new Map<string, Removed>();
  readonly changedParts = new Map<string, Change<Contribution | Removed | StoredRefusal | RefusedCount>>();
  readonly refused: { readonly refusal: Refused; readonly event: DecodedEvent }[] = [];

  entry(key: string): Stored | undefined {
    const c = this.changedEntries.get(key);
    return c ? c.value : this.entries.get(key);
  }

  part(key: string): Contribution | undefined {
    const c = this.changedParts.get(key);
    return c ? (c.value as Contribution | undefined) : this.parts.get(key);
  }

  removed(key: string): Removed | undefined {
    const c = this.changedParts.get(key);
    return c ? (c.value as Removed | undefined) : this.removedKeys.get(key);
  }

  putRemoved(key: string, value: Removed | undefined, event: DecodedEvent): void {
    this.changedParts.set(key, { value, event });
  }

  refuse(refusal: Refused, event: DecodedEvent): void {
    this.refused.push({ refusal, event });
  }

  /** Puts the refused events to those that the view partition has refused before. */
  keepRefused(ring: RefusedRing): StoredRefusal[] {
    return this.refused.map(({ refusal, event }) => {
      const { stored, rows } = ring.add(refusal, event);
      for (const [key, value] of rows) this.changedParts.set(key, { value, event });
      return stored;
    });
  }

  putEntry(key: string, value: Stored | undefined, event: DecodedEvent): void {
    this.changedEntries.set(key, { value, event });
  }

  putPart(key: string, value: Contribution | undefined, event: DecodedEvent): void {
    this.changedParts.set(key, { value, event });
  }

  changes(): { puts: Put[]; deletes: Delete[] } {
    const puts: Put[] = [];
    const deletes: Delete[] = [];
    const collect = (space: 'entry' | 'part', changed: ReadonlyMap<string, Change<unknown>>): void => {
      for (const [key, { value, event }] of changed) {
        const at = { space, key, offset: event.offset, appendTimeMs: event.appendTimeMs };
        if (value === undefined) deletes.push(at);
        else puts.push({ ...at, value: JSON.stringify(value) });
      }
    };
    collect('entry', this.changedEntries);
    collect('part', this.changedParts);
    return { puts, deletes };
  }
}

const NOTHING = { entries: [] } as const;

async function load(
  state: State,
  storage: string,
  view: CompiledView,
  partition: number,
  events: readonly DecodedEvent[],
) {
  const desk = new BatchDesk();
  const keys = new Set<string>();
  if (view.kind === 'count') {
    const subjects = [...new Set(events.map((e) => e.envelope.subject))];
    const { entries } = await state.read(storage, partition, subjects, 'part');
    for (const entry of entries) {
      if (!entry) continue;
      const part = JSON.parse(entry.value) as Contribution;
      desk.parts.set(entry.key, part);
      keys.add(part.k);
    }
  }
  if (view.kind === 'count' || needsEntry(view)) for (const e of events) keys.add(view.keyOf(e));
  if (keys.size > 0) {
    const { entries } = await state.read(storage, partition, [...keys]);
    for (const entry of entries) if (entry) desk.entries.set(entry.key, JSON.parse(entry.value) as Stored);
  }
  if (keepsRemoved(view)) {
    const absent = [...keys].filter((key) => !desk.entries.has(key));
    const { entries } = absent.length === 0 ? NOTHING : await state.read(storage, partition, absent, 'part');
    for (const entry of entries) if (entry) desk.removedKeys.set(entry.key, JSON.parse(entry.value) as Removed);
  }
  return desk;
}

/** A StateChange without its rows. */
export type Step = Omit<StateChange, 'puts' | 'deletes'>;

/** Folds events (at most 500, in order, of one stream partition) into a view and commits them with the new position, in one step. Answers the change too. */
export async function foldInto(
  state: State,
  storage: string,
  view: CompiledView,
  part: StreamPartition,
  events: readonly DecodedEvent[],
  step: Step,
): Promise<{
  readonly committed: Committed;
  readonly change: StateChange;
  readonly refused: readonly StoredRefusal[];
}> {
  const taken = events.filter((e) => sourcesFor(view, e).length > 0);
  if (taken.length === 0) {
    const change = { ...step, puts: [], deletes: [] };
    return { committed: await state.commit(storage, part, change), change, refused: [] };
  }
  const { refused, ...rows } = await changesOf(state, storage, view, part, taken);
  const change: StateChange = { ...step, ...rows };
  return { committed: await state.commit(storage, part, change), change, refused };
}

async function changesOf(
  state: State,
  storage: string,
  view: CompiledView,
  part: StreamPartition,
  events: readonly DecodedEvent[],
): Promise<Pick<StateChange, 'puts' | 'deletes'> & { readonly refused: readonly StoredRefusal[] }> {
  const desk = await load(state, storage, view, part.partition, events);
  for (const event of events) fold(view, event, desk);
  if (desk.refused.length === 0) return { ...desk.changes(), refused: [] };
  // Refused events are rare: those before are read only when there is one.
  const { entries } = await state.read(storage, part.partition, refusedKeys(), 'part');
  const refused = desk.keepRefused(new RefusedRing(entries.filter((e) => e !== undefined)));
  return { ...desk.changes(), refused };
}
