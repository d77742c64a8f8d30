import type { SeenEvent } from './door.js';

type Json = Readonly<Record<string, unknown>>;
type Said = string | { readonly const: unknown } | Reach;
interface Reach {
  readonly attribute: string;
  readonly segment?: number;
  readonly map?: Readonly<Record<string, string>>;
  readonly prefix?: string;
}

/** A view file, as far as a fold needs it. */
export interface ViewFile {
  readonly name: string;
  readonly kind: 'latest' | 'merge' | 'set' | 'count' | 'timeline';
  readonly key: 'subject' | Readonly<Record<string, Said>>;
  readonly by?: readonly string[];
  readonly count?: string;
  readonly sum?: Readonly<Record<string, string>>;
  readonly keep?: number;
  readonly sources: readonly Source[];
}

interface Source {
  readonly type: string;
  readonly when?: readonly { readonly field: string; readonly in: readonly unknown[] }[];
  readonly given?: readonly { readonly value: string; readonly is?: Said; readonly isNot?: unknown }[];
  readonly set?: Readonly<Record<string, Said>>;
  readonly remove?: boolean;
}

export interface Folded {
  readonly entries: ReadonlyMap<string, Json>;
  /** Which keys an event touched, by its position. */
  readonly touched: ReadonlyMap<string, readonly string[]>;
}

function say(e: SeenEvent, what: Said): unknown {
  if (typeof what === 'string') return e.data?.[what] ?? null;
  if ('const' in what) return what.const;
  let text = e[what.attribute];
  if (typeof text !== 'string' || text === '') return null;
  if (what.segment !== undefined) text = text.split('-')[what.segment] ?? '';
  if (text === '') return null;
  return (what.prefix ?? '') + (what.map?.[text as string] ?? (text as string));
}

function part(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  return (typeof value === 'string' ? value : JSON.stringify(value)).replace(/[%:]/g, (c) =>
    c === '%' ? '%25' : '%3A',
  );
}

const digits = (text: string): [bigint, number] => {
  const [whole = '0', tail = ''] = text.split('.');
  return [BigInt(whole + tail), tail.length];
};

/** Exact sum; whole numbers stay numbers while a double holds them. */
function plus(a: unknown, b: unknown): number | string {
  const [x, xs] = digits(String(a ?? 0));
  const [y, ys] = digits(String(b ?? 0));
  const scale = Math.max(xs, ys);
  const total = x * 10n ** BigInt(scale - xs) + y * 10n ** BigInt(scale - ys);
  if (scale === 0)
    return Number.isSafeInteger(Number(total)) && typeof a === 'number' && typeof b === 'number'
      ? Number(total)
      : String(total);
  const text = String(total < 0n ? -total : total).padStart(scale + 1, '0');
  return `${total < 0n ? '-' : ''}${text.slice(0, -scale)}.${text.slice(-scale)}`;
}

function order(a: unknown, b: unknown): number {
  if (a === b) return 0;
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a) < String(b) ? -1 : 1;
}

/**
 * Folds events (each partition in offset order) into one view, in the plainest way: no batches, no partials, no store.
 * `events` must hold firsts only.
 */
export function foldView(view: ViewFile, events: readonly SeenEvent[]): Folded {
  const entries = new Map<string, Record<string, unknown>>();
  const touched = new Map<string, string[]>();
  const rank = new Map<string, readonly unknown[]>();
  const counted = new Map<string, { key: string; dims: Record<string, unknown>; sums: unknown[] }>();
  const partOf = (e: SeenEvent): string => e.position.slice(0, e.position.lastIndexOf('/'));
  const keyOf = (e: SeenEvent): string =>
    view.key === 'subject'
      ? e.subject
      : Object.values(view.key)
          .map((p) => part(say(e, p)))
          .join(':');

  for (const e of events) {
    const takers = view.sources.filter(
      (s) => s.type === e.type && (s.when ?? []).every((w) => w.in.includes(e.data?.[w.field] ?? null)),
    );
    const source = takers[0];
    if (source === undefined) continue;
    const key = keyOf(e);
    const touch = (k: string): void => void touched.set(e.position, [...(touched.get(e.position) ?? []), k]);
    touch(key);
    const valuesOf = (s: Source): Record<string, unknown> =>
      Object.fromEntries(Object.entries(s.set ?? {}).map(([name, what]) => [name, say(e, what)]));
    const values = valuesOf(source);
    const now = entries.get(key);
    if (view.kind === 'set') {
      if (source.remove === true) entries.delete(key);
      else entries.set(key, values);
    } else if (view.kind === 'merge') {
      // Only here several sources may take one event: each in turn, on the entry as it then stands.
      for (const taker of takers) {
        const so = entries.get(key);
        const holds = (taker.given ?? []).every((g) => {
          const is = so?.[g.value] ?? null;
          const wanted = g.is === undefined || is === say(e, g.is);
          return so === undefined || (wanted && (g.isNot === undefined || is !== g.isNot));
        });
        if (holds) entries.set(key, { ...so, ...valuesOf(taker) });
      }
    } else if (view.kind === 'latest') {
      const mine = (view.by ?? []).map((f) => e.data?.[f] ?? null);
      if (view.by !== undefined && view.key !== 'subject') mine.push(e.recordedtime);
      const best = rank.get(key);
      let newer = 0;
      for (let i = 0; best !== undefined && newer === 0 && i < mine.length; i++) newer = order(mine[i], best[i]);
      if (newer >= 0) {
        rank.set(key, mine);
        entries.set(key, values);
      }
    } else if (view.kind === 'timeline') {
      const before = (now?.['kejadian'] as unknown[] | undefined) ?? [];
      const all = [...before, { position: e.position, type: e.type, time: e.time, ...values }];
      entries.set(key, { jumlah: Number(now?.['jumlah'] ?? 0) + 1, kejadian: all.slice(-(view.keep ?? 200)) });
    } else {
      const who = `${partOf(e)}\n${e.subject}`;
      const before = counted.get(who);
      if (before !== undefined) touch(before.key);
      if (source.remove === true) counted.delete(who);
      else
        counted.set(who, {
          key,
          dims:
            view.key === 'subject' ? {} : Object.fromEntries(Object.entries(view.key).map(([n, p]) => [n, say(e, p)])),
          sums: Object.values(view.sum ?? {}).map((f) => e.data?.[f] ?? 0),
        });
    }
  }
  for (const c of counted.values()) {
    const at = entries.get(c.key) ?? { ...c.dims };
    at[view.count ?? 'jumlah'] = Number(at[view.count ?? 'jumlah'] ?? 0) + 1;
    for (const [i, name] of Object.keys(view.sum ?? {}).entries()) at[name] = plus(at[name] ?? 0, c.sums[i]);
    entries.set(c.key, at);
  }
  return { entries, touched };
}

/** Equal as JSON, whatever the order of members; an absent member equals null. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b || ((a ?? null) === null && (b ?? null) === null)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  if (Array.isArray(a)) return a.length === (b as unknown[]).length && a.every((x, i) => same(x, (b as unknown[])[i]));
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((n) => same((a as Record<string, unknown>)[n], (b as Record<string, unknown>)[n]));
}
