import { parsePosition } from '#event';
import type { Entry } from '#state';
import type { CompiledView } from './compile.js';
import type { Stored } from './entry.js';
import { add, compareValues } from './exact.js';
import { isStaleDate } from './time-bounds.js';

/** The entry of a key in one partition. Other partitions of the view may hold an entry of the same key. */
export interface PartitionEntry {
  readonly stored: Stored;
  readonly position: string;
  readonly appendTimeMs: number;
}

export const openEntry = (entry: Entry): PartitionEntry => ({
  stored: JSON.parse(entry.value) as Stored,
  position: entry.position,
  appendTimeMs: entry.appendTimeMs,
});

/** Whether `a` is the later one, by append time, then position (R5.2). */
function later(a: PartitionEntry, b: PartitionEntry): boolean {
  if (a.appendTimeMs !== b.appendTimeMs) return a.appendTimeMs > b.appendTimeMs;
  const left = parsePosition(a.position);
  const right = parsePosition(b.position);
  if (!left || !right || left.stream !== right.stream) return a.position > b.position;
  return left.partition === right.partition ? left.offset > right.offset : left.partition > right.partition;
}

/** An entry that an older release took from far in the future: it loses to every other one (R5.11). */
function isOutOfTime(view: CompiledView, { stored, appendTimeMs }: PartitionEntry): boolean {
  return view.by.some(({ field }, i) => {
    const bound = view.sources.flatMap((s) => s.bounds).find((b) => b.field === field);
    return bound !== undefined && isStaleDate(bound, stored.b?.[i], appendTimeMs);
  });
}

function greater(view: CompiledView, a: PartitionEntry, b: PartitionEntry): boolean {
  const [lateA, lateB] = [isOutOfTime(view, a), isOutOfTime(view, b)];
  if (lateA !== lateB) return lateB;
  for (const [i, { numeric }] of view.by.entries()) {
    const order = compareValues(a.stored.b?.[i], b.stored.b?.[i], numeric);
    if (order !== 0) return order > 0;
  }
  return later(a, b);
}

function addUp(view: CompiledView, parts: readonly PartitionEntry[]): Stored {
  const v: Record<string, unknown> = { ...parts[0]!.stored.v };
  for (const { stored } of parts.slice(1)) {
    v[view.count] = (v[view.count] as number) + (stored.v[view.count] as number);
    for (const [name] of view.sum) v[name] = add(v[name] as number, stored.v[name] as number, 1);
  }
  return { v };
}

/** The entry that readers see, of the entries of all partitions (R5.2). The same answer in any order. */
export function mergeEntries(view: CompiledView, parts: readonly PartitionEntry[]): PartitionEntry | undefined {
  let last = parts[0];
  if (!last) return undefined;
  if (parts.length === 1) return last;
  let greatest = last;
  for (const p of parts.slice(1)) {
    if (later(p, last)) last = p;
    if (greater(view, p, greatest)) greatest = p;
  }
  return view.kind === 'count' ? { ...last, stored: addUp(view, parts) } : greatest;
}
