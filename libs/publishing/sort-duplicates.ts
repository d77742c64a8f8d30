import { sameContent, type OriginalContent } from '#duplicates';
import { Fault } from '#faults';
import type { Catalogue } from '#registry';
import type { ItemState, RememberedItem } from './item.js';
import { receiptOfFirst } from './receipt.js';
import type { RecentAppends } from './recent.js';
import { texts } from './texts.js';

/**
 * Sorts new events from duplicates (R2.4, R2.5, R3.3): earlier in the request, in flight or accepted a moment ago, in the index. Sets the outcomes that
 * are known: the first receipt, `idempotency_mismatch` for other content, or why a new event is unfit. Answers the events to append, in order.
 * Synchronous: nothing that it looked at can change before the caller appends in the same event-loop turn.
 */
export function sortDuplicates(
  items: readonly ItemState[],
  recents: Pick<RecentAppends, 'get'>,
  catalogue: Catalogue,
): ItemState[] {
  const fresh: ItemState[] = [];
  const inRequest = items.length > 1 ? new Map<string, ItemState>() : undefined;
  for (const state of items) {
    const { item, indexed } = state;
    if (item === undefined) continue;
    const earlier = inRequest?.get(item.identity);
    const recent = recents.get(item.identity);
    let original: OriginalContent | undefined = indexed;
    if (recent !== undefined) original = contentOf(recent);
    if (earlier !== undefined) original = contentOf(earlier.item!);
    if (original !== undefined && !sameContent(item, original, catalogue)) {
      state.outcome = { kind: 'refused', fault: idOfOtherContent() };
      continue;
    }
    // Where the index knows the first record, a remembered append may be a copy of it.
    const first = recent?.outcome?.kind === 'accepted' && recent.outcome.base !== indexed?.offset ? indexed : undefined;
    if (earlier !== undefined) state.repeated = earlier;
    else if (recent !== undefined && (first === undefined || !sameContent(item, first, catalogue))) {
      state.append = recent;
      state.joined = true;
    } else if (indexed !== undefined)
      state.outcome = { kind: 'duplicate', receipt: receiptOfFirst(indexed, item.type.type, true) };
    else if (state.unfit !== undefined) state.outcome = { kind: 'refused', fault: state.unfit };
    else fresh.push(state);
    if (earlier === undefined) inRequest?.set(item.identity, state);
  }
  return fresh;
}

function contentOf(item: RememberedItem): OriginalContent {
  return { stream: item.stream, partition: item.partition, digest: item.digest, schemaId: item.type.schemaId };
}

function idOfOtherContent(): Fault {
  return new Fault('idempotency_mismatch', {
    problems: [{ pointer: '/id', reason: texts.id_of_other_content(), code: 'idempotency_mismatch' }],
  });
}
