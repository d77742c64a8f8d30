import type { SeenEvent } from './hub-client.js';

type Json = Readonly<Record<string, unknown>>;
/** Where a value comes from: a field of the data, a constant, or an attribute of the event. */
type Expression = string | { readonly const: unknown } | AttributeExpression;
interface AttributeExpression {
  readonly attribute: string;
  readonly segment?: number;
  readonly map?: Readonly<Record<string, string>>;
  readonly prefix?: string;
}

/** The members of a view file that a fold needs. */
export interface ViewFile {
  readonly name: string;
  readonly kind: 'latest' | 'merge' | 'set' | 'count' | 'timeline';
  readonly key: 'subject' | Readonly<Record<string, Expression>>;
  readonly by?: readonly string[];
  readonly count?: string;
  readonly sum?: Readonly<Record<string, string>>;
  readonly keep?: number;
  readonly owner?: Owner;
  readonly sources: readonly Source[];
}

/** `first`, `any-with-right`, `field:<name>`, or several fields of which the first that is set counts. */
type Owner = string | readonly string[];

interface Source {
  readonly type: string;
  readonly owner?: Owner;
  readonly when?: readonly { readonly field: string; readonly in: readonly unknown[] }[];
  readonly given?: readonly { readonly value: string; readonly is?: Expression; readonly isNot?: unknown }[];
  readonly set?: Readonly<Record<string, Expression>>;
  readonly remove?: boolean;
}

export interface Folded {
  readonly entries: ReadonlyMap<string, Json>;
  /** Keys of the entries that an event changed, by its position. */
  readonly touched: ReadonlyMap<string, readonly string[]>;
}

function evaluate(e: SeenEvent, what: Expression): unknown {
  if (typeof what === 'string') return e.data?.[what] ?? null;
  if ('const' in what) return what.const;
  let text = e[what.attribute];
  if (typeof text !== 'string' || text === '') return null;
  if (what.segment !== undefined) text = text.split('-')[what.segment] ?? '';
  if (text === '') return null;
  return (what.prefix ?? '') + (what.map?.[text as string] ?? (text as string));
}

const hex = (c: string): string => c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0');

/** One part of a key, escaped; `-` for a missing value. */
function keyPart(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (value === '-') return '%2D';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return Array.from(text, (c) => (c === '%' || c === ':' || c < ' ' ? `%${hex(c)}` : c)).join('');
}

const digits = (text: string): [bigint, number] => {
  const [whole = '0', tail = ''] = text.split('.');
  return [BigInt(whole + tail), tail.length];
};

/** Exact decimal sum. Whole numbers stay numbers while they are safe integers. */
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

/** Compares values of `by` fields; null is the smallest. */
function order(a: unknown, b: unknown): number {
  if (a === b) return 0;
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a) < String(b) ? -1 : 1;
}

/** The unit or party of a source; undefined: the hub, which may change everything. */
const officeOf = (source: string): string | undefined => /^urn:simpul:(?:unit|party):([^:]+):/.exec(source)?.[1];

/**
 * Folds events (each partition in offset order) into one view in the simplest way: no batches, no partitions, no store.
 * `events` must contain no copies. An event of somebody who does not own the entry changes nothing (R5.10). Dates that are too far ahead (R5.11) are not looked
 * for: a hub that refuses them at the door has none.
 */
export function foldView(view: ViewFile, events: readonly SeenEvent[]): Folded {
  const entries = new Map<string, Record<string, unknown>>();
  const touched = new Map<string, string[]>();
  const rank = new Map<string, readonly unknown[]>();
  /** Who made an entry; it outlives the entry. */
  const makers = new Map<string, string>();
  const counted = new Map<
    string,
    { owner?: string | undefined; key: string; dims: Record<string, unknown>; sums: unknown[] }
  >();
  const partOf = (e: SeenEvent): string => e.position.slice(0, e.position.lastIndexOf('/'));
  const keyOf = (e: SeenEvent): string =>
    view.key === 'subject'
      ? e.subject
      : Object.values(view.key)
          .map((p) => keyPart(evaluate(e, p)))
          .join(':');

  for (const e of events) {
    const matching = view.sources.filter(
      (s) => s.type === e.type && (s.when ?? []).every((w) => w.in.includes(e.data?.[w.field] ?? null)),
    );
    const source = matching[0];
    if (source === undefined) continue;
    const key = keyOf(e);
    const office = officeOf(e.source);
    const who = `${partOf(e)}\n${e.subject}`;
    const fieldsOf = (owner: Owner): string[] => [owner].flat().map((f) => f.slice(f.indexOf(':') + 1));
    const ownerBy = (rule: Owner): unknown => {
      if (view.kind === 'count') return counted.get(who)?.owner;
      const entry = entries.get(key);
      if (entry === undefined || rule === 'first') return makers.get(key);
      return fieldsOf(rule)
        .map((f) => entry[f])
        .find((v) => typeof v === 'string' && v !== '');
    };
    const refused = matching.slice(0, view.kind === 'merge' ? undefined : 1).some((s) => {
      const rule = s.owner ?? view.owner ?? 'any-with-right';
      if (rule === 'any-with-right' || office === undefined) return false;
      return ![undefined, office].includes(ownerBy(rule) as string | undefined);
    });
    if (refused) continue;
    const touch = (k: string): void => void touched.set(e.position, [...(touched.get(e.position) ?? []), k]);
    touch(key);
    const valuesOf = (s: Source): Record<string, unknown> =>
      Object.fromEntries(Object.entries(s.set ?? {}).map(([name, what]) => [name, evaluate(e, what)]));
    const values = valuesOf(source);
    const now = entries.get(key);
    if (view.owner === 'first' && view.kind !== 'set' && !makers.has(key) && office !== undefined)
      makers.set(key, office);
    if (view.kind === 'set') {
      if (source.remove === true) {
        const rule = view.owner ?? 'any-with-right';
        const owner = now === undefined || rule === 'any-with-right' ? undefined : ownerBy(rule);
        if (typeof owner === 'string') makers.set(key, owner);
        entries.delete(key);
      } else {
        entries.set(key, values);
        if (view.owner === 'first' && !makers.has(key) && office !== undefined) makers.set(key, office);
      }
    } else if (view.kind === 'merge') {
      // Only in a merge view several sources may match one event; they are applied one after another.
      for (const each of matching) {
        const before = entries.get(key);
        const holds = (each.given ?? []).every((g) => {
          const is = before?.[g.value] ?? null;
          const wanted = g.is === undefined || is === evaluate(e, g.is);
          return before === undefined || (wanted && (g.isNot === undefined || is !== g.isNot));
        });
        if (holds) entries.set(key, { ...before, ...valuesOf(each) });
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
      const before = counted.get(who);
      if (before !== undefined) touch(before.key);
      if (source.remove === true) counted.delete(who);
      else
        counted.set(who, {
          owner:
            view.owner === undefined || view.owner === 'any-with-right'
              ? undefined
              : view.owner === 'first'
                ? (before?.owner ?? office)
                : ((e.data?.[fieldsOf(view.owner)[0]!] as string | null | undefined) ?? before?.owner),
          key,
          dims:
            view.key === 'subject'
              ? {}
              : Object.fromEntries(Object.entries(view.key).map(([n, p]) => [n, evaluate(e, p)])),
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

/** Equality of JSON values: the order of members does not count, and an absent member equals null. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b || ((a ?? null) === null && (b ?? null) === null)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  if (Array.isArray(a)) return a.length === (b as unknown[]).length && a.every((x, i) => same(x, (b as unknown[])[i]));
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((n) => same((a as Record<string, unknown>)[n], (b as Record<string, unknown>)[n]));
}
