import { parsePosition } from '#event';
import type { EventLog } from '#log';
import { openRecord, type Catalogue } from '#registry';
import type { SnapshotChange, SnapshotKey, StreamPlace } from '#snapshots';
import type { Entry, Progress, Space, State } from '#state';
import type { CompiledView } from './compile.js';
import { keepsRemoved } from './fold.js';
import { refusedKeys } from './refused.js';

/** One stored generation of a view, one partition of it. */
export interface ViewPartition {
  readonly view: CompiledView;
  readonly storage: string;
  readonly partition: number;
}

export const placeOf = ({ stream, next, appendTimeMs, proof }: Progress): StreamPlace => ({
  stream,
  next,
  appendTimeMs,
  ...(proof === undefined ? {} : { proof }),
});

const KEYS_A_READ = 500;

function changeOf(space: Space, { key, value, position, appendTimeMs }: Entry): SnapshotChange {
  const { stream, offset } = parsePosition(position)!;
  return { space, key, stream, offset, appendTimeMs, value };
}

/** What the store holds under these keys now; a key without an entry is a delete. Faults of the store. */
export async function changesOfKeys(
  state: State,
  { storage, partition }: ViewPartition,
  keys: readonly SnapshotKey[],
  places: readonly StreamPlace[],
): Promise<SnapshotChange[]> {
  const changes: SnapshotChange[] = [];
  // Of a deleted key the store has no position.
  const { stream, next, appendTimeMs } = places[0]!;
  const gone = { stream, offset: next > 0n ? next - 1n : 0n, appendTimeMs, value: null };
  for (const space of ['entry', 'part'] as const) {
    const mine = keys.filter((k) => k.space === space).map((k) => k.key);
    for (let i = 0; i < mine.length; i += KEYS_A_READ) {
      const some = mine.slice(i, i + KEYS_A_READ);
      const { entries } = await state.read(storage, partition, some, space);
      for (const [n, key] of some.entries()) {
        const entry = entries[n];
        changes.push(entry ? changeOf(space, entry) : { space, key, ...gone });
      }
    }
  }
  return changes;
}

/** One page of what the store holds, for a snapshot that begins anew. */
export async function changesOfPage(
  state: State,
  { storage, partition }: ViewPartition,
  space: Space,
  after: string | undefined,
): Promise<{
  readonly changes: readonly SnapshotChange[];
  readonly more: boolean;
  readonly progress: readonly Progress[];
}> {
  const page = await state.scan(storage, partition, {
    space,
    limit: KEYS_A_READ - 100,
    ...(after === undefined ? {} : { after }),
  });
  return { changes: page.entries.map((e) => changeOf(space, e)), more: page.more, progress: page.progress };
}

/**
 * The keys that events between two places have changed: entries by the change feed, contributions by the events themselves. undefined: not to be known any
 * more (tombstones or events are gone). Faults of log and store.
 */
export async function keysSince(
  { state, log, catalogue }: { readonly state: State; readonly log: EventLog; readonly catalogue: Catalogue },
  { view, storage, partition }: ViewPartition,
  from: readonly StreamPlace[],
  to: readonly StreamPlace[],
): Promise<SnapshotKey[] | undefined> {
  const keys = new Map<string, SnapshotKey>();
  if (view.refuses) for (const key of refusedKeys()) keys.set(`part ${key}`, { space: 'part', key });
  for (const { stream, next } of from) {
    const end = to.find((p) => p.stream === stream)?.next ?? next;
    for (let after = next - 1n; ;) {
      const page = await state.changes(storage, { stream, partition }, after, KEYS_A_READ);
      if (page.gap) return undefined;
      for (const { key } of page.changes) {
        keys.set(`entry ${key}`, { space: 'entry', key });
        if (keepsRemoved(view)) keys.set(`part ${key}`, { space: 'part', key });
      }
      if (!page.more) break;
      after = page.changes.at(-1)!.offset;
    }
    for (let at = next; view.kind === 'count' && at < end;) {
      const read = await log.read(stream, partition, at, { maxRecords: KEYS_A_READ });
      if (read.kind !== 'records' || read.next <= at) return undefined;
      for (const record of read.records) {
        const opened = openRecord(record, catalogue);
        // The owner before has folded it under a schema that this process does not know yet.
        if (opened.kind === 'unknown_schema') return undefined;
        if (opened.kind !== 'event') continue;
        const { subject: key } = opened.envelope;
        keys.set(`part ${key}`, { space: 'part', key });
      }
      at = read.next;
    }
  }
  return [...keys.values()];
}
