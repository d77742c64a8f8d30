import type { DecodedEvent } from '#registry';
import type { Put, Delete, State, StateChange, StreamPartition, Committed } from '#state';
import type { CompiledView } from './compile.js';
import type { Contribution, Stored } from './entry.js';
import { fold, needsEntry, sourcesFor, type Desk } from './fold.js';

interface Change<T> {
  readonly value: T | undefined;
  readonly event: DecodedEvent;
}

/** Entries of a batch: those read from the store, and over them the changes of the fold. Only the last change of a key is written. */
class BatchDesk implements Desk {
  readonly entries = new Map<string, Stored>();
  readonly parts = new Map<string, Contribution>();
  readonly changedEntries = new Map<string, Change<Stored>>();
  readonly changedParts = new Map<string, Change<Contribution>>();

  entry(key: string): Stored | undefined {
    const c = this.changedEntries.get(key);
    return c ? c.value : this.entries.get(key);
  }

  part(key: string): Contribution | undefined {
    const c = this.changedParts.get(key);
    return c ? c.value : this.parts.get(key);
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
): Promise<{ readonly committed: Committed; readonly change: StateChange }> {
  const taken = events.filter((e) => sourcesFor(view, e).length > 0);
  const change: StateChange =
    taken.length === 0
      ? { ...step, puts: [], deletes: [] }
      : { ...step, ...(await changesOf(state, storage, view, part, taken)) };
  return { committed: await state.commit(storage, part, change), change };
}

async function changesOf(
  state: State,
  storage: string,
  view: CompiledView,
  part: StreamPartition,
  events: readonly DecodedEvent[],
): Promise<Pick<StateChange, 'puts' | 'deletes'>> {
  const desk = await load(state, storage, view, part.partition, events);
  for (const event of events) fold(view, event, desk);
  return desk.changes();
}
