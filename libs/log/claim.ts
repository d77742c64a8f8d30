import { jittered, pause } from '#concurrency';
import { MAX_APPEND_RECORDS, OWNERS_TOPIC, type EventLog, type NewRecord } from './port.js';

/** The topic of the claim records. */
export const OWNERS_SPEC = { name: OWNERS_TOPIC, partitions: 1, cleanup: 'compact' } as const;

/** Between two tries while the log does not accept the claim records. */
const RETRY_MS = 1_000;

export interface ClaimRequest {
  readonly log: Pick<EventLog, 'append' | 'ensureTopic'>;
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
  /** Every epoch must be greater than this one, which a store holds. */
  readonly above?: bigint | undefined;
  /** `above` is not in the log that was just appended to, so it comes from another one: that many epochs are passed over. */
  skipped?(epochs: bigint): void;
}

/**
 * Claims partitions for a member of a group (R1): appends one record per partition to `_simpul.owners` and answers the epoch of each, which is the
 * offset of its record. Tries until all are durable. undefined: no longer wanted. A record of an uncertain append that was written all the same does
 * no harm: the member uses the later offset. Makes the topic again when it is gone.
 *
 * The offset of a durable claim is above every epoch that was claimed in this log before. Where it is not above `above`, that epoch was claimed in a
 * log that is no longer there, and the log is filled up with empty records until it is (R1.7).
 */
export async function claimPartitions(request: ClaimRequest): Promise<ReadonlyMap<number, bigint> | undefined> {
  const { partitions, above = -1n } = request;
  const first = await claimOnce(request);
  if (first === undefined || partitions.length === 0) return first;
  const [key] = keysOf(request, partitions);
  let end = greatest(first);
  if (least(first) > above) return first;
  if (above > end) request.skipped?.(above - end);
  while (end < above) {
    const missing = above - end;
    const count = missing < MAX_APPEND_RECORDS ? Number(missing) : MAX_APPEND_RECORDS;
    const filled = await appendOwners(request, Array<NewRecord>(count).fill({ key: key!, value: null, headers: [] }));
    if (filled === undefined) return undefined;
    end = filled + BigInt(count) - 1n;
  }
  return claimOnce(request);
}

async function claimOnce(request: ClaimRequest): Promise<ReadonlyMap<number, bigint> | undefined> {
  const { partitions, address } = request;
  const epochs = new Map<number, bigint>();
  while (epochs.size < partitions.length) {
    const some = partitions.slice(epochs.size, epochs.size + MAX_APPEND_RECORDS);
    const value = Buffer.from(JSON.stringify({ address, time: new Date(request.now()).toISOString() }));
    const base = await appendOwners(
      request,
      keysOf(request, some).map((key): NewRecord => ({ key, value, headers: [] })),
    );
    if (base === undefined) return undefined;
    for (const [i, p] of some.entries()) epochs.set(p, base + BigInt(i));
  }
  return epochs;
}

/** The offset of the first record, once they are durable; undefined: no longer wanted. */
async function appendOwners(request: ClaimRequest, records: readonly NewRecord[]): Promise<bigint | undefined> {
  for (;;) {
    const outcome = await request.log.append(OWNERS_TOPIC, 0, records);
    if (!request.wanted()) return undefined;
    if (outcome.kind === 'accepted') return outcome.base;
    request.failed?.(`claim ${outcome.kind}`);
    if (outcome.kind === 'refused' && outcome.code === 'unknown_topic')
      await request.log.ensureTopic(OWNERS_SPEC).catch(() => undefined);
    await pause(jittered(RETRY_MS));
    if (!request.wanted()) return undefined;
  }
}

const keysOf = ({ group }: ClaimRequest, partitions: readonly number[]): Buffer[] =>
  partitions.map((p) => Buffer.from(`${group}/${p}`));

const least = (epochs: ReadonlyMap<number, bigint>): bigint => [...epochs.values()].reduce((a, b) => (b < a ? b : a));
const greatest = (epochs: ReadonlyMap<number, bigint>): bigint =>
  [...epochs.values()].reduce((a, b) => (b > a ? b : a));
