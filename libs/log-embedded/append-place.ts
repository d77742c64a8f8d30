import { isFault } from '#faults';
import { tooLarge, fitsOneAppend, type NewRecord, type WriteOutcome } from '#log';
import type { Reader } from './reader.js';

/**
 * The row number of the partition that the records go to, or why they are surely not written. `fresh`: past the cache of topics, which may hold one that
 * was deleted; a refusal is never given from the cache alone.
 */
export function appendPlace(
  reader: Reader,
  topic: string,
  partition: number,
  records: readonly NewRecord[],
  bytes: number | undefined,
  fresh: boolean,
): number | WriteOutcome {
  if (!fitsOneAppend(records, bytes)) return tooLarge(records);
  try {
    if (fresh) reader.freshTopic(topic);
    const part = reader.part(topic, partition);
    // as Kafka: compaction could never tell such a record from another
    if (!reader.topic(topic).dense && records.some((r) => r.key === null))
      return {
        kind: 'refused',
        code: 'invalid_record',
        cause: new Error('a compacted topic takes no record without a key'),
      };
    return part;
  } catch (e) {
    if (!fresh) return appendPlace(reader, topic, partition, records, bytes, true);
    const code = isFault(e) ? e.code : undefined;
    const gone = code === 'wrong_partition' || code === 'unknown_topic';
    return { kind: 'refused', code: gone ? code : 'log_unavailable', cause: e };
  }
}
