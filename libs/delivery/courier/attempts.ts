import { jittered, pause } from '#concurrency';
import { bytesOf, MAX_APPEND_BYTES, MAX_APPEND_RECORDS, type EventLog, type NewRecord, type TopicSpec } from '#log';
import { COURIER_PARTITIONS } from '#subscriptions';
import type { AttemptRow } from '../port.js';

const DAY_MS = 86_400_000;

/** Every attempt to deliver, one record each, keyed by subscription; the value is the AttemptRow as JSON. AttemptStream gives it to data teams. */
export const ATTEMPTS_SPEC: TopicSpec = {
  name: '_simpul.attempts',
  partitions: COURIER_PARTITIONS,
  cleanup: 'keep',
  retentionMs: 30 * DAY_MS,
};

const RETRY_MS = 1_000;
/** Rows that wait for the log. Beyond it the courier starts no attempt: an attempt without a record would be one that nobody can look up. */
const MAX_WAITING = 20_000;
const CHUNK = 500;
/** Records that one page of a time line looks at. */
const SCAN_RECORDS = 20_000;
const SCAN_BYTES = 1_048_576;

export interface AttemptsOfEvent {
  /** By subscription. */
  readonly rows: ReadonlyMap<string, AttemptRow>;
  /** false: there may be others, behind the budget of the scan or deleted by now. */
  readonly isWhole: boolean;
}

type AttemptsLog = Pick<EventLog, 'append' | 'read' | 'describe' | 'offsetAt'>;

/** The attempts of the subscriptions of one partition: written in batches, read backwards from the newest. */
export class Attempts {
  readonly #log: AttemptsLog;
  readonly #partition: number;
  readonly #failed: ((cause: unknown) => void) | undefined;
  readonly #added: ((row: AttemptRow) => void) | undefined;
  #waiting: NewRecord[] = [];
  #bytes = 0;
  #lastKey: { readonly id: string; readonly key: Buffer } | undefined;
  #flushing: Promise<void> | undefined;
  readonly #closing = new AbortController();

  /** `failed`: the log has not taken rows; they are appended again after a second. `added`: called for each row. */
  constructor(
    log: AttemptsLog,
    partition: number,
    failed?: (cause: unknown) => void,
    added?: (row: AttemptRow) => void,
  ) {
    this.#log = log;
    this.#partition = partition;
    this.#failed = failed;
    this.#added = added;
  }

  /** False: too many rows wait for the log. */
  get hasRoom(): boolean {
    return this.#waiting.length < MAX_WAITING;
  }

  /** Durable with the next flush(). */
  add(row: AttemptRow): void {
    this.#added?.(row);
    const value = Buffer.from(textOf(row));
    this.#waiting.push({ key: this.#keyOf(row.subscription), value, headers: [] });
    this.#bytes += value.length + row.subscription.length;
    if (this.#waiting.length >= MAX_APPEND_RECORDS || this.#bytes >= MAX_APPEND_BYTES / 2) void this.flush();
  }

  /** One subscription has thousands of rows a second. */
  #keyOf(subscription: string): Buffer {
    if (this.#lastKey?.id !== subscription) this.#lastKey = { id: subscription, key: Buffer.from(subscription) };
    return this.#lastKey.key;
  }

  /** Resolves when every row that was added before is durable, or close() has given up. Never rejects. */
  async flush(): Promise<void> {
    // Rows that were added while an append ran are in the next one.
    while (this.#flushing !== undefined) await this.#flushing;
    if (this.#waiting.length === 0) return;
    this.#flushing = this.#append().finally(() => (this.#flushing = undefined));
    await this.#flushing;
  }

  async #append(): Promise<void> {
    const rows = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    const { signal } = this.#closing;
    for (let at = 0; at < rows.length;) {
      const some = batchOf(rows, at);
      const outcome = await this.#log.append(ATTEMPTS_SPEC.name, this.#partition, some);
      if (outcome.kind === 'accepted') at += some.length;
      else {
        // After an uncertain outcome the log may have rows twice: the same attempt, with the same id and try, twice in a time line.
        this.#failed?.(outcome.cause ?? outcome.kind);
        if (signal.aborted) return;
        await pause(jittered(RETRY_MS), signal);
        if (signal.aborted) return;
      }
    }
  }

  /** From now on nothing is appended again that the log has not taken. */
  giveUp(): void {
    this.#closing.abort();
  }

  /** Gives up rows that the log does not take. */
  close(): Promise<void> {
    this.giveUp();
    return this.flush();
  }

  /**
   * The newest rows that match, newest first. `below`: only records under this offset (`next` of the page before). A page that ended at its scan budget may be short
   * and has `next`. Fault `log_unavailable`.
   */
  async newest(
    matches: (row: AttemptRow) => boolean,
    limit: number,
    below?: bigint,
  ): Promise<{ readonly rows: readonly AttemptRow[]; readonly next?: bigint }> {
    await this.flush();
    const [range] = (await this.#log.describe(ATTEMPTS_SPEC.name)).slice(this.#partition);
    const { low, high } = range!;
    const rows: AttemptRow[] = [];
    let end = below === undefined || below > high ? high : below;
    for (let scanned = 0; end > low && scanned < SCAN_RECORDS;) {
      const from = end - BigInt(CHUNK) > low ? end - BigInt(CHUNK) : low;
      const chunk = await this.#range(from, end);
      scanned += chunk.length;
      for (let i = chunk.length - 1; i >= 0; i--) {
        const { offset, row } = chunk[i]!;
        end = offset;
        if (!matches(row)) continue;
        rows.push(row);
        if (rows.length >= limit) return { rows, next: end };
      }
      end = from;
    }
    return end > low ? { rows, next: end } : { rows };
  }

  /** The newest row of one event for each subscription, among those from the time of the event on. Fault `log_unavailable`. */
  async ofEvent(position: string, fromMs: number): Promise<AttemptsOfEvent> {
    await this.flush();
    const found = new Map<string, AttemptRow>();
    const name = ATTEMPTS_SPEC.name;
    const { low, high } = (await this.#log.describe(name))[this.#partition]!;
    let next = await this.#log.offsetAt(name, this.#partition, fromMs);
    const isKept = next > low || low === 0n;
    for (let scanned = 0; next < high && scanned < SCAN_RECORDS;) {
      const got = await this.#log.read(name, this.#partition, next, { maxRecords: CHUNK, maxBytes: SCAN_BYTES });
      if (got.kind !== 'records' || got.next === next) break;
      for (const { key, value } of got.records) {
        scanned++;
        if (value === null || key === null || !value.includes(position)) continue;
        const row = rowOf(key, value);
        if (row.position === position) found.set(row.subscription, row);
      }
      next = got.next;
    }
    return { rows: found, isWhole: isKept && next >= high };
  }

  async #range(from: bigint, end: bigint): Promise<{ readonly offset: bigint; readonly row: AttemptRow }[]> {
    const rows: { readonly offset: bigint; readonly row: AttemptRow }[] = [];
    for (let next = from; next < end;) {
      const got = await this.#log.read(ATTEMPTS_SPEC.name, this.#partition, next, {
        maxRecords: CHUNK,
        maxBytes: SCAN_BYTES,
      });
      if (got.kind !== 'records' || got.next === next) break;
      for (const { offset, key, value } of got.records)
        if (offset < end && key !== null && value !== null) rows.push({ offset, row: rowOf(key, value) });
      next = got.next;
    }
    return rows;
  }
}

function batchOf(rows: readonly NewRecord[], at: number): readonly NewRecord[] {
  let bytes = 0;
  let end = at;
  while (end < rows.length && end - at < MAX_APPEND_RECORDS) {
    bytes += bytesOf(rows[end]!);
    if (bytes > MAX_APPEND_BYTES && end > at) break;
    end++;
  }
  return rows.slice(at, end);
}

/** As JSON.stringify of the row without its subscription; a third of its cost. */
function textOf({
  id,
  position,
  subject,
  try: tries,
  at,
  ms,
  status,
  outcome,
  reason,
  head,
  edited,
}: AttemptRow): string {
  const more =
    (status === undefined ? '' : `,"status":${status}`) +
    (reason === undefined ? '' : `,"reason":${JSON.stringify(reason)}`) +
    (head === undefined ? '' : `,"head":${JSON.stringify(head)}`) +
    (edited === undefined ? '' : `,"edited":${JSON.stringify(edited)}`);
  return `{"id":${JSON.stringify(id)},"position":"${position}","subject":${JSON.stringify(subject)},"try":${tries},"at":"${at}","ms":${ms}${more},"outcome":"${outcome}"}`;
}

/** The row of a record. */
export const rowOf = (key: Buffer, value: Buffer): AttemptRow => ({
  ...(JSON.parse(value.toString()) as Omit<AttemptRow, 'subscription'>),
  subscription: key.toString(),
});
