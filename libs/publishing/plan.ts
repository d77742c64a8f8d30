import { bytesOf, MAX_APPEND_BYTES, MAX_APPEND_RECORDS } from '#log';
import type { ReadyItem } from './item.js';

export interface PlannedItem {
  /** Place in the request. */
  readonly i: number;
  readonly item: ReadyItem;
}

/** One call to the log. */
export interface PlannedAppend {
  readonly stream: string;
  readonly partition: number;
  readonly members: readonly PlannedItem[];
}

/** One list per partition in request order, cut where it would pass what one append may hold (R3.4). */
export function planAppends(items: readonly PlannedItem[]): readonly PlannedAppend[] {
  if (items.length === 1) {
    const one = items[0]!;
    return [{ stream: one.item.stream, partition: one.item.partition, members: [one] }];
  }
  const out: { stream: string; partition: number; members: PlannedItem[]; bytes: number }[] = [];
  const last = new Map<string, (typeof out)[number][]>();
  for (const planned of items) {
    const { stream, partition } = planned.item;
    const bytes = bytesOf(planned.item.record);
    let ofStream = last.get(stream);
    if (ofStream === undefined) last.set(stream, (ofStream = []));
    let list = ofStream[partition];
    if (list === undefined || list.members.length >= MAX_APPEND_RECORDS || list.bytes + bytes > MAX_APPEND_BYTES) {
      list = { stream, partition, members: [], bytes: 0 };
      ofStream[partition] = list;
      out.push(list);
    }
    list.members.push(planned);
    list.bytes += bytes;
  }
  return out;
}
