/** Longest text of what is finished above a place, characters: Kafka takes 4,096 bytes of metadata with an offset. */
export const MAX_ABOVE = 3_500;

/** What is finished in a partition behind the place: every offset up to `high`, except those in `open`. */
export interface Above {
  readonly high: number;
  /** Ascending. */
  readonly open: readonly number[];
}

/**
 * The text of it, for the record of a place: `partition:high:open,+open,…` of each partition in base 36, separated by `;`. When it would be too long, partitions
 * know less of what is finished, and that comes again after a restart.
 */
export function encodeAbove(partitions: ReadonlyMap<number, Above>): string | undefined {
  const rows: string[] = [];
  let left = MAX_ABOVE;
  const share = Math.floor(MAX_ABOVE / Math.max(1, partitions.size));
  for (const [partition, above] of partitions) {
    const row = rowOf(partition, above, Math.min(left, Math.max(share, 40)));
    if (row === undefined) continue;
    left -= row.length + 1;
    rows.push(row);
  }
  return rows.length === 0 ? undefined : rows.join(';');
}

function rowOf(partition: number, { high, open }: Above, max: number): string | undefined {
  // The high of a row that is cut is shorter than or as long as that of the whole.
  let length = partition.toString(36).length + high.toString(36).length + 2;
  if (length > max) return undefined;
  const parts: string[] = [];
  let last = 0;
  let until = high;
  for (const offset of open) {
    const part = (offset - last).toString(36);
    if (length + part.length + 1 > max) {
      until = offset - 1;
      break;
    }
    parts.push(part);
    length += part.length + 1;
    last = offset;
  }
  return `${partition.toString(36)}:${until.toString(36)}:${parts.join(',')}`;
}

/** Reads the text. A text that is none of ours says nothing: then events come again. */
export function parseAbove(text: string | undefined): Map<number, { high: number; open: Set<number> }> {
  const partitions = new Map<number, { high: number; open: Set<number> }>();
  if (text === undefined || !/^[0-9a-z:,;]+$/.test(text)) return partitions;
  for (const row of text.split(';')) {
    const [partition = '', high = '', list = ''] = row.split(':');
    const open = new Set<number>();
    let at = 0;
    for (const part of list === '' ? [] : list.split(',')) open.add((at += Number.parseInt(part, 36)));
    const [p, h] = [Number.parseInt(partition, 36), Number.parseInt(high, 36)];
    if (!Number.isSafeInteger(p) || !Number.isSafeInteger(h) || [...open].some((o) => !Number.isSafeInteger(o)))
      return new Map();
    partitions.set(p, { high: h, open });
  }
  return partitions;
}
