import { createHash } from 'node:crypto';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { Fault } from '#faults';
import type { LogRecord, PartitionRange, ReadAnswer, ReadLimits } from '#log';
import { decodeRow } from './batch.js';
import type { ReadAnswer as FileAnswer, ReadOp } from './ops.js';
import { inSnapshot, Rows, type PageLimits, type PartRange, type ReadRow } from './rows.js';
import type { FileThread } from './thread.js';

/** A topic in the file: `parts[p]` is the row number of partition p in the table `partitions`. */
export interface Topic {
  readonly name: string;
  readonly no: number;
  /** 32 hex digits: those of the topic, then of a digest with the id of the log. */
  readonly id: string;
  /** Not compacted: every offset from `low` to `high` is in a row. */
  readonly dense: boolean;
  readonly parts: readonly number[];
}

/** Offsets of a stream whose records are lost: their row fails its checksum, or SQLite does not find it. */
export interface DamagedRange {
  readonly topic: string;
  readonly partition: number;
  readonly first: bigint;
  readonly last: bigint;
}

export interface ReaderDeps {
  readonly file: string;
  /** Reads what is far from the tail. */
  readonly cold: Pick<FileThread<ReadOp, FileAnswer>, 'request'>;
  /** Whether the rows from this offset on were written a short while ago, so that they are in memory. */
  isHot(part: number, from: bigint): boolean;
  /** Called at each read of damaged offsets. */
  damaged(range: DamagedRange): void;
}

interface Page extends PageLimits {
  /** See ReadLimits. */
  readonly topicId: string | undefined;
}

const READ_RECORDS = 500;
const READ_BYTES = 1 << 20;

/** The read-only connection of the calling thread, for the tail and the small tables; what is far from the tail is read by the reader thread. */
export class Reader {
  readonly #deps: ReaderDeps;
  readonly #rows: Rows;
  readonly #db: DatabaseSync;
  readonly #sql: Record<'topic' | 'names' | 'ranges' | 'version' | 'newest', StatementSync>;
  readonly #topics = new Map<string, Topic>();
  readonly #logId: string;

  constructor(deps: ReaderDeps) {
    this.#deps = deps;
    this.#db = new DatabaseSync(deps.file, { readOnly: true, timeout: 1_000 });
    const prepare = (text: string): StatementSync => this.#db.prepare(text);
    this.#sql = {
      // one statement: with two, a topic that is made again between them would have no partitions, for as long as it is cached
      topic: prepare(
        'SELECT no, id, cleanup, part FROM topics JOIN partitions ON topic = no WHERE name = ? ORDER BY p',
      ),
      names: prepare('SELECT name FROM topics ORDER BY name'),
      ranges: prepare('SELECT p AS partition, low, high FROM partitions WHERE topic = ? ORDER BY p'),
      version: prepare('PRAGMA data_version'),
      newest: prepare('SELECT max(time) AS time FROM partitions'),
    };
    this.#rows = new Rows(this.#db);
    this.#logId = prepare('SELECT id FROM log').get()!['id'] as string;
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  /** Throws Fault `unknown_topic`. */
  topic(name: string): Topic {
    const known = this.#topics.get(name);
    if (known) return known;
    return this.#guarded(() => {
      const rows = this.#sql.topic.all(name);
      const [row] = rows;
      if (!row) throw new Fault('unknown_topic', { detail: name });
      const no = row['no'] as number;
      const parts = rows.map((r) => r['part'] as number);
      const topic = { name, no, id: this.#idOf(row['id'] as string, no), dense: row['cleanup'] === 'keep', parts };
      this.#topics.set(name, topic);
      return topic;
    });
  }

  #idOf(id: string, no: number): string {
    const rest = createHash('sha256').update(`${this.#logId} ${no} ${id}`).digest('hex');
    return id + rest.slice(id.length, 32);
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
    const range = this.#guarded(() => this.#rows.range(part));
    return range && BigInt(range.high);
  }

  /** The newest append time of all partitions, ms since 1970; 0: nothing was appended yet. */
  newestTime(): number {
    return this.#guarded(() => (this.#sql.newest.get()!['time'] as number | null) ?? 0);
  }

  /** Changes when another connection, of this process or another, has written since the last call. */
  dataVersion(): number {
    return this.#guarded(() => this.#sql.version.get()!['data_version'] as number);
  }

  /** The records from this offset on, without waiting. Throws Fault `unknown_topic`, `wrong_partition`, `log_unavailable`, `log_damaged`. */
  async read(name: string, partition: number, from: bigint, limits: ReadLimits): Promise<ReadAnswer> {
    const page: Page = {
      topicId: limits.topicId,
      maxRecords: Math.max(1, limits.maxRecords ?? READ_RECORDS),
      maxBytes: Math.max(1, limits.maxBytes ?? READ_BYTES),
    };
    const part = this.part(name, partition);
    const high = this.#deps.isHot(part, from) ? undefined : this.high(part);
    if (high !== undefined && from < high) return this.#readCold(name, partition, from, page);
    const read = (): ReadAnswer | undefined => {
      const topic = this.topic(name);
      const at = this.part(name, partition);
      const range = this.#rows.range(at);
      if (!range) return undefined;
      const rows = this.#rows.from(at, Number(from), range.high, topic.dense);
      return this.#batch(topic, partition, from, range, rows, page);
    };
    return this.#snapshot(name, read);
  }

  async #readCold(name: string, partition: number, from: bigint, limits: Page): Promise<ReadAnswer> {
    for (let retried = false; ; retried = true) {
      const topic = this.topic(name);
      const part = this.part(name, partition);
      const { dense } = topic;
      const { maxRecords, maxBytes } = limits;
      const answer = await this.#ask({ op: 'page', part, from: Number(from), dense, maxRecords, maxBytes });
      if (answer.kind === 'page') return this.#batch(topic, partition, from, answer, answer.rows, limits);
      if (retried) throw new Fault('unknown_topic', { detail: name });
      this.#topics.delete(name);
    }
  }

  /** See EventLog.offsetAt. Its search reads pages all over the partition, so it is never done in the calling thread. */
  async offsetAt(name: string, partition: number, timeMs: number): Promise<bigint> {
    for (let retried = false; ; retried = true) {
      const answer = await this.#ask({ op: 'offsetAt', part: this.part(name, partition), timeMs });
      if (answer.kind === 'offset') return BigInt(answer.offset);
      if (retried) throw new Fault('unknown_topic', { detail: name });
      this.#topics.delete(name);
    }
  }

  async #ask(op: ReadOp): Promise<Exclude<FileAnswer, { kind: 'failed' }>> {
    const answer = await this.#deps.cold.request(op);
    if (answer.kind === 'failed') throw new Fault('log_unavailable', { detail: answer.reason });
    return answer;
  }

  #batch(
    topic: Topic,
    partition: number,
    from: bigint,
    range: PartRange,
    rows: Iterable<ReadRow>,
    limits: Page,
  ): ReadAnswer {
    const { id: topicId } = topic;
    if (limits.topicId !== undefined && !topicId.startsWith(limits.topicId)) return { kind: 'recreated', topicId };
    const [low, high] = [BigInt(range.low), BigInt(range.high)];
    if (from < low || from > high) return { kind: 'out_of_range', low, high };
    const records: LogRecord[] = [];
    let left = limits.maxBytes;
    for (const row of from === high ? [] : rows) {
      if (row.data === undefined) this.#foundDamage(topic, partition, row);
      left = decodeRow(row, Number(from), records, limits.maxRecords, left);
      if (left <= 0) break;
    }
    // no limit was reached: there are no more records below `high`, also where compaction left a hole
    const next = left <= 0 ? records[records.length - 1]!.offset + 1n : high;
    return { kind: 'records', topicId, records, next, low, high };
  }

  /** A record of a control topic is never left out: without it a revoked key would be valid again. */
  #foundDamage({ name }: Topic, partition: number, { base, last }: ReadRow): void {
    if (name.startsWith('_')) throw new Fault('log_damaged', { detail: `${name}/${partition}/${base}` });
    this.#deps.damaged({ topic: name, partition, first: BigInt(base), last: BigInt(last) });
  }

  /** Runs the queries in one read transaction. undefined from them means that the cached topic was deleted: they run once more with the topic as it is now. */
  #snapshot<T>(name: string, queries: () => T | undefined): T {
    for (let retried = false; ; retried = true) {
      const found = this.#guarded(() => inSnapshot(this.#db, queries));
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
