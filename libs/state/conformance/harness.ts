import type { Put, Delete, Space, State, StateChange } from '../port.js';

/** What a suite run needs beside the port: a clock in its hands and a way to lose the store. */
export interface StateHarness {
  /** The open state; another object after `reopen`. */
  readonly state: State;
  /** Moves the clock that was handed to the adapter. */
  advance(ms: number): void;
  /** Empties the store under the open state, as FLUSHALL does. */
  empty(): Promise<void>;
  /** Closes the state and opens it again over the same store. */
  reopen(): Promise<void>;
  /** Closes the state and removes what the harness made. */
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

/** A change over [from, next). */
export function change(
  from: number | bigint,
  next: number | bigint,
  rows: readonly (Put | Delete)[] = [],
  more: Partial<Pick<StateChange, 'epoch' | 'low' | 'appendTimeMs'>> = {},
): StateChange {
  const puts = rows.filter((row): row is Put => 'value' in row);
  const deletes = rows.filter((row): row is Delete => !('value' in row));
  return { epoch: 7n, low: 0n, from: BigInt(from), next: BigInt(next), puts, deletes, ...more };
}

/** Asks until the answer is true. Throws after `ms`, so that a test that waits in vain ends its own loops. */
export async function until(asked: () => Promise<boolean>, ms = 20_000): Promise<void> {
  for (const end = performance.now() + ms; !(await asked()); await new Promise((resolve) => setTimeout(resolve, 10))) {
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain`);
  }
}
