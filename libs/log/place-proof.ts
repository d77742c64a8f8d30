import { createHash } from 'node:crypto';
import type { EventLog, LogRecord } from './port.js';

const FORMAT = '1';
const DIGEST_BYTES = 16;
const BEGINNING = 'beginning';
/** A place may lie behind offsets without a record (markers of a transaction): the proof is then of the record before them. */
const MAX_HOLE = 64n;

/** `same`: the log still holds the record. `differs`: it does not. `unknown`: nothing is left to compare (retention, an unknown form of the proof). */
export type PlaceCheck = 'same' | 'differs' | 'unknown';

/**
 * What is stored beside an offset `next`, to know later whether the log is still the one that was read up to there: opaque text of topic id, leader
 * epoch, append time and digest of the last record below `next`. The offset itself is not in it, only whether offsets without a record follow.
 */
export function placeProof(topicId: string, record: LogRecord, next: bigint): string {
  const hole = record.offset === next - 1n ? [] : ['hole'];
  // nothing of a damaged record is known, so that two of its proofs must not differ by chance
  if (record.damaged) return [FORMAT, topicId, record.leaderEpoch, 'damaged', ...hole].join(':');
  const hash = createHash('sha256');
  for (const part of [record.key, record.value]) {
    hash.update(part === null ? 'null ' : `${part.length} `);
    if (part !== null) hash.update(part);
  }
  const digest = hash.digest().subarray(0, DIGEST_BYTES).toString('base64url');
  return [FORMAT, topicId, record.leaderEpoch, record.appendTimeMs, digest, ...hole].join(':');
}

/** The proof of a place below which nothing was read: the topic alone. */
export function proofOfBeginning(topicId: string): string {
  return [FORMAT, topicId, BEGINNING].join(':');
}

/** Whether nothing was read below the place of this proof. */
export const isBeginning = (proof: string | undefined): boolean => partsOf(proof)?.epoch === BEGINNING;

/** The proof of the same record, for a greater `next` with no record between. */
export function proofBehindHole(proof: string): string {
  return proof.endsWith(':hole') ? proof : `${proof}:hole`;
}

/**
 * Leader epoch at `next − 1`, for ReadLimits.lastEpoch of a read at `next`. undefined: the proof does not say it. Behind a hole a marker of another
 * leader may lie, and with the epoch of the record the log would look truncated.
 */
export function epochOf(proof: string | undefined): number | undefined {
  if (proof?.endsWith(':hole')) return undefined;
  const epoch = Number(partsOf(proof)?.epoch ?? -1);
  return Number.isInteger(epoch) && epoch >= 0 ? epoch : undefined;
}

/**
 * Whether the log holds the record of this proof as the last one below `next`. Also `differs`: another topic has the name now, or the log ends below
 * `next`. Faults of EventLog.read.
 */
export async function checkPlace(
  log: Pick<EventLog, 'read'>,
  topic: string,
  partition: number,
  next: bigint,
  proof: string,
): Promise<PlaceCheck> {
  const topicId = partsOf(proof)?.topicId;
  if (topicId === undefined) return 'unknown';
  if (isBeginning(proof)) return checkTopic(log, topic, partition, next, topicId);
  if (next === 0n) return 'unknown';
  let from = next - 1n;
  for (;;) {
    const read = await log.read(topic, partition, from, { maxRecords: Number(next - from), topicId });
    if (read.kind === 'recreated' || read.kind === 'truncated') return 'differs';
    if (next > read.high) {
      // a leader that was just elected may not know yet how far the log is committed: a read at `next` waits for it
      const end = await log.read(topic, partition, next, { maxRecords: 1, topicId });
      if (end.kind !== 'records') return 'differs';
      continue;
    }
    // retention has passed it
    if (read.kind === 'out_of_range') return 'unknown';
    const last = read.records.findLast((r) => r.offset < next);
    if (last !== undefined) return placeProof(topicId, last, next) === proof ? 'same' : 'differs';
    const lowest = next - MAX_HOLE < read.low ? read.low : next - MAX_HOLE;
    if (from === lowest) return 'unknown';
    from = lowest;
  }
}

/**
 * Whether the log is the one in which `next` was stored. A place without a proof (of an older release, or the beginning), and one that retention has passed,
 * is believed when the log is not shorter. Faults of EventLog.read and EventLog.describe.
 */
export async function confirmsPlace(
  log: Pick<EventLog, 'read' | 'describe'>,
  topic: string,
  partition: number,
  { next, proof }: { readonly next: bigint; readonly proof?: string | undefined },
): Promise<boolean> {
  const checked = proof === undefined ? 'unknown' : await checkPlace(log, topic, partition, next, proof);
  if (checked !== 'unknown') return checked === 'same';
  const range = (await log.describe(topic)).find((r) => r.partition === partition);
  return range !== undefined && next <= range.high;
}

/**
 * The proof of `next` in the topic with this id, from its last record below. undefined: there is none within MAX_HOLE offsets (retention), or the log ends
 * below, or another topic has the name. Faults of EventLog.read.
 */
export async function proofAt(
  log: Pick<EventLog, 'read'>,
  topic: string,
  partition: number,
  next: bigint,
  topicId: string,
): Promise<string | undefined> {
  if (next === 0n) return undefined;
  let last: LogRecord | undefined;
  // mostly the record right below; else all that may lie behind a hole, however few of them one read gives
  const lowest = next > MAX_HOLE ? next - MAX_HOLE : 0n;
  for (let at = next - 1n, back = false; at < next;) {
    const read = await log.read(topic, partition, at, { maxRecords: Number(next - at), topicId });
    if (read.kind === 'out_of_range' && at < read.low && read.low < next) {
      at = read.low;
      continue;
    }
    if (read.kind !== 'records' || read.high < next) return undefined;
    last = read.records.findLast((r) => r.offset < next) ?? last;
    if (last !== undefined && !back) break;
    if (!back) at = lowest;
    else if (read.next <= at) return undefined;
    else at = read.next;
    back = true;
  }
  return last && placeProof(topicId, last, next);
}

/** Whether the name still belongs to this topic, and it has not become shorter. */
async function checkTopic(
  log: Pick<EventLog, 'read'>,
  topic: string,
  partition: number,
  next: bigint,
  topicId: string,
): Promise<PlaceCheck> {
  const read = await log.read(topic, partition, next, { maxRecords: 1, topicId });
  if (read.kind === 'records') return 'same';
  return read.kind === 'out_of_range' && next < read.low ? 'unknown' : 'differs';
}

function partsOf(proof: string | undefined): { readonly topicId: string; readonly epoch: string } | undefined {
  const [format, topicId, epoch] = proof?.split(':') ?? [];
  return format === FORMAT && topicId !== undefined && epoch !== undefined ? { topicId, epoch } : undefined;
}
