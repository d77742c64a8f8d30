import { partitionKey } from '#event';
import type { EventLog } from '#log';
import type { StreamPartition } from '#state';

const MAX_KNOWN = 4_096;

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

  /** ms; 0 when nothing waits. undefined: the log did not answer. `topicId`: of the topic that holds the record. */
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
      let read = await this.log.read(stream, partition, next, { maxRecords: 1 });
      // Retention has passed the position: the first kept record waits.
      if (read.kind === 'out_of_range' && next < read.low)
        read = await this.log.read(stream, partition, read.low, { maxRecords: 1 });
      return read.kind === 'records' ? read.records[0]?.appendTimeMs : undefined;
    } catch {
      return undefined;
    }
  }
}
