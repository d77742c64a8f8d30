import type { Core } from '#core';
import { Fault } from '#faults';
import { HUB } from '#reading';
import { UNIT_CHANGED, UNITS_STREAM, type UnitChange, type UnitFoldDeps, type UnitReadLimits } from '#units';

const TYPES = new Set([UNIT_CHANGED]);

/** The changes of units for the fold (UnitFoldDeps.read). Below the earliest kept offset it goes on at that offset: the fold must not stand still. */
export async function readUnitChanges(
  { reading, registry }: Pick<Core, 'reading' | 'registry'>,
  from: bigint,
  { topicId, max, waitMs, signal }: UnitReadLimits,
): ReturnType<UnitFoldDeps['read']> {
  const stream = registry.catalogue.stream(UNITS_STREAM);
  if (stream === undefined) throw new Fault('unknown_topic', { detail: UNITS_STREAM });
  const range = { stream, topicId, next: [from], missing: 'skip' } as const;
  const page = await reading.readEvents(HUB, range, { types: TYPES }, { limit: max, waitMs, signal });
  return {
    events: page.events.map(({ offset, data }) => ({ offset, data: data as UnitChange })),
    next: page.next[0]!,
  };
}
