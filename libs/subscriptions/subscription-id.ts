import { hash } from 'node:crypto';
import { partitionOf } from '#event';
import { COURIER_PARTITIONS } from './subscription.js';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';
const LENGTH = 20;
const ID = /^sub_[a-z0-9]{20}$/;

/**
 * The id of the subscription with this name of this owner: the same name has the same id, so that the one partition of the id decides whether the name is taken.
 * `owner`: `SU…`, `EXT-…` or `hub`. 100 bits of SHA-256.
 */
export function subscriptionId(owner: string, name: string): string {
  const bytes = hash('sha256', `simpul subscription\n${owner}\n${name}`, 'buffer');
  let id = 'sub_';
  let bits = 0;
  let left = 0;
  for (let at = 0, made = 0; made < LENGTH; made++) {
    if (left < 5) {
      bits = ((bits & 31) << 8) | bytes[at++]!;
      left += 8;
    }
    left -= 5;
    id += LETTERS[(bits >> left) & 31];
  }
  return id;
}

/** Whether a text has the form of an id of a subscription. */
export function isSubscriptionId(text: string): boolean {
  return ID.test(text);
}

/** The partition of `_simpul.subscriptions` that an id belongs to, and with it everything of the subscription (R9.1). */
export function partitionOfSubscription(id: string): number {
  return partitionOf(Buffer.from(id), COURIER_PARTITIONS);
}
