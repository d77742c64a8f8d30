import type { EventLog, LogRecord, NewRecord } from '#log';

type ReadSide = Pick<EventLog, 'describe' | 'read' | 'offsetAt' | 'topicId'>;

/** The read side of a log, in memory: one topic, and offsets, append times and the earliest kept offset as a spec sets them. */
export class LogInMemory implements ReadSide {
  readonly partitions: LogRecord[][];
  readonly low: bigint[];
  id = '0123abcd'.repeat(4);
  /** Called before each read. */
  onRead: (() => void) | undefined;
  readonly #arrived = new Set<() => void>();

  constructor(partitions: number) {
    this.partitions = Array.from({ length: partitions }, () => []);
    this.low = Array.from({ length: partitions }, () => 0n);
  }

  append(partition: number, record: NewRecord, appendTimeMs: number): bigint {
    const records = this.partitions[partition]!;
    const offset = BigInt(records.length);
    records.push({ ...record, offset, appendTimeMs, leaderEpoch: 0 });
    for (const wake of this.#arrived) wake();
    return offset;
  }

  describe(): ReturnType<EventLog['describe']> {
    return Promise.resolve(
      this.partitions.map((records, partition) => ({
        partition,
        low: this.low[partition]!,
        high: BigInt(records.length),
      })),
    );
  }

  async read(...[, partition, from, limits = {}]: Parameters<EventLog['read']>): ReturnType<EventLog['read']> {
    this.onRead?.();
    const records = this.partitions[partition]!;
    const { waitMs = 0, signal } = limits;
    if (from === BigInt(records.length) && waitMs > 0 && signal?.aborted !== true) await this.#arrival(waitMs, signal);
    if (limits.topicId !== undefined && !this.id.startsWith(limits.topicId))
      return { kind: 'recreated', topicId: this.id };
    const [low, high] = [this.low[partition]!, BigInt(records.length)];
    if (from < low || from > high) return { kind: 'out_of_range', low, high };
    const chunk = records.slice(Number(from), Number(from) + (limits.maxRecords ?? 500));
    return { kind: 'records', topicId: this.id, records: chunk, next: from + BigInt(chunk.length), low, high };
  }

  offsetAt(...[, partition, timeMs]: Parameters<EventLog['offsetAt']>): Promise<bigint> {
    const records = this.partitions[partition]!;
    return Promise.resolve(records.find((r) => r.appendTimeMs >= timeMs)?.offset ?? BigInt(records.length));
  }

  topicId(): Promise<string> {
    return Promise.resolve(this.id);
  }

  #arrival(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#arrived.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#arrived.add(done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }
}
