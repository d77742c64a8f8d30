import { namedFields, type Caller } from '#access';
import { parsePosition } from '#event';
import type { EventLog } from '#log';
import { decodeEvent, openRecord } from '#registry';
import type { CompiledView } from './compile.js';
import type { Stored } from './entry.js';
import { witnessOf } from './fold.js';
import type { PartitionEntry } from './merge.js';
import { levelsFor, type EntryLevels, type RightsDeps } from './shown.js';

export interface LevelDataDeps extends RightsDeps {
  readonly log: Pick<EventLog, 'read'>;
}

/**
 * The levels of a caller for an entry, also for an entry of an earlier version, which kept only the unit fields of its event and not what `consumers` names
 * beside them (R12.1 c): the event is then read in the log, at the position of the entry. Where retention has removed it, the unit fields decide.
 */
export async function entryLevels(
  deps: LevelDataDeps,
  view: CompiledView,
  caller: Caller,
  entry: PartitionEntry,
): Promise<EntryLevels> {
  const levels = levelsFor(deps, view, caller, entry.stored);
  if (levels.whole === 'full' || !lacksLevelData(deps, view, entry.stored)) return levels;
  const stored = await completed(deps, view, entry);
  return stored === undefined ? levels : levelsFor(deps, view, caller, stored);
}

function lacksLevelData({ catalogue }: RightsDeps, view: CompiledView, { e = {} }: Stored): boolean {
  for (const index in e) {
    const type = catalogue.newest(view.sources[index as unknown as number]?.type ?? '');
    if (type && namedFields(type).some((name) => !(name in e[index as unknown as number]![1]))) return true;
  }
  return false;
}

async function completed(
  { log, catalogue }: LevelDataDeps,
  view: CompiledView,
  { stored, position }: PartitionEntry,
): Promise<Stored | undefined> {
  const at = parsePosition(position);
  if (at === undefined) return undefined;
  const { stream, partition, offset } = at;
  const got = await log.read(stream, partition, offset, { maxRecords: 1, maxBytes: 1 });
  const record = got.kind === 'records' ? got.records[0] : undefined;
  if (record?.offset !== offset) return undefined;
  const opened = openRecord(record, catalogue);
  const event = opened.kind === 'event' ? decodeEvent(opened, stream, partition) : undefined;
  if (event === undefined) return undefined;
  const e = { ...stored.e };
  for (const { index, type } of view.sources)
    if (type === event.envelope.type && e[index]?.[0] === event.envelope.source) e[index] = witnessOf(event);
  return { ...stored, e };
}
