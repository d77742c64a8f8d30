import { digestOf } from '#event';
import { Fault } from '#faults';
import type { ReadEvent } from '#reading';
import type { Subscription } from '#subscriptions';
import { messageId } from './message-id.js';

/** The source of what a person sent in the place of an event (R8.8). */
export const REDRIVE_SOURCE = 'urn:simpul:hub:redrive';

/** Data that goes to one subscription in the place of an event's own. */
export interface Edited {
  readonly job: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * The event that a redrive with other data delivers: the same type and subject, a source and an id of its own, and the place of the original in `redriveof`. It is in
 * no stream and no state. Fault `schema_mismatch`, with pointers, when the data does not fit the contract of the event.
 */
export function editedEvent(original: ReadEvent, { job, data }: Edited, now: number): ReadEvent {
  const { type, envelope, position, level } = original;
  const encoded = type.contract.encode(data, type.schemaId);
  if (!encoded.ok) throw new Fault('schema_mismatch', { problems: encoded.problems });
  const time = new Date(now).toISOString();
  const frame = encoded.value;
  return {
    ...original,
    envelope: {
      ...envelope,
      id: job,
      source: REDRIVE_SOURCE,
      time,
      extensions: { ...envelope.extensions, redriveof: position.replaceAll('/', '.') },
    },
    data,
    bytes: frame.length,
    ...(level === 'full' ? { stored: { frame, digest: digestOf(Buffer.from(envelope.subject), frame) } } : {}),
  };
}

/** The redrive whose data stands in the place of the event's own; undefined: it is the event. No unit may publish under this source. */
export function editedBy({ envelope }: ReadEvent): string | undefined {
  return envelope.source === REDRIVE_SOURCE ? envelope.id : undefined;
}

/** `webhook-id` of a request. Other data is another message: a receiver that has had the event must not take it for a repeat. */
export function sentId(subscription: Pick<Subscription, 'id' | 'createdAt'>, events: readonly ReadEvent[]): string {
  const parts = events.map((event) => {
    const job = editedBy(event);
    return job === undefined ? event.position : `${event.position} ${job}`;
  });
  return messageId(subscription, parts);
}
