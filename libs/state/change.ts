import { Fault } from '#faults';
import type { StateChange } from './port.js';

/** How long a delete stays visible in the change feed, ms. */
export const DELETE_RETENTION_MS = 7 * 24 * 3_600_000;
/** How long an entry of the duplicate index is kept, ms. */
export const INDEX_RETENTION_MS = 8 * 24 * 3_600_000;

/** The recorded time that a change moves its stream to, ms; undefined: the stored time stays. */
export function appendTimeOf(change: StateChange): number | undefined {
  if (change.appendTimeMs !== undefined) return change.appendTimeMs;
  let offset = -1n;
  let appendTimeMs: number | undefined;
  for (const row of [...change.puts, ...change.deletes]) {
    if (row.offset > offset) {
      offset = row.offset;
      appendTimeMs = row.appendTimeMs;
    }
  }
  return appendTimeMs;
}

const whole = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;

/** Throws Fault `internal` for a change that no store could apply in one step: a bug of the caller, found before anything is written. */
export function checkChange(change: StateChange): void {
  const wrong = (detail: string): never => {
    throw new Fault('internal', { detail: `state change: ${detail}` });
  };
  if (change.from < 0n || change.low < 0n || change.epoch < 0n) wrong('negative offset or epoch');
  if (change.next < change.from) wrong('next lies before from');
  if (change.appendTimeMs !== undefined && !whole(change.appendTimeMs)) wrong('appendTimeMs is not a whole number');
  const seen = { entry: new Set<string>(), part: new Set<string>() };
  for (const row of [...change.puts, ...change.deletes]) {
    if (row.offset < 0n || !whole(row.appendTimeMs)) wrong('offset or time of a row is not a whole number');
    if (seen[row.space].has(row.key)) wrong('a key stands twice');
    seen[row.space].add(row.key);
  }
}
