import type { DamagedRange } from './reader.js';

/** Damaged rows that are told once. */
const MAX_TOLD = 10_000;

/** Damage is found at each read of its place, and told at the first. */
export function tellOnce(report: { damaged?(range: DamagedRange): void } | undefined): (range: DamagedRange) => void {
  const told = new Set<string>();
  return (range) => {
    const key = `${range.topic}/${range.partition}/${range.last}`;
    if (told.has(key) || told.size >= MAX_TOLD) return;
    told.add(key);
    report?.damaged?.(range);
  };
}
