import { maskData, mayRead, readLevel, type Caller, type ReadLevel } from '#access';
import type { FieldInfo } from '#avro';
import type { Units } from '#units';
import type { Catalogue, EventType } from '#registry';
import type { CompiledView } from './compile.js';
import type { Stored, Witness } from './entry.js';

export interface RightsDeps {
  readonly catalogue: Catalogue;
  readonly units: Units;
}

function levelOf(deps: RightsDeps, caller: Caller, type: EventType | undefined, [source, data]: Witness): ReadLevel {
  return type ? readLevel(caller, type, { source, data }, deps.units) : 'none';
}

/** How much of an entry a caller may see: the level of each event that stands in it, by index of its source, or by its place in a time line. */
export interface EntryLevels {
  readonly levels: readonly ReadLevel[];
  /** Index of the source of each level. */
  readonly sources: readonly number[];
  /** none: answer as if there were no entry. full: every event in full. */
  readonly whole: ReadLevel;
}

/**
 * The levels of a caller for an entry (R12), decided before anything of its value is looked at. Totals hold no personal data (checkView): every key with a
 * reading role may see them.
 */
export function levelsFor(deps: RightsDeps, view: CompiledView, caller: Caller, stored: Stored): EntryLevels {
  if (view.kind === 'count') return { levels: [], sources: [], whole: mayRead(caller.roles) ? 'full' : 'none' };
  const witnesses: (readonly [index: number, ...Witness])[] =
    view.kind === 'timeline'
      ? (stored.m ?? [])
      : Object.entries(stored.e ?? {}).map(([index, witness]) => [Number(index), ...witness]);
  const levels = witnesses.map(([index, ...witness]) => {
    const source = view.sources[index];
    return levelOf(deps, caller, source && deps.catalogue.newest(source.type), witness);
  });
  const isFull = levels.length > 0 && levels.every((level) => level === 'full');
  const isNone = levels.every((level) => level === 'none');
  return { levels, sources: witnesses.map(([index]) => index), whole: isFull ? 'full' : isNone ? 'none' : 'masked' };
}

/**
 * A value at these levels. Each field follows the event that wrote it: it is left out when the caller may not read that event, and masked when the event is
 * masked for the caller.
 */
export function shownAt(
  view: CompiledView,
  stored: Stored,
  { levels: all, sources, whole }: EntryLevels,
): Record<string, unknown> | undefined {
  if (whole === 'none') return undefined;
  if (view.kind === 'timeline') return moments(view, stored, all);
  if (whole === 'full') return stored.v;
  const levels = new Map(sources.map((source, i) => [source, all[i]!]));
  const out: Record<string, unknown> = {};
  const masked = maskData({ fields: view.fields }, stored.v);
  for (const field of view.fields) {
    const value = stored.v[field.name];
    if (value === undefined) continue;
    const level = levels.get(writerOf(view, stored, field.name)) ?? 'none';
    if (level === 'full') out[field.name] = value;
    else if (level === 'masked') out[field.name] = masked[field.name];
  }
  return out;
}

/** Index of the source that wrote a field last. */
function writerOf(view: CompiledView, stored: Stored, name: string): number {
  const noted = stored.w?.[name];
  if (noted !== undefined) return noted;
  const present = Object.keys(stored.e ?? {}).map(Number);
  return present.find((i) => view.sources[i]?.set.some(([n]) => n === name)) ?? -1;
}

const MOMENT: readonly FieldInfo[] = ['position', 'type', 'time'].map((name) => ({
  name,
  kind: 'string',
  optional: false,
  pii: 'none',
}));

function moments(
  view: CompiledView,
  stored: Stored,
  levels: readonly ReadLevel[],
): Record<string, unknown> | undefined {
  const all = stored.v['kejadian'] as Record<string, unknown>[];
  const kept: Record<string, unknown>[] = [];
  for (const [i, level] of levels.entries()) {
    if (level === 'full') kept.push(all[i]!);
    else if (level === 'masked') kept.push(maskData({ fields: [...MOMENT, ...view.fields] }, all[i]!));
  }
  if (kept.length === 0) return undefined;
  return kept.length === all.length ? { ...stored.v, kejadian: kept } : { jumlah: kept.length, kejadian: kept };
}
