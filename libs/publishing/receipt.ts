import { formatPosition } from '#event';
import type { First } from '#state';
import type { Receipt, RememberedItem } from './item.js';

/** The receipt of an event that this process appended. `id` and `source` are those of the request: RecentAppends keeps only their identity. */
export function receiptOf(
  { id, source, test }: { readonly id: string; readonly source: string; readonly test: boolean },
  item: RememberedItem,
  offset: bigint,
  duplicate: boolean,
): Receipt {
  return {
    id,
    source,
    type: item.type.type,
    stream: item.stream,
    partition: item.partition,
    offset: Number(offset),
    position: formatPosition(item.stream, item.partition, offset),
    digest: `sha-256:${item.digest}`,
    recordedtime: item.recordedtime,
    duplicate,
    ...(test ? { test } : {}),
  };
}

/** The receipt of an entry of the duplicate index. */
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
    recordedtime: new Date(first.recordedTimeMs).toISOString(),
    duplicate,
  };
}
