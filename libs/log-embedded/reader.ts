import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { Fault } from '#faults';
import type { LogRecord, OutOfRange, PartitionRange, ReadLimits, RecordBatch } from '#log';
import { decodeBatch, type StoredBatch } from './batch.js';

/** A topic in the file: `parts[p]` is the row number of partition p in the table `partitions`. */
export interface Topic {
  readonly no: number;
  readonly id: string;
  readonly parts: readonly number[];
}

const READ_RECORDS = 500;
const READ_BYTES = 1 << 20;
const rowOf = (part: number, offset: bigint | number): bigint => (BigInt(part) << 40n) + BigInt(offset);

/** The read-only connection. Every call is synchronous and short: it reads at most the bytes of one batch. */
export class Reader {
  readonly #db: DatabaseSync;
  readonly #sql: Record<
    'begin' | 'commit' | 'topic' | 'parts' | 'names' | 'range' | 'ranges' | 'scan' | 'before' | 'version',
    StatementSync
  >;
  readonly #topics = new Map<string, Topic>();

  constructor(file: string) {
    this.#db = new DatabaseSync(file, { readOnly: true, timeout: 1_000 });
    const prepare = (text: string): StatementSync => this.#db.prepare(text);
    this.#sql = {
      begin: prepare('BEGIN'),
      commit: prepare('COMMIT'),
      topic: prepare('SELECT no, id FROM topics WHERE name = ?'),
      parts: prepare('SELECT part FROM partitions WHERE topic = ? ORDER BY p'),
      names: prepare('SELECT name FROM topics ORDER BY name'),
      range: prepare('SELECT low, high FROM partitions WHERE part = ?'),
      ranges: prepare('SELECT p AS partition, low, high FROM partitions WHERE topic = ? ORDER BY p'),
      // starts at the append (row) that contains the offset, or at the first one after it
      scan: prepare(
        'SELECT base, time, data FROM batches WHERE id >= coalesce((SELECT max(id) FROM batches WHERE id BETWEEN ?1 AND ?2), ?2) AND id < ?3 ORDER BY id',
      ),
      before: prepare('SELECT base, last, time FROM batches WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1'),
      version: prepare('PRAGMA data_version'),
    };
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  /** Throws Fault `unknown_topic`. */
  topic(name: string): Topic {
    const known = this.#topics.get(name);
    if (known) return known;
    return this.#guarded(() => {
      const row = this.#sql.topic.get(name);
      if (!row) throw new Fault('unknown_topic', { detail: name });
      const no = row['no'] as number;
      const parts = this.#sql.parts.all(no).map((r) => r['part'] as number);
      const topic = { no, id: row['id'] as string, parts };
      this.#topics.set(name, topic);
      return topic;
    });
  }

  /** The topic as the file has it now, past the cache. Throws Fault `unknown_topic`. */
  freshTopic(name: string): Topic {
    this.#topics.delete(name);
    return this.topic(name);
  }

  names(): string[] {
    return this.#guarded(() => this.#sql.names.all().map((r) => r['name'] as string));
  }

  ranges(topic: Topic): PartitionRange[] {
    return this.#guarded(() =>
      this.#sql.ranges.all(topic.no).map((r) => ({
        partition: r['partition'] as number,
        low: BigInt(r['low'] as number),
        high: BigInt(r['high'] as number),
      })),
    );
  }

  /** The row number of a partition. Throws Fault `unknown_topic`, `wrong_partition`. */
  part(name: string, partition: number): number {
    const part = this.topic(name).parts[partition];
    if (part === undefined) throw new Fault('wrong_partition', { detail: `${name}/${partition}` });
    return part;
  }

  /** undefined: the partition was deleted. */
  high(part: number): bigint | undefined {
    const row = this.#guarded(() => this.#sql.range.get(part));
    return row ? BigInt(row['high'] as number) : undefined;
  }

  /** Changes when another connection, of this process or another, has written since the last call. */
  dataVersion(): number {
    return this.#guarded(() => this.#sql.version.get()!['data_version'] as number);
  }

  /** The records from this offset on, without waiting. Throws Fault `unknown_topic`, `wrong_partition`, `log_unavailable`. */
  read(name: string, partition: number, from: bigint, limits: ReadLimits): RecordBatch | OutOfRange {
    return this.#snapshot(name, () => this.#readPart(this.part(name, partition), from, limits));
  }

  /** See EventLog.offsetAt. */
  offsetAt(name: string, partition: number, timeMs: number): bigint {
    return this.#snapshot(name, () => {
      const part = this.part(name, partition);
      const range = this.#sql.range.get(part);
      if (!range) return undefined;
      let low = range['low'] as number;
      let high = range['high'] as number;
      // binary search: append times never decrease in a partition
      while (low < high) {
        const middle = Math.floor((low + high) / 2);
        const row = this.#sql.before.get(rowOf(part, low), rowOf(part, middle));
        if (!row) low = middle + 1;
        else if ((row['time'] as number) < timeMs) low = (row['last'] as number) + 1;
        else high = row['base'] as number;
      }
      return BigInt(low);
    });
  }

  #readPart(part: number, from: bigint, limits: ReadLimits): RecordBatch | OutOfRange | undefined {
    const range = this.#sql.range.get(part);
    if (!range) return undefined;
    const low = BigInt(range['low'] as number);
    const high = BigInt(range['high'] as number);
    if (from < low || from > high) return { kind: 'out_of_range', low, high };
    const records: LogRecord[] = [];
    if (from === high) return { kind: 'records', records, next: high, low, high };
    const maxRecords = Math.max(1, limits.maxRecords ?? READ_RECORDS);
    let left = Math.max(1, limits.maxBytes ?? READ_BYTES);
    for (const row of this.#sql.scan.iterate(rowOf(part, 0), rowOf(part, from), rowOf(part, high))) {
      left = decodeBatch(row as unknown as StoredBatch, Number(from), records, maxRecords, left);
      if (left <= 0) break;
    }
    // no limit was reached: there are no more records below `high`, also where compaction left a hole
    const next = left <= 0 ? records[records.length - 1]!.offset + 1n : high;
    return { kind: 'records', records, next, low, high };
  }

  /** Runs the queries in one read transaction. undefined from them means that the cached topic was deleted: they run once more with the topic as it is now. */
  #snapshot<T>(name: string, queries: () => T | undefined): T {
    for (let retried = false; ; retried = true) {
      const found = this.#guarded(() => {
        this.#sql.begin.run();
        try {
          return queries();
        } finally {
          this.#sql.commit.run();
        }
      });
      if (found !== undefined) return found;
      if (retried) throw new Fault('unknown_topic', { detail: name });
      this.#topics.delete(name);
    }
  }

  /** An error of SQLite, or a closed file, becomes Fault `log_unavailable`. */
  #guarded<T>(query: () => T): T {
    try {
      return query();
    } catch (e) {
      if (isSqlite(e) || !this.#db.isOpen) throw new Fault('log_unavailable', { cause: e });
      throw e;
    }
  }
}

function isSqlite(e: unknown): boolean {
  return typeof e === 'object' && e !== null && 'errcode' in e;
}
