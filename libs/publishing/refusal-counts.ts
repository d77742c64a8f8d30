import { RefusalSlots } from './refusal-slots.js';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
export const KEPT_MS = 7 * DAY_MS;
/** Kinds of a unit in an hour. Further ones are counted under their code, then under no code, with the pointer `…`. */
const MAX_KINDS = 20;
const MAX_CODES = 10;
/** What a unit, and a kind, takes beside its entries. Estimates for the limit on all of it. */
const UNIT_BYTES = 600;
const KIND_BYTES = 400;
/** With more bytes than the limit: how much by the minute, how much with kinds, and how much at all is kept. The next line until it fits. */
const KEEPING = [
  { minutesMs: DAY_MS, kindsMs: KEPT_MS, keptMs: KEPT_MS },
  { minutesMs: 6 * HOUR_MS, kindsMs: KEPT_MS, keptMs: KEPT_MS },
  { minutesMs: HOUR_MS, kindsMs: KEPT_MS, keptMs: KEPT_MS },
  { minutesMs: HOUR_MS, kindsMs: DAY_MS, keptMs: KEPT_MS },
  { minutesMs: 0, kindsMs: 6 * HOUR_MS, keptMs: KEPT_MS },
  { minutesMs: 0, kindsMs: 0, keptMs: KEPT_MS },
  { minutesMs: 0, kindsMs: 0, keptMs: DAY_MS },
  { minutesMs: 0, kindsMs: 0, keptMs: HOUR_MS },
] as const;

/** What is counted. Never data. */
export interface RefusalKind {
  /** Empty when no known type was named, or when the kind was summarised. */
  readonly type: string;
  readonly code: string;
  /** `…`: other kinds were summarised under it. */
  readonly pointer: string;
}

const SUMMARY: RefusalKind = { type: '', code: '', pointer: '…' };

export interface CountedRefusal extends RefusalKind {
  readonly unit: string;
  /** Start of the minute or hour, ms. */
  readonly startMs: number;
  readonly per: 'minute' | 'hour';
  readonly count: number;
}

/** Which rows are made. */
export interface RowFilter {
  /** @default all units */
  readonly unit?: string | undefined;
  /** Asked for each count. @default all */
  readonly isWanted?: (kind: RefusalKind, unit: string) => boolean;
}

/** How exact the counts are. Each moment is ms since 1970 and at or after the one before it. */
export interface Keeping {
  /** Nothing before it is kept. */
  readonly fromMs: number;
  /** Before it a unit has one count an hour, without kinds. */
  readonly kindsFromMs: number;
  /** Before it counts are by the hour. */
  readonly minutesFromMs: number;
}

interface UnitCounts {
  readonly minutes: RefusalSlots;
  readonly hours: RefusalSlots;
  /** The hour of the last addition, and the kinds and the sums by code in it. */
  hour: number;
  kinds: number[];
  sums: number[];
}

/**
 * Counts of refusals in a bounded amount of memory: by the minute for a day, by the hour up to seven days, 20 kinds a unit and hour. When units and kinds are so
 * many that this takes more than the limit, the oldest counts are summarised first: by the hour, then without kinds, and in the end dropped. `keeping` says so.
 */
export class RefusalCounts {
  readonly #maxBytes: number;
  readonly #units = new Map<string, UnitCounts>();
  #kinds: RefusalKind[] = [];
  #ids = new Map<string, number>();
  /** Hours, as numbers. They only grow. */
  #keeping = { from: 0, kindsFrom: 0, minutesFrom: 0 };
  #additions = 0;
  /** Kinds after the last rewrite. */
  #kindsKept = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get isEmpty(): boolean {
    return this.#units.size === 0;
  }

  get keeping(): Keeping {
    const { from, kindsFrom, minutesFrom } = this.#keeping;
    return { fromMs: from * HOUR_MS, kindsFromMs: kindsFrom * HOUR_MS, minutesFromMs: minutesFrom * HOUR_MS };
  }

  /** Bytes in memory, as an estimate. */
  get bytes(): number {
    let bytes = this.#units.size * UNIT_BYTES + this.#kinds.length * KIND_BYTES;
    for (const { minutes, hours } of this.#units.values()) bytes += minutes.bytes + hours.bytes;
    return bytes;
  }

  /** Adds counts of a moment. `per` hour: the minute is not known. */
  add(
    unit: string,
    startMs: number,
    kind: RefusalKind,
    count: number,
    nowMs: number,
    per: CountedRefusal['per'] = 'minute',
  ): void {
    const hour = Math.floor(startMs / HOUR_MS);
    if (hour < this.#keeping.from) return;
    const counts = this.#unit(unit);
    const id = hour < this.#keeping.kindsFrom ? this.#idOf(SUMMARY) : this.#kindIn(counts, hour, kind);
    if (per === 'hour' || hour < this.#keeping.minutesFrom) counts.hours.add(hour, id, count);
    else counts.minutes.add(Math.floor(startMs / MINUTE_MS), id, count);
    // The sum over all units is not taken at each addition.
    if (++this.#additions % 1_000 === 0) this.tidy(nowMs);
  }

  /** Summarises and forgets what is due, and more when the limit on memory is passed. */
  tidy(nowMs: number): void {
    for (const [step, { minutesMs, kindsMs, keptMs }] of KEEPING.entries()) {
      if (step > 0 && this.bytes <= this.#maxBytes) return;
      const before = this.#keeping;
      // Whole hours, the current one with them when nothing is kept by the minute.
      const hourOf = (ms: number): number =>
        ms === 0 ? Math.floor(nowMs / HOUR_MS) + 1 : Math.floor((nowMs - ms) / HOUR_MS);
      this.#keeping = {
        from: Math.max(before.from, hourOf(keptMs)),
        kindsFrom: Math.max(before.kindsFrom, hourOf(kindsMs)),
        minutesFrom: Math.max(before.minutesFrom, hourOf(minutesMs)),
      };
      const { from, kindsFrom, minutesFrom } = this.#keeping;
      const isMore = kindsFrom > from && kindsFrom > before.kindsFrom;
      if (isMore || this.#kinds.length > 2 * this.#kindsKept + 1_000) this.#rewrite();
      else if (from > before.from || minutesFrom > before.minutesFrom) this.#moveOn();
    }
  }

  /**
   * Newest first, then by unit, type, code and pointer. `others` are counted with these. What is not wanted is left out before anything is merged or sorted.
   */
  *rows(...query: Parameters<RefusalCounts['minutes']>): IterableIterator<CountedRefusal> {
    for (const rows of this.minutes(...query)) yield* rows;
  }

  /** The same, the rows of a minute together; also empty lists, so that a caller can give the event loop back. Counts may be added between two of them. */
  *minutes(
    fromMs: number,
    untilMs: number,
    { unit, isWanted = () => true }: RowFilter = {},
    others?: RefusalCounts,
  ): IterableIterator<readonly CountedRefusal[]> {
    const sources = others === undefined ? [this] : [this, others];
    for (let slot = Math.min(Math.ceil(untilMs / MINUTE_MS), 0xffff_ffff); ;) {
      const next = Math.max(...sources.map((s) => s.#newestBelow(slot, unit)));
      if (next < 0) return;
      const merged = new Map<string, CountedRefusal>();
      for (const s of sources)
        for (const row of s.#rowsOf(next, unit, isWanted)) {
          if (row.startMs + (row.per === 'hour' ? HOUR_MS : MINUTE_MS) <= fromMs || row.startMs >= untilMs) continue;
          const key = [row.unit, row.type, row.code, row.pointer, row.per].join('\0');
          merged.set(key, { ...row, count: row.count + (merged.get(key)?.count ?? 0) });
        }
      yield [...merged].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
      if ((next + 60) * MINUTE_MS <= fromMs) return;
      slot = next;
    }
  }

  #unit(unit: string): UnitCounts {
    let counts = this.#units.get(unit);
    if (counts === undefined) {
      counts = { minutes: new RefusalSlots(), hours: new RefusalSlots(), hour: -1, kinds: [], sums: [] };
      this.#units.set(unit, counts);
    }
    return counts;
  }

  /** The kind, or the one that it is summarised under when the unit has too many kinds in this hour. */
  #kindIn(counts: UnitCounts, hour: number, kind: RefusalKind): number {
    if (counts.hour !== hour) {
      const found = [...counts.hours.between(hour, hour + 1), ...counts.minutes.between(hour * 60, (hour + 1) * 60)];
      const ids = [...new Set(found.map((e) => e.kind))];
      Object.assign(counts, {
        hour,
        kinds: ids.filter((id) => !isSumOf(this.#kinds[id]!)),
        sums: ids.filter((id) => isSumOf(this.#kinds[id]!) && this.#kinds[id]!.code !== ''),
      });
    }
    const byCode: RefusalKind = { ...SUMMARY, code: kind.code };
    // A sum that another process made stays one, and takes no place of a kind.
    const isSum = isSumOf(kind);
    if (isSum && kind.code === '') return this.#idOf(SUMMARY);
    return (
      (isSum ? undefined : this.#placeOf(kind, counts.kinds, MAX_KINDS)) ??
      this.#placeOf(byCode, counts.sums, MAX_CODES) ??
      this.#idOf(SUMMARY)
    );
  }

  /** The id of a kind that is among these or has a place left. */
  #placeOf(kind: RefusalKind, among: number[], max: number): number | undefined {
    const known = this.#ids.get(keyOf(kind));
    if (known !== undefined && among.includes(known)) return known;
    if (among.length >= max) return undefined;
    const id = this.#idOf(kind);
    among.push(id);
    return id;
  }

  #idOf(kind: RefusalKind): number {
    const key = keyOf(kind);
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#kinds.push({ type: kind.type, code: kind.code, pointer: kind.pointer }) - 1;
      this.#ids.set(key, id);
    }
    return id;
  }

  /** Minutes that are due become hours, and the oldest hours go. */
  #moveOn(): void {
    const { from, kindsFrom, minutesFrom } = this.#keeping;
    for (const [unit, { minutes, hours }] of this.#units) {
      for (const { slot, kind, count } of minutes.between(0, minutesFrom * 60)) {
        const hour = Math.floor(slot / 60);
        hours.add(hour, hour < kindsFrom ? this.#idOf(SUMMARY) : kind, count);
      }
      minutes.dropBelow(minutesFrom * 60);
      hours.dropBelow(from);
      if (minutes.size + hours.size === 0) this.#units.delete(unit);
    }
  }

  /** Writes every count anew as `#keeping` says, and forgets kinds that are not counted any more. */
  #rewrite(): void {
    const old = [...this.#units];
    const kinds = this.#kinds;
    this.#units.clear();
    this.#kinds = [];
    this.#ids = new Map();
    const { from, kindsFrom, minutesFrom } = this.#keeping;
    for (const [unit, { minutes, hours }] of old) {
      const counts: UnitCounts = {
        minutes: new RefusalSlots(),
        hours: new RefusalSlots(),
        hour: -1,
        kinds: [],
        sums: [],
      };
      const put = (hour: number, minute: number | undefined, kind: number, count: number): void => {
        if (hour < from) return;
        const id = this.#idOf(hour < kindsFrom ? SUMMARY : kinds[kind]!);
        if (minute === undefined || hour < minutesFrom) counts.hours.add(hour, id, count);
        else counts.minutes.add(minute, id, count);
      };
      for (const e of hours.between(0, 0xffff_ffff)) put(e.slot, undefined, e.kind, e.count);
      for (const e of minutes.between(0, 0xffff_ffff)) put(Math.floor(e.slot / 60), e.slot, e.kind, e.count);
      if (counts.minutes.size + counts.hours.size > 0) this.#units.set(unit, counts);
    }
    this.#kindsKept = this.#kinds.length;
  }

  /** The start of the newest entry below a minute, as a minute; -1 when there is none. */
  #newestBelow(minute: number, unit: string | undefined): number {
    let newest = -1;
    for (const { minutes, hours } of this.#unitsOf(unit).values()) {
      newest = Math.max(newest, minutes.below(minute) ?? -1, (hours.below(Math.ceil(minute / 60)) ?? -1) * 60);
    }
    return newest;
  }

  *#rowsOf(
    minute: number,
    unit: string | undefined,
    isWanted: NonNullable<RowFilter['isWanted']>,
  ): IterableIterator<CountedRefusal> {
    for (const [name, { minutes, hours }] of this.#unitsOf(unit)) {
      for (const e of minutes.between(minute, minute + 1))
        if (isWanted(this.#kinds[e.kind]!, name))
          yield { unit: name, ...this.#kinds[e.kind]!, startMs: minute * MINUTE_MS, per: 'minute', count: e.count };
      if (minute % 60 !== 0) continue;
      for (const e of hours.between(minute / 60, minute / 60 + 1))
        if (isWanted(this.#kinds[e.kind]!, name))
          yield { unit: name, ...this.#kinds[e.kind]!, startMs: minute * MINUTE_MS, per: 'hour', count: e.count };
    }
  }

  #unitsOf(unit: string | undefined): ReadonlyMap<string, UnitCounts> {
    if (unit === undefined) return this.#units;
    const counts = this.#units.get(unit);
    return counts === undefined ? new Map() : new Map([[unit, counts]]);
  }
}

const isSumOf = ({ type, pointer }: RefusalKind): boolean => type === '' && pointer === SUMMARY.pointer;
const keyOf = ({ type, code, pointer }: RefusalKind): string => `${type}\0${code}\0${pointer}`;
