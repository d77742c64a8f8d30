import { partitionKey } from '#event';
import type { EventLog, LogRecord } from '#log';
import type { StreamPartition } from '#state';

const MAX_KNOWN = 4_096;
/** Damaged records between which a good one is looked for. */
const NEAR = 50;

/**
 * How long folds are behind: the time since the log accepted the first record that is not folded. The one source of `stale`, of the lag metric and of the
 * state door of `/health/ready` (R7.3). It comes from the log, so that it is right at the first look too.
 */
export class FoldAges {
  /** Append time of a record, by its place; undefined while it is read. */
  readonly #times = new Map<string, Promise<number | undefined>>();

  constructor(
    private readonly log: Pick<EventLog, 'read'>,
    private readonly now: () => number,
  ) {}

  /** ms; 0 when nothing waits. undefined: not known, because the log did not answer or no record near it can be read. `topicId`: of the topic that holds the record. */
  async behindMs(
    { stream, partition }: StreamPartition,
    next: bigint,
    high: bigint,
    topicId: string,
  ): Promise<number | undefined> {
    if (next >= high) return 0;
    const key = `${topicId}/${partitionKey(stream, partition)}/${next}`;
    let time = this.#times.get(key);
    if (time === undefined) {
      if (this.#times.size >= MAX_KNOWN) this.#times.delete(this.#times.keys().next().value!);
      this.#times.set(key, (time = this.#read(stream, partition, next)));
    }
    const appendTimeMs = await time;
    if (appendTimeMs === undefined) this.#times.delete(key);
    return appendTimeMs === undefined ? undefined : Math.max(0, this.now() - appendTimeMs);
  }

  async #read(stream: string, partition: number, next: bigint): Promise<number | undefined> {
    try {
      const first = await this.#records(stream, partition, next, 1);
      if (first[0]?.damaged !== true) return first[0]?.appendTimeMs;
      // Its own time is lost with it: a neighbour was accepted at about the same time.
      const behind = (await this.#records(stream, partition, next, NEAR)).find((r) => !r.damaged);
      if (behind !== undefined) return behind.appendTimeMs;
      const from = next > BigInt(NEAR) ? next - BigInt(NEAR) : 0n;
      const before = await this.#records(stream, partition, from, Number(next - from));
      return before.findLast((r) => !r.damaged)?.appendTimeMs;
    } catch {
      return undefined;
    }
  }

  async #records(stream: string, partition: number, from: bigint, maxRecords: number): Promise<readonly LogRecord[]> {
    if (maxRecords < 1) return [];
    let read = await this.log.read(stream, partition, from, { maxRecords });
    // Retention has passed the position: the first kept record waits.
    if (read.kind === 'out_of_range' && from < read.low)
      read = await this.log.read(stream, partition, read.low, { maxRecords });
    return read.kind === 'records' ? read.records : [];
  }
}
