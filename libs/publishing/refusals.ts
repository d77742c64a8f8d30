import { Mutex } from '#concurrency';
import { isFault } from '#faults';
import type { AppendOutcome } from '#log';
import type { Catalogue } from '#registry';
import { openJournal, type Journal, type TableLog, type TableReport } from '#table';
import { countedPointer, FieldNames } from './counted-pointer.js';
import { KEPT_MS, RefusalCounts, type CountedRefusal, type Keeping, type RefusalKind } from './refusal-counts.js';

export const REFUSALS_TOPIC = '_simpul.refusals';
const COUNTS_A_RECORD = 500;
/** Records of one flush that wait for the log at the same time. */
const RECORDS_AT_ONCE = 20;
/** Memory for the counts of all units, and for those of this process that wait for the log (twice while they are written). */
const WRITTEN_BYTES = 16_000_000;
const FRESH_BYTES = 2_000_000;

/** Refusals of one kind in a minute or an hour. Never data: `pointer` holds names of the contract and the envelope, everything else is `*`. */
export interface Refusal {
  readonly unit: string;
  /** Empty when no known type was named, or when kinds were summarised. */
  readonly type: string;
  readonly code: string;
  /** `…`: kinds beyond the 20 of a unit in an hour, summarised by code, or of any code. */
  readonly pointer: string;
  /** RFC 3339, start of the minute or hour. */
  readonly minute: string;
  readonly per: 'minute' | 'hour';
  readonly count: number;
}

export interface RefusalQuery {
  readonly unit?: string | undefined;
  readonly type?: string | undefined;
  readonly code?: string | undefined;
  /** Which counts are meant, by unit and type. @default all */
  readonly isVisible?: (unit: string, type: string) => boolean;
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
interface RecordedCounts {
  /** Start of the minute, or of the hour, ms. */
  readonly minute: number;
  /** The counts are of an hour: they waited so long for the log that their minutes were summarised. */
  readonly hour?: true;
  readonly counts: readonly Counted[];
}

export interface RefusalsDeps {
  readonly log: TableLog;
  readonly now: () => number;
  readonly catalogue: Pick<Catalogue, 'versions'>;
  readonly report?: TableReport | undefined;
  /** How often counts are written to the log, ms. @default 5,000 */
  readonly flushEveryMs?: number;
  /** Memory for the counts of all units, bytes. @default 16 MB */
  readonly maxBytes?: number;
}

/**
 * Counts refused items in a bounded amount of memory and writes the counts to `_simpul.refusals`, so that every gateway shows the counts of all gateways:
 * by the minute for a day, by the hour up to seven days, 20 kinds a unit and hour, at most 20 MB of all units. `keeping` says what was summarised beyond that.
 * Each record is a sum that adds to the others and nobody owns one, so the topic is a journal of `#table`, not a table with owners.
 */
export class Refusals {
  /** What the topic holds, of every process. */
  readonly #written: RefusalCounts;
  /** Counts of this process that are not in the topic yet. */
  #fresh = new RefusalCounts(FRESH_BYTES);
  readonly #flushes = new Mutex();
  #journal: Journal<RecordedCounts> | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #deps: RefusalsDeps;
  readonly #fields: FieldNames;

  constructor(deps: RefusalsDeps) {
    this.#deps = deps;
    this.#fields = new FieldNames(deps.catalogue);
    this.#written = new RefusalCounts(deps.maxBytes ?? WRITTEN_BYTES);
  }

  async open(): Promise<void> {
    // Before the first record: what is due is summarised as it is read, so that a start takes no more memory than running.
    this.#written.tidy(this.#deps.now());
    this.#journal = await openJournal<RecordedCounts>({
      log: this.#deps.log,
      topic: { name: REFUSALS_TOPIC, partitions: 1, cleanup: 'keep', retentionMs: KEPT_MS },
      parse: recordedCountsOf,
      serialise: (row) => Buffer.from(JSON.stringify(row)),
      onRow: (row) => this.#add(row),
      report: this.#deps.report,
    });
    this.#timer = setInterval(() => {
      void this.flush();
    }, this.#deps.flushEveryMs ?? 5_000);
    this.#timer.unref();
  }

  /** What of the counts is exact, by when: for a list, beside its rows. */
  get keeping(): Keeping {
    const [a, b] = [this.#written.keeping, this.#fresh.keeping];
    return {
      fromMs: Math.max(a.fromMs, b.fromMs),
      kindsFromMs: Math.max(a.kindsFromMs, b.kindsFromMs),
      minutesFromMs: Math.max(a.minutesFromMs, b.minutesFromMs),
    };
  }

  /** Counts one refused item, in memory. Never throws, never waits. */
  count(unit: string, type: string, code: string, pointer: string): void {
    const now = this.#deps.now();
    const where = countedPointer(pointer, this.#fields.of(type));
    this.#fresh.add(unit, now, { type, code, pointer: where }, 1, now);
  }

  /**
   * Counts of every process by the minute, newest first, then by unit, type, code and pointer; lists may be empty. Reads what other processes have written until now; while the log is
   * unavailable, answers what is known here. The rows are made minute by minute as they are asked for; counts may change in between.
   */
  async list(query: RefusalQuery): Promise<Iterable<readonly Refusal[]>> {
    await this.#journal?.refresh().catch(ignoreFault);
    const { fromMs = 0, untilMs = Number.POSITIVE_INFINITY, unit, isVisible, type, code } = query;
    const isWanted = (kind: RefusalKind, of: string): boolean =>
      (type === undefined || kind.type === type) &&
      (code === undefined || kind.code === code) &&
      isVisible?.(of, kind.type) !== false;
    return shown(this.#written.minutes(fromMs, untilMs, { unit, isWanted }, this.#fresh));
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
    this.#written.tidy(this.#deps.now());
    if (this.#fresh.isEmpty || journal === undefined) return;
    const taken = this.#fresh;
    this.#fresh = new RefusalCounts(FRESH_BYTES);
    let refuses = false;
    for (const rows of inParts(recordsOf(taken.rows(0, Number.POSITIVE_INFINITY)), RECORDS_AT_ONCE)) {
      const outcomes: readonly AppendOutcome[] = refuses
        ? []
        : await Promise.all(rows.map((row) => journal.append(row)));
      for (const [i, row] of rows.entries())
        if (refuses || outcomes[i]!.kind === 'refused') this.#put(this.#fresh, row);
      refuses ||= outcomes.some((o) => o.kind === 'refused');
    }
    await journal.refresh();
  }

  #add(row: RecordedCounts): void {
    // Older hubs kept names that publishers had made up, so the pointer is reduced to known names once more.
    const counts = row.counts.map((c) => ({ ...c, pointer: countedPointer(c.pointer, this.#fields.of(c.type)) }));
    this.#put(this.#written, { ...row, counts });
  }

  #put(into: RefusalCounts, { minute, hour, counts }: RecordedCounts): void {
    const now = this.#deps.now();
    for (const { unit, count, ...kind } of counts) into.add(unit, minute, kind, count, now, hour ? 'hour' : 'minute');
  }
}

/** Loads the counts of the last 7 days, follows those of other processes, and begins to write. Fault `log_unavailable`. */
export async function openRefusals(deps: RefusalsDeps): Promise<Refusals> {
  const refusals = new Refusals(deps);
  await refusals.open();
  return refusals;
}

function recordedCountsOf(value: Buffer): RecordedCounts {
  const { minute, hour, counts } = JSON.parse(value.toString()) as Partial<RecordedCounts>;
  if (!Number.isSafeInteger(minute) || !Array.isArray(counts)) throw new TypeError('no counts of a minute');
  return { minute: minute!, ...(hour ? { hour } : {}), counts };
}

/** Cut so that a record stays far below the limits of one append. Made one by one: there may be very many after an outage of the log. */
function* recordsOf(rows: Iterable<CountedRefusal>): IterableIterator<RecordedCounts> {
  let counts: Counted[] = [];
  let last: CountedRefusal | undefined;
  const record = ({ startMs, per }: CountedRefusal): RecordedCounts => ({
    minute: startMs,
    ...(per === 'hour' ? { hour: true } : {}),
    counts,
  });
  for (const row of rows) {
    if (last && (last.startMs !== row.startMs || last.per !== row.per || counts.length >= COUNTS_A_RECORD)) {
      yield record(last);
      counts = [];
    }
    const { unit, type, code, pointer, count } = row;
    counts.push({ unit, type, code, pointer, count });
    last = row;
  }
  if (last) yield record(last);
}

function* inParts<T>(all: Iterable<T>, size: number): IterableIterator<readonly T[]> {
  let part: T[] = [];
  for (const one of all) {
    if (part.push(one) < size) continue;
    yield part;
    part = [];
  }
  if (part.length > 0) yield part;
}

function* shown(minutes: Iterable<readonly CountedRefusal[]>): IterableIterator<readonly Refusal[]> {
  for (const rows of minutes)
    yield rows.map(({ startMs, ...row }) => ({ ...row, minute: new Date(startMs).toISOString() }));
}

function ignoreFault(e: unknown): void {
  if (!isFault(e)) throw e;
}
