import { createHash } from 'node:crypto';
import type { Delete, Put, Space, State } from '../port.js';
import { T0 } from './harness.js';

/** An event of the small test log of this suite: it counts one up for its key; with `gone` it also deletes the entry of the key. */
export interface Fact {
  readonly key: string;
  readonly gone: boolean;
}

/** A log of `length` facts; equal seeds give equal logs. */
export function facts(seed: number, length: number): Fact[] {
  let x = seed >>> 0 || 1;
  const next = (n: number): number => {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((x / 2 ** 32) * n);
  };
  return Array.from({ length }, () => ({ key: `perkara:${next(40)}`, gone: next(10) === 0 }));
}

/**
 * Folds the log into a view as a projector does: from the stored position, in batches; it rewinds when a commit is refused.
 * Each value counts the facts of its key, so a fact that is skipped or folded twice changes the digest.
 */
export async function fold(
  state: State,
  view: string,
  part: { readonly stream: string; readonly partition: number },
  log: readonly Fact[],
  options: { readonly batch: number; readonly until?: number; readonly afterCommit?: (next: number) => Promise<void> },
): Promise<{ readonly rewinds: number }> {
  const end = options.until ?? log.length;
  let rewinds = 0;
  let at = Number((await state.position(view, part))?.next ?? 0n);
  while (at < end) {
    const upto = Math.min(end, at + options.batch);
    const keys = [...new Set(log.slice(at, upto).map((fact) => fact.key))];
    const before = await state.read(view, part.partition, keys, 'part');
    const counts = new Map(keys.map((key, i) => [key, Number(before.entries[i]?.value ?? '0')]));
    const rows = new Map<string, Put | Delete>();
    for (let i = at; i < upto; i++) {
      const { key, gone } = log[i]!;
      const row = { key, offset: BigInt(i), appendTimeMs: T0 + i };
      const n = counts.get(key)! + 1;
      counts.set(key, n);
      rows.set(`part/${key}`, { ...row, space: 'part', value: String(n) });
      rows.set(
        `entry/${key}`,
        gone ? { ...row, space: 'entry' } : { ...row, space: 'entry', value: JSON.stringify({ n }) },
      );
    }
    const all = [...rows.values()];
    const done = await state.commit(view, part, {
      epoch: 1n,
      low: 0n,
      from: BigInt(at),
      next: BigInt(upto),
      puts: all.filter((row): row is Put => 'value' in row),
      deletes: all.filter((row): row is Delete => !('value' in row)),
    });
    if (done.ok) at = upto;
    else {
      at = Number(done.expected);
      rewinds++;
    }
    if (done.ok) await options.afterCommit?.(at);
  }
  return { rewinds };
}

/** SHA-256 over all entries of both key spaces of a view partition: key, value, position, append time. */
export async function digestOfState(state: State, view: string, partition: number): Promise<string> {
  const sum = createHash('sha256');
  for (const space of ['entry', 'part'] satisfies Space[]) {
    for (let after: string | undefined, more = true; more;) {
      const page = await state.scan(view, partition, { space, limit: 17, ...(after === undefined ? {} : { after }) });
      for (const { key, value, position, appendTimeMs } of page.entries)
        sum.update(JSON.stringify([space, key, value, position, appendTimeMs]));
      after = page.entries.at(-1)?.key;
      more = page.more;
    }
  }
  return sum.digest('hex');
}

/** The digest that every store must have after the first `length` facts, computed without a store. */
export function digestOfFacts(
  log: readonly Fact[],
  length: number,
  part: { readonly stream: string; readonly partition: number },
): string {
  const rows = { entry: new Map<string, unknown[]>(), part: new Map<string, unknown[]>() };
  const counts = new Map<string, number>();
  for (let i = 0; i < length; i++) {
    const { key, gone } = log[i]!;
    const n = (counts.get(key) ?? 0) + 1;
    counts.set(key, n);
    const tail = [`${part.stream}/${part.partition}/${i}`, T0 + i];
    rows.part.set(key, ['part', key, String(n), ...tail]);
    if (gone) rows.entry.delete(key);
    else rows.entry.set(key, ['entry', key, JSON.stringify({ n }), ...tail]);
  }
  const sum = createHash('sha256');
  for (const space of [rows.entry, rows.part]) {
    const keys = [...space.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const key of keys) sum.update(JSON.stringify(space.get(key)));
  }
  return sum.digest('hex');
}
