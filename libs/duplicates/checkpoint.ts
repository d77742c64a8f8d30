import { isFault } from '#faults';
import {
  confirmsPlace,
  placeProof,
  proofAt,
  proofOfBeginning,
  type AssignedPartition,
  type EventLog,
  type LogRecord,
} from '#log';
import type { FoldStart, Progress, State, StateChange } from '#state';

/** A view partition, or the duplicate index of one, is emptied and folded again, because the log does not confirm the stored checkpoint. */
export interface Refold {
  readonly storage: string;
  readonly stream: string;
  readonly partition: number;
  /** The checkpoint that the log does not confirm. */
  readonly next: bigint;
  /** What the log has: folding goes on at `low`, and reads answer 503 `view_rebuilding` until it has reached `high`. */
  readonly low: bigint;
  readonly high: bigint;
}

export interface CheckpointDeps {
  readonly log: EventLog;
  readonly state: State;
  readonly now: () => number;
  readonly report?: { refolding?(refold: Refold): void };
}

/** What a commit up to `next` stores beside it, from the records that it covers. */
export function endOf(
  topicId: string,
  records: readonly LogRecord[],
  next: bigint,
): Pick<StateChange, 'proof' | 'appendTimeMs'> {
  const last = records.findLast((r) => r.offset < next);
  return last === undefined ? {} : { proof: placeProof(topicId, last, next), appendTimeMs: last.appendTimeMs };
}

/** Whether a record of this batch stands where a proof says otherwise: the log was truncated and has grown again since the proof was stored. */
export function contradicts(
  topicId: string,
  records: readonly LogRecord[],
  { next, proof }: { readonly next: bigint; readonly proof?: string | undefined },
): boolean {
  if (proof === undefined || records.length === 0 || records[0]!.offset >= next) return false;
  const at = records.find((r) => r.offset === next - 1n);
  return at !== undefined && placeProof(topicId, at, next) !== proof;
}

/**
 * Whether the log is the one that a checkpoint was folded from. One without a proof (of an older release, or just begun) is believed when the log is not
 * shorter. Faults of the log.
 */
export async function confirmsCheckpoint(
  log: Pick<EventLog, 'read' | 'describe'>,
  partition: number,
  { stream, next, proof }: Pick<Progress, 'stream' | 'next' | 'proof'>,
): Promise<boolean> {
  return confirmsPlace(log, stream, partition, { next, proof });
}

/**
 * The stored checkpoint of an assigned partition, confirmed by the log (R5.9). A view partition whose checkpoint the log does not confirm is emptied, for
 * all its streams, and begins anew; `beforeReset` is done first. A checkpoint of an older release gets its proof. undefined: nothing is stored. Faults of
 * log and state: do it again.
 */
export async function trustedCheckpoint(
  deps: CheckpointDeps,
  at: Pick<AssignedPartition, 'topic' | 'topicId' | 'partition' | 'epoch'>,
  storage: string,
  streams: readonly string[],
  beforeReset?: (low: bigint) => Promise<void>,
): Promise<Progress | undefined> {
  const { log, state } = deps;
  const { partition } = at;
  const part = { stream: at.topic, partition };
  for (;;) {
    const found = await state.position(storage, part);
    if (found === undefined) return undefined;
    if (await confirmsCheckpoint(log, partition, found))
      return found.proof === undefined ? stamp(deps, at, storage, found) : found;
    const starts = (await Promise.all(streams.map((stream) => startOf(log, stream, at)))).flat();
    const own = starts.find((start) => start.stream === at.topic)!;
    await beforeReset?.(own.next);
    if (!(await state.reset(storage, partition, found, starts, deps.now()))) continue;
    const { next: low, until: high } = own;
    deps.report?.refolding?.({ storage, stream: at.topic, partition, next: found.next, low, high });
  }
}

/**
 * Where nothing is stored of a view partition, but the log holds events: it was never folded, or the store lost it. The mark says up to which log end it is
 * being folded, so that every process answers 503 until then, and no short list (R7.6). Faults of log and state.
 */
export async function markRefold(
  { log, state, now }: Pick<CheckpointDeps, 'log' | 'state' | 'now'>,
  at: Pick<AssignedPartition, 'topic' | 'partition' | 'epoch'>,
  storage: string,
  streams: readonly string[],
): Promise<void> {
  const { topic: stream, partition } = at;
  if ((await state.position(storage, { stream, partition })) !== undefined) return;
  const starts = (await Promise.all(streams.map((s) => startOf(log, s, at)))).flat();
  if (starts.some(({ next, until }) => next < until)) await state.reset(storage, partition, { stream }, starts, now());
}

async function startOf(
  log: EventLog,
  stream: string,
  { topic, partition, epoch }: Pick<AssignedPartition, 'topic' | 'partition' | 'epoch'>,
): Promise<FoldStart[]> {
  const ranges = await log.describe(stream).catch((e: unknown) => {
    // Another stream of the view is missing in the log: nothing of it can be folded, and this one goes on.
    if (stream !== topic && isFault(e) && e.code === 'unknown_topic') return [];
    throw e;
  });
  const range = ranges.find((r) => r.partition === partition);
  if (range === undefined) return [];
  const proof = proofOfBeginning(await log.topicId(stream));
  return [{ stream, epoch, next: range.low, until: range.high, proof }];
}

/** Gives a checkpoint its proof. One that moves meanwhile, or that a newer owner has, stays as it is. */
async function stamp(
  { log, state }: CheckpointDeps,
  { topic, topicId, partition, epoch }: Pick<AssignedPartition, 'topic' | 'topicId' | 'partition' | 'epoch'>,
  storage: string,
  found: Progress,
): Promise<Progress> {
  const { next } = found;
  const range = (await log.describe(topic)).find((r) => r.partition === partition);
  if (range === undefined) return found;
  const { low } = range;
  const proof = low === next ? proofOfBeginning(topicId) : await proofAt(log, topic, partition, next, topicId);
  if (proof === undefined) return found;
  const stamped = await state.commit(
    storage,
    { stream: topic, partition },
    {
      epoch,
      from: next,
      next,
      low,
      proof,
      puts: [],
      deletes: [],
    },
  );
  return stamped.ok ? { ...found, epoch, proof } : found;
}
