import { hash } from 'node:crypto';
import type { Subscription } from '#subscriptions';

/**
 * `webhook-id` of these events for this subscription: the same at every try, from every courier. A subscription that is made again under its name has other ids,
 * so that its receiver does not take what it asks for anew for repeats.
 */
export function messageId(
  { id, createdAt }: Pick<Subscription, 'id' | 'createdAt'>,
  positions: readonly string[],
): string {
  const text = `${id}\n${createdAt}\n${positions.join('\n')}`;
  return `msg_${hash('sha256', text, 'base64url').slice(0, 24)}`;
}
