import { mayKnowType } from '#access';
import { TEST_EVENTS } from '#log';
import type { Catalogue } from '#registry';
import type { Units } from '#units';
import { callerOf } from './caller.js';
import type { Subscription } from './subscription.js';
import { typePattern } from './type-pattern.js';

/** What says which types a subscription wants, and for whom. */
export type Wishes = Pick<Subscription, 'owner' | 'system' | 'types' | 'test'>;

/** Whether a type is one that these patterns stand for. A text that is no pattern stands for none. */
export function wishOf(types: readonly string[]): (type: string) => boolean {
  const patterns = types.map(typePattern);
  return (type) => patterns.some((p) => p?.matches(type) === true);
}

/**
 * Names of the streams that a subscription reads, by the catalogue of this moment: those with a type that it wants and that its owner may know (R12.2), so that nothing
 * that is said of a subscription by stream names a restricted one; with `test: true` `_simpul.test` alone. Ask again when the catalogue or the units change: a
 * stream that is registered after the subscription was made belongs to it from its first event on, so a stream without a cursor begins at its earliest record
 * once the others have begun.
 */
export function streamsOf(
  subscription: Wishes,
  catalogue: Pick<Catalogue, 'streams' | 'newest'>,
  units: Units,
): readonly string[] {
  if (subscription.test) return [TEST_EVENTS.name];
  const wants = wishOf(subscription.types);
  const owner = callerOf(subscription);
  const isKnown = (name: string): boolean => {
    const type = catalogue.newest(name);
    return type !== undefined && mayKnowType(owner, type, units);
  };
  return catalogue
    .streams()
    .filter((stream) => stream.types.some((type) => wants(type) && isKnown(type)))
    .map(({ name }) => name);
}
