import { Fault } from '#faults';
import type { StateChange } from './port.js';

/** Retention of tombstones in the change feed, ms (7 days). */
export const DELETE_RETENTION_MS = 7 * 24 * 3_600_000;
/** Retention of a row of the duplicate index, ms (8 days). */
export const INDEX_RETENTION_MS = 8 * 24 * 3_600_000;

/** The append time that a change stores as progress, ms. undefined: the change has none, the stored time stays. */
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

const isWhole = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;

/** Throws Fault `internal` for a change that breaks the contract of commit(). Every adapter calls it before it writes anything: such a change is a bug of the caller. */
export function checkChange(change: StateChange): void {
  const reject = (detail: string): never => {
    throw new Fault('internal', { detail: `state change: ${detail}` });
  };
  if (change.from < 0n || change.low < 0n || change.epoch < 0n) reject('an offset or the epoch is negative');
  if (change.next < change.from) reject('next is less than from');
  if (change.appendTimeMs !== undefined && !isWhole(change.appendTimeMs)) reject('appendTimeMs is not a whole number');
  if (change.proof !== undefined && !/^\S{1,200}$/.test(change.proof)) reject('the proof is not 1 to 200 characters');
  const seen = { entry: new Set<string>(), part: new Set<string>() };
  for (const row of [...change.puts, ...change.deletes]) {
    if (row.offset < 0n || !isWhole(row.appendTimeMs))
      reject('the offset or append time of a row is not a whole number');
    if (seen[row.space].has(row.key)) reject('a key occurs twice');
    seen[row.space].add(row.key);
  }
}
