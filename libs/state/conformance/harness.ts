import { setTimeout as sleep } from 'node:timers/promises';
import type { Put, Delete, Space, State, StateChange } from '../port.js';

/** One adapter under test, with a clock that the suite controls and a way to lose the data of the store. */
export interface StateHarness {
  /** The open State; `reopen` replaces it with another object. */
  readonly state: State;
  /** Advances the clock that the adapter was opened with. */
  advance(ms: number): void;
  /** Empties the store while the State is open, as FLUSHALL does. */
  empty(): Promise<void>;
  /** Closes the State and opens it again on the same store. */
  reopen(): Promise<void>;
  /** Closes the State and removes everything that the harness created. */
  close(): Promise<void>;
}

export const STREAM = 'imigrasi.paspor';
export const OTHER = 'imigrasi.cegah';
export const T0 = 1_626_310_800_000;
export const DAY = 86_400_000;

let views = 0;
/** A view name that no other case uses. */
export function newView(): string {
  return `uji${process.pid}x${++views}`;
}

export function put(
  key: string,
  offset: number | bigint,
  value: unknown = { o: String(offset) },
  space: Space = 'entry',
): Put {
  return {
    space,
    key,
    value: JSON.stringify(value),
    offset: BigInt(offset),
    appendTimeMs: T0 + Number(BigInt(offset) % 1_000_000n),
  };
}

export function del(key: string, offset: number | bigint, space: Space = 'entry'): Delete {
  return { space, key, offset: BigInt(offset), appendTimeMs: T0 + Number(BigInt(offset) % 1_000_000n) };
}

/** A StateChange of the batch [from, next). */
export function change(
  from: number | bigint,
  next: number | bigint,
  rows: readonly (Put | Delete)[] = [],
  more: Partial<Pick<StateChange, 'epoch' | 'low' | 'appendTimeMs' | 'proof' | 'feedGap'>> = {},
): StateChange {
  const puts = rows.filter((row): row is Put => 'value' in row);
  const deletes = rows.filter((row): row is Delete => !('value' in row));
  return { epoch: 7n, low: 0n, from: BigInt(from), next: BigInt(next), puts, deletes, ...more };
}

/** Polls every 10 ms until the condition is true. Throws after `ms`: a test that fails by its own deadline also ends its own background loops. */
export async function until(condition: () => Promise<boolean>, ms = 45_000): Promise<void> {
  for (const end = performance.now() + ms; !(await condition()); await sleep(10)) {
    if (performance.now() > end) throw new Error(`the condition was not true within ${ms} ms`);
  }
}
