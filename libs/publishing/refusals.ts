import { Mutex } from '#concurrency';
import { isFault } from '#faults';
import type { Catalogue } from '#registry';
import { openJournal, type Journal, type TableLog } from '#table';
import { countedPointer, FieldNames } from './counted-pointer.js';

export const REFUSALS_TOPIC = '_simpul.refusals';
const REFUSALS_KEPT_MS = 7 * 24 * 3_600_000;
const MINUTE_MS = 60_000;
/** Different (type, code, pointer) of one unit in one minute. Beyond that, refusals are counted under the pointer `…`, which bounds the memory. */
const MAX_PER_UNIT = 200;
const COUNTS_A_RECORD = 500;

/** Refusals of one kind in one minute. Never data: `pointer` holds names of the contract and the envelope, everything else is `*`. */
export interface Refusal {
  readonly unit: string;
  /** Empty when no known type was named. */
  readonly type: string;
  readonly code: string;
  readonly pointer: string;
  /** RFC 3339, start of the minute. */
  readonly minute: string;
  readonly count: number;
}

export interface RefusalQuery {
  readonly unit?: string | undefined;
  readonly type?: string | undefined;
  readonly code?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

interface Counted {
  readonly unit: string;
  readonly type: string;
  readonly code: string;
  readonly pointer: string;
  count: number;
}

/** What one record of the topic holds. */
interface MinuteCounts {
  readonly minute: number;
  readonly counts: readonly Counted[];
}

export interface RefusalsDeps {
  readonly log: TableLog;
  readonly now: () => number;
  readonly catalogue: Pick<Catalogue, 'versions'>;
  /** How often counts are written to the log, ms. @default 5,000 */
  readonly flushEveryMs?: number;
}

/**
 * Counts refused items per minute in memory and writes the counts to `_simpul.refusals`, so that every gateway shows the counts of all gateways.
 * Each record is a sum that adds to the others and nobody owns one, so the topic is a journal of `#table`, not a table with owners.
 */
export class Refusals {
  /** minute (ms) → kind → count: what the topic holds, of every process. */
  readonly #written = new Map<number, Map<string, Counted>>();
  /** Counts of this process that are not in the topic yet. */
  #fresh = new Map<number, Map<string, Counted>>();
  readonly #perUnit = new Map<string, number>();
  #perUnitMinute = 0;
  readonly #flushes = new Mutex();
  #journal: Journal<MinuteCounts> | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #deps: RefusalsDeps;
  readonly #fields: FieldNames;

  constructor(deps: RefusalsDeps) {
    this.#deps = deps;
    this.#fields = new FieldNames(deps.catalogue);
  }

  async open(): Promise<void> {
    this.#journal = await openJournal<MinuteCounts>({
      log: this.#deps.log,
      topic: { name: REFUSALS_TOPIC, partitions: 1, cleanup: 'keep', retentionMs: REFUSALS_KEPT_MS },
      parse: minuteCountsOf,
      serialise: (row) => Buffer.from(JSON.stringify(row)),
      onRow: (row) => this.#add(row),
    });
    this.#timer = setInterval(() => {
      void this.flush();
    }, this.#deps.flushEveryMs ?? 5_000);
    this.#timer.unref();
  }

  /** Counts one refused item, in memory. Never throws, never waits. */
  count(unit: string, type: string, code: string, pointer: string): void {
    const minute = Math.floor(this.#deps.now() / MINUTE_MS) * MINUTE_MS;
    if (minute !== this.#perUnitMinute) {
      this.#perUnit.clear();
      this.#perUnitMinute = minute;
    }
    let where = countedPointer(pointer, this.#fields.of(type));
    const kinds = mapAt(this.#fresh, minute);
    if (!kinds.has(kindOf(unit, type, code, where))) {
      const seen = this.#perUnit.get(unit) ?? 0;
      if (seen >= MAX_PER_UNIT) where = '…';
      else this.#perUnit.set(unit, seen + 1);
    }
    add(kinds, { unit, type, code, pointer: where, count: 1 });
  }

  /**
   * Counts of every process, newest minute first, then by unit, type, code and pointer. Reads what other processes have written until now; while
   * the log is unavailable, answers what is known here.
   */
  async list(query: RefusalQuery): Promise<readonly Refusal[]> {
    await this.#journal?.refresh().catch(ignoreFault);
    const merged = new Map<number, Map<string, Counted>>();
    for (const source of [this.#written, this.#fresh]) {
      for (const [minute, kinds] of source) {
        if (minute + MINUTE_MS <= (query.fromMs ?? 0) || minute >= (query.untilMs ?? Number.POSITIVE_INFINITY))
          continue;
        for (const c of kinds.values()) if (matches(c, query)) add(mapAt(merged, minute), c);
      }
    }
    return [...merged]
      .sort(([a], [b]) => b - a)
      .flatMap(([minute, kinds]) =>
        [...kinds]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([, c]) => ({ ...c, minute: new Date(minute).toISOString() })),
      );
  }

  /**
   * Writes the fresh counts. Refused counts stay fresh for the next flush. Uncertain ones do not, because a count must never be doubled: if the log
   * has them, they are read back. Never throws: counting must not stop publishing.
   */
  flush(): Promise<void> {
    return this.#flushes.run(() => this.#write()).catch(() => undefined);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
    await this.#journal?.close();
  }

  async #write(): Promise<void> {
    const journal = this.#journal;
    this.#forgetExpired();
    if (this.#fresh.size === 0 || journal === undefined) return;
    const taken = this.#fresh;
    this.#fresh = new Map();
    const rows = [...taken].flatMap(([minute, kinds]) => rowsOf(minute, [...kinds.values()]));
    await Promise.all(
      rows.map(async (row) => {
        const outcome = await journal.append(row);
        if (outcome.kind === 'refused') for (const c of row.counts) add(mapAt(this.#fresh, row.minute), c);
      }),
    );
    await journal.refresh();
  }

  #add({ minute, counts }: MinuteCounts): void {
    // Older hubs kept names that publishers had made up, so the pointer is reduced to known names once more.
    for (const c of counts)
      add(mapAt(this.#written, minute), { ...c, pointer: countedPointer(c.pointer, this.#fields.of(c.type)) });
  }

  #forgetExpired(): void {
    const before = this.#deps.now() - REFUSALS_KEPT_MS;
    for (const minute of this.#written.keys()) if (minute < before) this.#written.delete(minute);
  }
}

/** Loads the counts of the last 7 days, follows those of other processes, and begins to write. Fault `log_unavailable`. */
export async function openRefusals(deps: RefusalsDeps): Promise<Refusals> {
  const refusals = new Refusals(deps);
  await refusals.open();
  return refusals;
}

function minuteCountsOf(value: Buffer): MinuteCounts {
  const { minute, counts } = JSON.parse(value.toString()) as Partial<MinuteCounts>;
  if (typeof minute !== 'number' || !Array.isArray(counts)) throw new TypeError('no counts of a minute');
  return { minute, counts };
}

/** Cut so that a record stays far below the limits of one append. */
function rowsOf(minute: number, all: readonly Counted[]): MinuteCounts[] {
  const rows: MinuteCounts[] = [];
  for (let i = 0; i < all.length; i += COUNTS_A_RECORD)
    rows.push({ minute, counts: all.slice(i, i + COUNTS_A_RECORD) });
  return rows;
}

function matches(c: Counted, q: RefusalQuery): boolean {
  return (
    (q.unit === undefined || c.unit === q.unit) &&
    (q.type === undefined || c.type === q.type) &&
    (q.code === undefined || c.code === q.code)
  );
}

function kindOf(unit: string, type: string, code: string, pointer: string): string {
  return `${unit}\0${type}\0${code}\0${pointer}`;
}

function mapAt(of: Map<number, Map<string, Counted>>, minute: number): Map<string, Counted> {
  let kinds = of.get(minute);
  if (!kinds) of.set(minute, (kinds = new Map<string, Counted>()));
  return kinds;
}

function add(kinds: Map<string, Counted>, c: Counted): void {
  const key = kindOf(c.unit, c.type, c.code, c.pointer);
  const known = kinds.get(key);
  if (known) known.count += c.count;
  else kinds.set(key, { unit: c.unit, type: c.type, code: c.code, pointer: c.pointer, count: c.count });
}

function ignoreFault(e: unknown): void {
  if (!isFault(e)) throw e;
}
