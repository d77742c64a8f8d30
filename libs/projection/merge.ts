import { parsePosition } from '#event';
import type { Entry } from '#state';
import type { CompiledView } from './compile.js';
import type { Stored } from './entry.js';
import { add, compareValues } from './exact.js';

/** An entry of one partition, opened. */
export interface Partial {
  readonly stored: Stored;
  readonly position: string;
  readonly appendTimeMs: number;
}

export const openEntry = (entry: Entry): Partial => ({
  stored: JSON.parse(entry.value) as Stored,
  position: entry.position,
  appendTimeMs: entry.appendTimeMs,
});

/** Later of two partials by recorded time, then position (R5.2). */
function later(a: Partial, b: Partial): boolean {
  if (a.appendTimeMs !== b.appendTimeMs) return a.appendTimeMs > b.appendTimeMs;
  const left = parsePosition(a.position);
  const right = parsePosition(b.position);
  if (!left || !right || left.stream !== right.stream) return a.position > b.position;
  return left.partition === right.partition ? left.offset > right.offset : left.partition > right.partition;
}

function greater(view: CompiledView, a: Partial, b: Partial): boolean {
  for (const [i, { numeric }] of view.by.entries()) {
    const order = compareValues(a.stored.b?.[i], b.stored.b?.[i], numeric);
    if (order !== 0) return order > 0;
  }
  return later(a, b);
}

function addUp(view: CompiledView, parts: readonly Partial[]): Stored {
  const v: Record<string, unknown> = { ...parts[0]!.stored.v };
  for (const { stored } of parts.slice(1)) {
    v[view.count] = (v[view.count] as number) + (stored.v[view.count] as number);
    for (const [name] of view.sum) v[name] = add(v[name] as number, stored.v[name] as number, 1);
  }
  return { v };
}

/** The entry that readers see, of the partials of all partitions (R5.2). Whatever order they come in, the answer is the same. */
export function mergePartials(view: CompiledView, parts: readonly Partial[]): Partial | undefined {
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
