import type { Limits } from './budget.js';
import type { Encoder, EventPage } from './page.js';
import type { EventFilter, Reader } from './read-event.js';
import type { Seat } from './tails.js';

/** A page from the ring of a tail, without a read of the log. Its end is the end of the ring: the tail may have more in a moment. */
export function tailPage<E>(
  { tail, partitions, at }: Seat,
  reader: Reader,
  from: readonly bigint[],
  filter: EventFilter,
  limits: Limits,
  encoder: Encoder<E>,
): EventPage<E> {
  const { ring } = tail;
  const audience = tail.audiences.join(reader, filter);
  const events: E[] = [];
  let bytes = 0;
  let sequence = at;
  let stopped: EventPage<E>['stopped'] = 'end';
  try {
    while (sequence < ring.end && stopped === 'end') {
      const { to, shown } = tail.look(audience, sequence);
      sequence = to;
      for (const { entry, level } of shown) {
        if (entry.offset < from[entry.partition]!) continue;
        if (events.length >= limits.limit || bytes >= limits.pageBytes) {
          sequence = entry.sequence;
          stopped = 'full';
          break;
        }
        const encoded = encoder.ofEntry(ring, entry, level);
        events.push(encoded);
        bytes += encoder.sizeOf(encoded);
      }
    }
  } finally {
    tail.audiences.leave(audience);
  }
  const next = [...from];
  if (sequence > at) {
    const passed = ring.at(sequence - 1).next;
    for (const p of partitions) if (passed[p]! > next[p]!) next[p] = passed[p]!;
  }
  // A tail ends at a damaged record: none lies in its ring.
  return { events, next, stopped, damaged: [] };
}
