import { formatPosition } from '#event';
import { Fault, verbatim } from '#faults';
import type { StreamInfo } from '#registry';
import { texts } from './texts.js';

/** Which records of a stream to read. Offsets are by partition number. */
export interface StreamRange {
  readonly stream: Pick<StreamInfo, 'name' | 'partitions'>;
  /** Next offset to read. */
  readonly next: readonly bigint[];
  /** Of the cursor that the offsets come from: the topic made again answers stream_recreated, also while this reads. Absent: that of the topic now. */
  readonly topicId?: string | undefined;
  /** Exclusive end offset of the period. Absent: no end. */
  readonly end?: readonly bigint[] | undefined;
  /**
   * When `next` lies below the earliest kept offset: `fault` answers offset_out_of_range, `skip` goes on at the earliest kept offset
   * (for readers of the hub that must never stand still). @default fault
   */
  readonly missing?: 'fault' | 'skip';
}

/** Fault offset_out_of_range that names the earliest kept position. */
export function offsetOutOfRange(stream: string, partition: number, low: bigint): Fault {
  const earliestKept = formatPosition(stream, partition, low);
  return new Fault('offset_out_of_range', {
    detail: `the earliest position kept is ${earliestKept}`,
    problems: [{ pointer: '?cursor', reason: texts.no_longer_kept(), expected: verbatim(earliestKept) }],
  });
}
