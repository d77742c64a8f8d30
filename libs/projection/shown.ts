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

/**
 * A value as this caller may see it; undefined: answer as if there were no entry (R12). Each field follows the event that wrote it: it is left out when
 * the caller may not read that event, and masked when the event is masked for the caller.
 * Totals hold no personal data (checkView): every key with a reading role may see them.
 */
export function shownTo(
  deps: RightsDeps,
  view: CompiledView,
  caller: Caller,
  stored: Stored,
): Record<string, unknown> | undefined {
  if (view.kind === 'count') return mayRead(caller.roles) ? stored.v : undefined;
  if (view.kind === 'timeline') return moments(deps, view, caller, stored);
  const levels = new Map<number, ReadLevel>();
  let best: ReadLevel = 'none';
  let all = true;
  for (const [index, witness] of Object.entries(stored.e ?? {})) {
    const source = view.sources[Number(index)];
    const level = levelOf(deps, caller, source && deps.catalogue.newest(source.type), witness);
    levels.set(Number(index), level);
    if (level !== 'full') all = false;
    if (level === 'full' || best === 'none') best = level;
  }
  if (best === 'none') return undefined;
  if (all) return stored.v;
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
  deps: RightsDeps,
  view: CompiledView,
  caller: Caller,
  stored: Stored,
): Record<string, unknown> | undefined {
  const all = stored.v['kejadian'] as Record<string, unknown>[];
  const kept: Record<string, unknown>[] = [];
  for (const [i, [index, ...witness]] of (stored.m ?? []).entries()) {
    const source = view.sources[index];
    const level = levelOf(deps, caller, source && deps.catalogue.newest(source.type), witness);
    if (level === 'full') kept.push(all[i]!);
    else if (level === 'masked') kept.push(maskData({ fields: [...MOMENT, ...view.fields] }, all[i]!));
  }
  if (kept.length === 0) return undefined;
  return kept.length === all.length ? { ...stored.v, kejadian: kept } : { jumlah: kept.length, kejadian: kept };
}
