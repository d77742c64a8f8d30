import { Fault } from '#faults';
import type { Catalogue } from '#registry';
import { sameContent, type Known, type OriginalContent } from '#duplicates';
import type { Checked, ItemResult, ReadyItem, RememberedItem } from './item.js';
import { receiptOfFirst } from './receipt.js';
import { type RecentAppend, type RecentAppends } from './recent.js';
import { texts } from './texts.js';

/** What is to be done with the events of a request whose answer is not known yet. */
export interface Links {
  /** To be appended, by place in the request. */
  readonly fresh: number[];
  /** The same event is already on its way, or landed a moment ago. */
  readonly joined: ReadonlyMap<number, RecentAppend>;
  /** The same event earlier in this request. */
  readonly same: ReadonlyMap<number, number>;
}

const NONE: ReadonlyMap<number, never> = new Map<number, never>();

/**
 * Tells new events from duplicates (R2.4, R2.5, R3.3): earlier in the request, in flight or not yet settled, in the index. Fills `results` where the
 * answer is known: the first receipt, idempotency_mismatch for other content, or why a new event is unfit. Synchronous, so that what it looked at still holds when it returns.
 */
export function sortDuplicates(
  checked: readonly Checked[],
  known: Known,
  results: (ItemResult | undefined)[],
  recents: Pick<RecentAppends, 'get'>,
  catalogue: Catalogue,
): Links {
  const fresh: number[] = [];
  // Nearly every event is new: the tables are made when one is not.
  let joined: Map<number, RecentAppend> | undefined;
  let same: Map<number, number> | undefined;
  const inRequest = checked.length > 1 ? new Map<string, number>() : undefined;
  for (const [i, c] of checked.entries()) {
    if (!c.ok) continue;
    const { item } = c;
    const earlier = inRequest?.get(item.identity);
    const recent = recents.get(item.identity);
    const first = known?.[i];
    let original: OriginalContent | undefined = first;
    if (recent !== undefined) original = contentOf(recent);
    if (earlier !== undefined) original = contentOf((checked[earlier] as { item: ReadyItem }).item);
    if (original !== undefined && !sameContent(item, original, catalogue)) {
      const fault = new Fault('idempotency_mismatch', {
        problems: [{ pointer: '/id', reason: texts.id_of_other_content(), code: 'idempotency_mismatch' }],
      });
      results[i] = { kind: 'refused', fault };
      continue;
    }
    if (earlier !== undefined) (same ??= new Map<number, number>()).set(i, earlier);
    else if (recent !== undefined) (joined ??= new Map<number, RecentAppend>()).set(i, recent);
    else if (first !== undefined)
      results[i] = { kind: 'duplicate', receipt: receiptOfFirst(first, item.type.type, true) };
    else if (item.unfit !== undefined) results[i] = { kind: 'refused', fault: item.unfit };
    else fresh.push(i);
    if (earlier === undefined) inRequest?.set(item.identity, i);
  }
  return { fresh, joined: joined ?? NONE, same: same ?? NONE };
}

function contentOf(item: RememberedItem): OriginalContent {
  return { stream: item.stream, partition: item.partition, digest: item.digest, schemaId: item.type.schemaId };
}
