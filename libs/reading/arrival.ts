import { pause } from '#concurrency';
import type { Settled } from '#duplicates';
import type { EventLog } from '#log';

export interface ArrivalDeps {
  readonly log: Pick<EventLog, 'read'>;
  readonly settled: Pick<Settled, 'waitFor'>;
}

/** The partitions to wait for, and the offset in each at or behind which a record must lie. */
export interface ArrivalPlaces {
  readonly stream: string;
  readonly partitions: readonly number[];
  readonly next: readonly bigint[];
}

export interface ArrivalLimits {
  readonly maxMs: number;
  readonly settleMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Waits until one of the places holds a record and the settled end has reached it, or settleMs have passed since the record was seen.
 * false: maxMs passed or the signal aborted. Leaves no timer, listener or read behind. Fault log_unavailable.
 */
export async function waitForArrival(deps: ArrivalDeps, at: ArrivalPlaces, limits: ArrivalLimits): Promise<boolean> {
  const { maxMs, settleMs, signal } = limits;
  if (signal?.aborted === true || maxMs <= 0) return false;
  const stop = new AbortController();
  const ended = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const arrivals = at.partitions.map((p) =>
    arrivalIn(deps, at.stream, p, at.next[p]!, { maxMs, settleMs, signal: ended }),
  );
  try {
    return await Promise.race([...arrivals, pause(maxMs, ended).then(() => false)]);
  } finally {
    stop.abort();
    for (const arrival of arrivals) arrival.catch(() => undefined);
  }
}

/** Resolves true when a record has arrived; without one it never resolves. */
async function arrivalIn(
  { log, settled }: ArrivalDeps,
  stream: string,
  partition: number,
  from: bigint,
  { maxMs, settleMs, signal }: { maxMs: number; settleMs: number; signal: AbortSignal },
): Promise<boolean> {
  const got = await log.read(stream, partition, from, { maxRecords: 1, waitMs: maxMs, signal });
  if (got.kind === 'out_of_range') return true;
  const last = got.records.at(-1);
  if (last === undefined) return new Promise<boolean>(() => undefined);
  await settled.waitFor(stream, partition, last.offset + 1n, settleMs);
  return true;
}
