import { jittered, pause } from '#concurrency';
import { MAX_APPEND_RECORDS, OWNERS_TOPIC, type EventLog, type NewRecord } from './port.js';

/** Between two tries while the log does not accept the claim records. */
const RETRY_MS = 1_000;

export interface ClaimRequest {
  readonly log: Pick<EventLog, 'append'>;
  readonly group: string;
  /** Partition numbers: one claim covers partition p of every topic of the group. */
  readonly partitions: readonly number[];
  /** Where other parts of the hub reach the owner (R9). */
  readonly address: string;
  /** ms since 1970. */
  now(): number;
  /** False: the claim is no longer needed (lost, or the member leaves); asked after every append. */
  wanted(): boolean;
  /** An append of claim records was refused or is uncertain; it is tried again after about 1 s. */
  failed?(reason: string): void;
}

/**
 * Claims partitions for a member of a group (R1): appends one record per partition to `_simpul.owners` and answers the epoch of each, which is the
 * offset of its record. Tries until all are durable. undefined: no longer wanted. A record of an uncertain append that was written all the same does
 * no harm: the member uses the later offset.
 */
export async function claimPartitions(request: ClaimRequest): Promise<ReadonlyMap<number, bigint> | undefined> {
  const { log, group, partitions, address } = request;
  const epochs = new Map<number, bigint>();
  while (epochs.size < partitions.length) {
    const some = partitions.slice(epochs.size, epochs.size + MAX_APPEND_RECORDS);
    const value = Buffer.from(JSON.stringify({ address, time: new Date(request.now()).toISOString() }));
    const records = some.map((p): NewRecord => ({ key: Buffer.from(`${group}/${p}`), value, headers: [] }));
    const outcome = await log.append(OWNERS_TOPIC, 0, records);
    if (!request.wanted()) return undefined;
    if (outcome.kind === 'accepted') for (const [i, p] of some.entries()) epochs.set(p, outcome.base + BigInt(i));
    else {
      request.failed?.(`claim ${outcome.kind}`);
      await pause(jittered(RETRY_MS));
      if (!request.wanted()) return undefined;
    }
  }
  return epochs;
}
