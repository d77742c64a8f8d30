import { bytesOf, MAX_APPEND_BYTES, MAX_APPEND_RECORDS, RECORD_HEAD_BYTES } from '#log';
import type { ReadyItem } from './item.js';

/** One append to the log. */
export interface PlannedAppend {
  readonly stream: string;
  readonly partition: number;
  /** Indexes of its items, ascending. */
  readonly places: readonly number[];
  /** The size of the records, measured here once for the whole publish path. */
  readonly bytes: number;
}

interface List extends PlannedAppend {
  readonly places: number[];
  bytes: number;
}

/** One append for each partition, in the order given, cut at what one append may hold (R3.4) and its topic takes: `limitOf`, as EventLog.appendLimit. */
export function planAppends(
  items: readonly ReadyItem[],
  limitOf: (stream: string) => number = () => Number.POSITIVE_INFINITY,
): readonly PlannedAppend[] {
  const out: List[] = [];
  const last = new Map<string, List[]>();
  for (const [place, { stream, partition, record }] of items.entries()) {
    const bytes = bytesOf(record);
    let ofStream = last.get(stream);
    if (ofStream === undefined) last.set(stream, (ofStream = []));
    let list = ofStream[partition];
    if (
      list === undefined ||
      list.places.length >= MAX_APPEND_RECORDS ||
      list.bytes + bytes > MAX_APPEND_BYTES ||
      list.bytes + bytes + (list.places.length + 1) * RECORD_HEAD_BYTES > limitOf(stream)
    ) {
      list = { stream, partition, places: [], bytes: 0 };
      ofStream[partition] = list;
      out.push(list);
    }
    list.places.push(place);
    list.bytes += bytes;
  }
  return out;
}
