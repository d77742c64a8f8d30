import { bytesOf, MAX_APPEND_BYTES, MAX_APPEND_RECORDS, type EventLog, type NewRecord } from '#log';
import { isFault } from '#faults';
import type { Catalogue } from '#registry';
import { countedPointer, FieldNames } from './counted-pointer.js';

export const REFUSALS_TOPIC = '_simpul.refusals';
export const REFUSALS_KEPT_MS = 7 * 24 * 3_600_000;
const MINUTE_MS = 60_000;
/** Different (type, code, pointer) of one unit in one minute; beyond, the pointer is no longer told apart. */
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

/** Counts refusals a minute; keeps them in a topic, so that every process of the hub shows the same. */
export class Refusals {
  /** minute (ms) → kind → count, of what lies in the topic. */
  readonly #minutes = new Map<number, Map<string, Counted>>();
  /** Not yet written. */
  #fresh = new Map<number, Map<string, Counted>>();
  readonly #perUnit = new Map<string, number>();
  #perUnitMinute = 0;
  #next = 0n;
  #work: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  readonly #fields: FieldNames;

  constructor(
    private readonly log: Pick<EventLog, 'read' | 'append' | 'describe'>,
    private readonly now: () => number,
    catalogue: Pick<Catalogue, 'versions'>,
  ) {
    this.#fields = new FieldNames(catalogue);
  }

  /** Reads what was counted before and begins to write every `everyMs`. The topic must exist (keep, 7 days). */
  async open(everyMs = 5_000): Promise<void> {
    this.#next = (await this.log.describe(REFUSALS_TOPIC))[0]?.low ?? 0n;
    await this.#catchUp();
    this.#timer = setInterval(() => {
      void this.flush();
    }, everyMs);
    this.#timer.unref();
  }

  /** In memory, never throws, never waits. */
  count(unit: string, type: string, code: string, pointer: string): void {
    const minute = Math.floor(this.now() / MINUTE_MS) * MINUTE_MS;
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

  /** Newest minute first, then by unit, type, code and pointer. Reads what other processes have written meanwhile; without the log, what is known here. */
  async list(query: RefusalQuery): Promise<readonly Refusal[]> {
    await this.#catchUp().catch(ignoreFault);
    const merged = new Map<number, Map<string, Counted>>();
    for (const source of [this.#minutes, this.#fresh]) {
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

  /** Writes the fresh counts. What is not surely written stays fresh only when it surely was not: a count is never doubled. */
  flush(): Promise<void> {
    // Counting must never stop publishing; the health door tells that the log is away.
    this.#work = this.#work.then(() => this.#write()).catch(() => undefined);
    return this.#work;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  async #write(): Promise<void> {
    this.#forget();
    if (this.#fresh.size === 0) return;
    const taken = this.#fresh;
    this.#fresh = new Map();
    const records = [...taken].flatMap(([minute, kinds]) => recordsOf(minute, [...kinds.values()]));
    for (let at = 0; at < records.length;) {
      const piece = onePiece(records, at);
      const done = await this.log.append(
        REFUSALS_TOPIC,
        0,
        piece.map((p) => p.record),
      );
      // Whether an unknown piece was written the log tells when it is read.
      if (done.kind !== 'refused') at += piece.length;
      if (done.kind === 'accepted') continue;
      for (const { minute, counts } of records.slice(at)) for (const c of counts) add(mapAt(this.#fresh, minute), c);
      break;
    }
    await this.#catchUp();
  }

  async #catchUp(): Promise<void> {
    for (;;) {
      const from = this.#next;
      const batch = await this.log.read(REFUSALS_TOPIC, 0, from, { maxRecords: 500 });
      // Another call of this one has moved on meanwhile.
      if (this.#next !== from) continue;
      if (batch.kind === 'out_of_range') {
        // Retention went past us: what is gone is older than what is shown.
        this.#next = from < batch.low ? batch.low : batch.high;
        continue;
      }
      for (const r of batch.records) this.#fold(r.value);
      this.#next = batch.next;
      if (batch.next >= batch.high || batch.next === from) return;
    }
  }

  #fold(value: Buffer | null): void {
    if (value === null) return;
    const { minute, counts } = JSON.parse(value.toString()) as { minute: number; counts: Counted[] };
    // Older hubs kept names that publishers had made up.
    for (const c of counts)
      add(mapAt(this.#minutes, minute), { ...c, pointer: countedPointer(c.pointer, this.#fields.of(c.type)) });
  }

  #forget(): void {
    const before = this.now() - REFUSALS_KEPT_MS;
    for (const minute of this.#minutes.keys()) if (minute < before) this.#minutes.delete(minute);
  }
}

interface Piece {
  readonly minute: number;
  readonly counts: readonly Counted[];
  readonly record: NewRecord;
}

function recordsOf(minute: number, all: readonly Counted[]): Piece[] {
  const out: Piece[] = [];
  for (let i = 0; i < all.length; i += COUNTS_A_RECORD) {
    const counts = all.slice(i, i + COUNTS_A_RECORD);
    out.push({
      minute,
      counts,
      record: { key: null, value: Buffer.from(JSON.stringify({ minute, counts })), headers: [] },
    });
  }
  return out;
}

/** As many as one append takes (R3.4), from a place on. */
function onePiece(all: readonly Piece[], from: number): Piece[] {
  let to = from + 1;
  let bytes = bytesOf(all[from]!.record);
  while (to < all.length && to - from < MAX_APPEND_RECORDS) {
    bytes += bytesOf(all[to]!.record);
    if (bytes > MAX_APPEND_BYTES) break;
    to++;
  }
  return all.slice(from, to);
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
