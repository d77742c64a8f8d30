import { instantMs } from '#avro';
import type { EventType } from '#registry';
import type { ViewDefinition } from './view.js';

/** How far ahead of its recorded time an event may date itself where the contract of its type says nothing. */
const AHEAD_MINUTES = 24 * 60;

/** A field by which a view takes the greatest event: a value from far in the future would win for ever. */
export interface TimeBound {
  readonly field: string;
  readonly kind: 'date' | 'timestamp';
  readonly aheadMs: number;
}

/** The dates and times of a type by which this view takes the latest event (R5.11). */
export function boundsOf(def: Pick<ViewDefinition, 'kind' | 'by'>, type: EventType): readonly TimeBound[] {
  if (def.kind !== 'latest') return [];
  const aheadMs = (type.aheadMinutes ?? AHEAD_MINUTES) * 60_000;
  return (def.by ?? []).flatMap((field) => {
    const kind = type.contract.fields.find((f) => f.name === field)?.kind;
    return kind === 'date' || kind === 'timestamp' ? [{ field, kind, aheadMs }] : [];
  });
}

/** Whether a value is further ahead of the recorded time (ms) than its bound. A value that is no date is not. */
export function isAhead(
  { field, kind, aheadMs }: TimeBound,
  data: Readonly<Record<string, unknown>>,
  recordedMs: number,
): boolean {
  const ms = instantMs(kind, data[field]);
  return ms !== undefined && ms > recordedMs + aheadMs;
}

/**
 * Whether a stored date is one that no event of this time may have: an older release let it in, and the log could not be folded again. Twice the tolerance, so
 * that clocks of two gateways that differ a little change nothing.
 */
export function isStaleDate({ kind, aheadMs }: TimeBound, value: unknown, timeMs: number): boolean {
  const ms = instantMs(kind, value);
  return ms !== undefined && ms > timeMs + 2 * aheadMs;
}

/** The bounds of every type that a view takes the latest of, for whoever accepts events (R5.11): the same comparison as in the fold. */
export function publishBounds(
  views: readonly { readonly sources: readonly { readonly type: string; readonly bounds: readonly TimeBound[] }[] }[],
): ReadonlyMap<string, readonly TimeBound[]> {
  const out = new Map<string, TimeBound[]>();
  for (const { sources } of views)
    for (const { type, bounds } of sources) {
      const known = out.get(type) ?? [];
      const fresh = bounds.filter((b) => !known.some((k) => k.field === b.field));
      if (fresh.length > 0) out.set(type, [...known, ...fresh]);
    }
  return out;
}
