import { TEST_EVENTS } from '#log';
import type { Catalogue } from '#registry';
import type { SubscriptionSpec } from './subscription.js';
import { typePattern } from './type-pattern.js';

/** What says which types a subscription wants. */
export type Wishes = Pick<SubscriptionSpec, 'types' | 'test'>;

/** Whether a type is one that these patterns stand for. A text that is no pattern stands for none. */
export function wishOf(types: readonly string[]): (type: string) => boolean {
  const patterns = types.map(typePattern);
  return (type) => patterns.some((p) => p?.matches(type) === true);
}

/**
 * Names of the streams that a subscription reads, by the catalogue of this moment: those with a type that it wants, whoever may read them; with `test: true`
 * `_simpul.test` alone. Ask again when the catalogue changes: a stream that is registered after the subscription was made belongs to it from its first event
 * on, so a stream without a cursor begins at its earliest record once the others have begun.
 */
export function streamsOf({ types, test }: Wishes, catalogue: Pick<Catalogue, 'streams'>): readonly string[] {
  if (test) return [TEST_EVENTS.name];
  const wants = wishOf(types);
  return catalogue
    .streams()
    .filter((stream) => stream.types.some(wants))
    .map(({ name }) => name);
}
