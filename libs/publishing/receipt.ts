import { formatPosition } from '#event';
import type { First } from '#state';
import type { Receipt, RememberedItem } from './item.js';

export function receiptOf(item: RememberedItem, offset: bigint, duplicate: boolean): Receipt {
  return {
    id: item.id,
    source: item.source,
    type: item.type.type,
    stream: item.stream,
    partition: item.partition,
    offset: Number(offset),
    position: formatPosition(item.stream, item.partition, offset),
    digest: `sha-256:${item.digest}`,
    recordedtime: item.recordedtime,
    duplicate,
  };
}

/** The receipt of what stands in the index. */
export function receiptOfFirst(first: First, type: string, duplicate: boolean): Receipt {
  return {
    id: first.id,
    source: first.source,
    type,
    stream: first.stream,
    partition: first.partition,
    offset: Number(first.offset),
    position: formatPosition(first.stream, first.partition, first.offset),
    digest: `sha-256:${first.digest}`,
    recordedtime: new Date(first.timeMs).toISOString(),
    duplicate,
  };
}
