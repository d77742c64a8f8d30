import type { Today } from '#event';
import { currentRows, validNow, validOn, type Rows } from './timeline.js';
import type { Line, Unit, UnitFilter, Units } from './unit.js';

const NONE: readonly Unit[] = [];
const NO_IDS: ReadonlySet<string> = new Set();
/** Size of the cache of past days; the oldest entry is evicted. */
const CACHED_DAYS = 16;

/** The tree of one day with its indices. `above` and `byType` are caches that look-ups fill. */
interface DayTree {
  readonly byId: ReadonlyMap<string, Unit>;
  readonly byCode: ReadonlyMap<string, Unit>;
  readonly list: readonly Unit[];
  readonly children: Readonly<Record<Line, ReadonlyMap<string, readonly Unit[]>>>;
  readonly above: Map<string, ReadonlySet<string>>;
  byType?: ReadonlyMap<string, ReadonlySet<string>>;
}

/** The units in memory. The indices of a day are built on the first look-up for that day after a change. */
export class UnitTree implements Units {
  readonly #rows = new Map<string, Rows>();
  readonly #today: Today;
  /** The zones of all rows, and the day of each when the current tree was built: that tree holds until one of them changes. */
  #zones: readonly string[] | undefined;
  #current: DayTree | undefined;
  #currentDays: string[] = [];
  /** The moment of the last question whether the day is new. */
  #askedAt: number | undefined;
  readonly #past = new Map<string, DayTree>();
  #holders: Map<string, Unit[]> | undefined;
  #links: Map<string, Rows> | undefined;

  constructor(today: Today) {
    this.#today = today;
  }

  /** Replaces all rows of a unit; undefined removes the unit. */
  put(id: string, rows: Rows | undefined): void {
    if (rows === undefined) this.#rows.delete(id);
    else this.#rows.set(id, rows);
    this.#current = undefined;
    this.#zones = undefined;
    this.#holders = undefined;
    this.#links = undefined;
    this.#past.clear();
  }

  today(id: string): string {
    return this.#today(this.get(id)?.timezone);
  }

  get size(): number {
    return this.#rows.size;
  }

  /** The rows as stored: links only on the side that declared them. */
  rows(id: string): Rows {
    return this.#rows.get(id) ?? NONE;
  }

  allRows(id: string): readonly Unit[] {
    return this.#linked().get(id) ?? NONE;
  }

  history(id: string, knownAt?: string): readonly Unit[] {
    return currentRows(this.allRows(id), knownAt);
  }

  get(id: string, asOf?: string, knownAt?: string): Unit | undefined {
    if (asOf === undefined) return this.#day().byId.get(id) ?? this.#last(id);
    if (knownAt !== undefined) return validOn(this.history(id, knownAt), asOf);
    return this.#day(asOf).byId.get(id);
  }

  byCode(code: string, asOf?: string): Unit | undefined {
    const found = this.#day(asOf).byCode.get(code);
    if (found || asOf !== undefined) return found;
    const holder = this.holders(code).at(-1);
    return holder && this.get(holder.id);
  }

  holders(code: string): readonly Unit[] {
    if (!this.#holders) {
      this.#holders = new Map();
      for (const id of this.#rows.keys())
        for (const u of this.history(id)) {
          const known = this.#holders.get(u.code);
          if (known) known.push(u);
          else this.#holders.set(u.code, [u]);
        }
    }
    return this.#holders.get(code) ?? NONE;
  }

  list(filter: UnitFilter, asOf?: string): readonly Unit[] {
    const words = filter.text ? searchForm(filter.text).split(/\s+/).filter(Boolean) : [];
    return this.#day(asOf).list.filter(
      (u) =>
        (filter.type === undefined || u.type === filter.type) &&
        (filter.class === undefined || u.class === filter.class) &&
        (filter.province === undefined || serves(u, filter.province)) &&
        (words.length === 0 || hasWords(u, words)),
    );
  }

  children(id: string, line: Line, asOf?: string): readonly Unit[] {
    return this.#day(asOf).children[line].get(id) ?? NONE;
  }

  above(id: string, asOf?: string): ReadonlySet<string> {
    const day = this.#day(asOf);
    const known = day.above.get(id);
    if (known) return known;
    const first = day.byId.get(id) ?? (asOf === undefined ? this.#last(id) : undefined);
    if (!first) return NO_IDS;
    const out = new Set<string>();
    const pending = [first];
    for (let u = pending.pop(); u; u = pending.pop()) {
      for (const up of [u.parent, u.technicalParent]) {
        if (up === undefined || up === id || out.has(up)) continue;
        out.add(up);
        const next = day.byId.get(up);
        if (next) pending.push(next);
      }
    }
    day.above.set(id, out);
    return out;
  }

  resolve(fn: string, province?: string, asOf?: string): readonly Unit[] {
    return this.list(province === undefined ? { type: fn } : { type: fn, province }, asOf);
  }

  ofType(type: string): ReadonlySet<string> {
    const day = this.#day();
    return (day.byType ??= this.#typesOfToday()).get(type) ?? NO_IDS;
  }

  #typesOfToday(): ReadonlyMap<string, ReadonlySet<string>> {
    const byType = new Map<string, Set<string>>();
    for (const id of this.#rows.keys()) {
      const type = this.get(id)?.type;
      if (type === undefined) continue;
      const ids = byType.get(type);
      if (ids === undefined) byType.set(type, new Set([id]));
      else ids.add(id);
    }
    return byType;
  }

  #last(id: string): Unit | undefined {
    return this.history(id).at(-1);
  }

  #day(asOf?: string): DayTree {
    if (asOf === undefined) {
      if (this.#isNewDay() || !this.#current) this.#current = treeOf(this.#completeTree());
      return this.#current;
    }
    let day = this.#past.get(asOf);
    if (!day) {
      const valid: Unit[] = [];
      for (const id of this.#rows.keys()) {
        const u = validOn(this.history(id), asOf);
        if (u) valid.push(u);
      }
      day = treeOf(valid);
      this.#past.set(asOf, day);
      if (this.#past.size > CACHED_DAYS) this.#past.delete(this.#past.keys().next().value!);
    }
    return day;
  }

  /** Whether the day has changed in a zone since the tree of today was built. Asked for at every look-up, several times for each event that is published or read. */
  #isNewDay(): boolean {
    const moment = this.#today.moment?.();
    if (moment !== undefined && moment === this.#askedAt && this.#zones !== undefined) return false;
    this.#askedAt = moment;
    if (this.#zones === undefined) {
      const zones = new Set<string>();
      for (const rows of this.#rows.values()) for (const row of rows) zones.add(row.timezone);
      this.#zones = [...zones];
      this.#currentDays = [];
    }
    let isNew = false;
    for (let i = 0; i < this.#zones.length; i++) {
      const day = this.#today(this.#zones[i]);
      if (day === this.#currentDays[i]) continue;
      this.#currentDays[i] = day;
      isNew = true;
    }
    return isNew;
  }

  /** Units that are valid today, then ended units that a unit of the tree still names as parent. */
  #completeTree(): Unit[] {
    const tree = new Map<string, Unit>();
    for (const id of this.#rows.keys()) {
      const u = validNow(this.history(id), this.#today);
      if (u) tree.set(id, u);
    }
    const pending = [...tree.values()];
    for (let u = pending.pop(); u; u = pending.pop()) {
      for (const up of [u.parent, u.technicalParent]) {
        if (up === undefined || tree.has(up)) continue;
        const ended = this.#last(up);
        if (ended) {
          tree.set(up, ended);
          pending.push(ended);
        }
      }
    }
    return [...tree.values()];
  }

  /** All rows, with the links to predecessors and successors filled in from both sides. */
  #linked(): ReadonlyMap<string, Rows> {
    if (this.#links) return this.#links;
    const out = new Map<string, Unit[]>();
    for (const [id, rows] of this.#rows) out.set(id, [...rows]);
    const add = (
      id: string,
      pick: (current: Unit[]) => Unit | undefined,
      side: 'predecessors' | 'successors',
      other: string,
    ) => {
      const rows = out.get(id);
      if (!rows || id === other) return;
      const row = pick(currentRows(rows));
      if (!row || row[side]?.includes(other)) return;
      rows[rows.indexOf(row)] = { ...row, [side]: [...(row[side] ?? []), other].sort() };
    };
    for (const [id, rows] of this.#rows) {
      for (const row of rows) {
        if (row.knownUntil !== undefined) continue;
        for (const next of row.successors ?? [])
          add(
            next,
            (current) => current.find((r) => row.validTo === undefined || r.validFrom > row.validTo) ?? current.at(-1),
            'predecessors',
            id,
          );
        for (const prev of row.predecessors ?? [])
          add(
            prev,
            (current) => current.filter((r) => r.validFrom < row.validFrom).at(-1) ?? current.at(-1),
            'successors',
            id,
          );
      }
    }
    this.#links = out;
    return out;
  }
}

/** When two units have the same code, the code belongs to the first of them in `units`. */
function treeOf(units: Unit[]): DayTree {
  const byCode = new Map(units.toReversed().map((u) => [u.code, u]));
  const list = units.sort((a, b) => (a.id < b.id ? -1 : 1));
  const children = { administrative: new Map<string, Unit[]>(), technical: new Map<string, Unit[]>() };
  const under = (line: Line, parent: string | undefined, u: Unit) => {
    if (parent === undefined) return;
    const siblings = children[line].get(parent);
    if (siblings) siblings.push(u);
    else children[line].set(parent, [u]);
  };
  for (const u of list) {
    under('administrative', u.parent, u);
    under('technical', u.technicalParent, u);
  }
  return {
    byId: new Map(list.map((u) => [u.id, u])),
    byCode,
    list,
    children,
    above: new Map(),
  };
}

function serves(u: Unit, province: string): boolean {
  return u.provinceCode === province || (u.coversProvinces?.includes(province) ?? false);
}

/** Lower case without accents, so that a search ignores case and accents. */
function searchForm(s: string): string {
  return s.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}

function hasWords(u: Unit, words: readonly string[]): boolean {
  const searched = searchForm(`${u.name} ${u.shortName} ${u.code} ${u.city} ${u.id}`);
  return words.every((w) => searched.includes(w));
}
