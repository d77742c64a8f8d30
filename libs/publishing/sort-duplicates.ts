import { sameContent, type ComparedEvent, type OriginalContent } from '#duplicates';
import { digestOf, partitionOf } from '#event';
import { Fault, isFault } from '#faults';
import type { Catalogue, EventType } from '#registry';
import type { ItemState, ReadyItem, RememberedItem } from './item.js';
import { receiptOfFirst } from './receipt.js';
import type { RecentAppends } from './recent.js';
import { eventSubject, type SubjectRules } from './subject.js';
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
  subjects: Omit<SubjectRules, 'catalogue'>,
): ItemState[] {
  const isSame = (item: ReadyItem, original: OriginalContent): boolean =>
    isSameEvent(item, original, { ...subjects, catalogue });
  const fresh: ItemState[] = [];
  const inRequest = items.length > 1 ? new Map<string, ItemState>() : undefined;
  for (const state of items) {
    const { item, indexed } = state;
    if (item === undefined) continue;
    // Sent twice, a test is two test events, and never the copy of a real one (R10.11).
    if (item.test) {
      if (state.unfit === undefined) fresh.push(state);
      else state.outcome = { kind: 'refused', fault: state.unfit };
      continue;
    }
    const earlier = inRequest?.get(item.identity);
    const recent = recents.get(item.identity);
    let original: OriginalContent | undefined = indexed;
    if (recent !== undefined) original = contentOf(recent);
    if (earlier !== undefined) original = contentOf(earlier.item!);
    if (original !== undefined && !isSame(item, original)) {
      state.outcome = { kind: 'refused', fault: idOfOtherContent() };
      continue;
    }
    // Where the index knows the first record, a remembered append may be a copy of it.
    const first = recent?.outcome?.kind === 'accepted' && recent.outcome.base !== indexed?.offset ? indexed : undefined;
    if (earlier !== undefined) state.repeated = earlier;
    else if (recent !== undefined && (first === undefined || !isSame(item, first))) {
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

type SubjectMaking = SubjectRules & { readonly catalogue: Catalogue };

/** R2.6. The original may be of a time when its version was the newest: then its subject follows the rule of that version. */
function isSameEvent(item: ReadyItem, original: OriginalContent, making: SubjectMaking): boolean {
  const { catalogue } = making;
  if (sameContent(item, original, catalogue)) return true;
  const written = catalogue.bySchemaId(original.schemaId);
  if (written?.type !== item.type.type || item.stream !== original.stream) return false;
  const earlier = underRuleOf(written, item, making);
  return earlier !== undefined && sameContent(earlier, original, catalogue);
}

/** The event as it was written while this version was the newest; undefined: no other than now. */
function underRuleOf(written: EventType, item: ReadyItem, making: SubjectMaking): ComparedEvent | undefined {
  const { type, value, stream } = item;
  const partitions = making.catalogue.stream(stream)?.partitions;
  if (partitions === undefined) return undefined;
  try {
    const made = eventSubject(written, type.contract.decode(value, { framed: true, reader: written.contract }), making);
    if (!made.ok || made.subject === item.subject) return undefined;
    const key = Buffer.from(made.subject);
    return {
      stream,
      type,
      value,
      key,
      partition: partitionOf(key, partitions),
      digest: digestOf(key, value).toString('hex'),
    };
  } catch (e) {
    if (isFault(e)) return undefined;
    throw e;
  }
}

function contentOf(item: RememberedItem): OriginalContent {
  return { stream: item.stream, partition: item.partition, digest: item.digest, schemaId: item.type.schemaId };
}

function idOfOtherContent(): Fault {
  return new Fault('idempotency_mismatch', {
    problems: [{ pointer: '/id', reason: texts.id_of_other_content(), code: 'idempotency_mismatch' }],
  });
}
