import { Fault } from '#faults';
import type { Subscription } from '#subscriptions';
import type { DeadLetter, DeliveryAttempt, ListPage, Paging, ParkedSubject } from '../desk-port.js';
import type { ParkedLane } from '../lanes/types.js';
import type { Attempts } from './attempts.js';
import { messageId } from './message-id.js';
import type { Run } from './run.js';

/** The attempts of a subscription, the newest first; none of one that had its id, and its name, before. */
export async function deliveriesOf(
  attempts: Pick<Attempts, 'newest'>,
  { id, createdAt }: Pick<Subscription, 'id' | 'createdAt'>,
  filter: { readonly subject?: string | undefined; readonly state?: string | undefined },
  { limit, cursor }: Paging,
): Promise<ListPage<DeliveryAttempt>> {
  const { subject, state } = filter;
  const { rows, next } = await attempts.newest(
    (row) =>
      row.subscription === id &&
      row.at >= createdAt &&
      (subject === undefined || row.subject === subject) &&
      (state === undefined || row.outcome === state),
    limit,
    cursor === undefined ? undefined : offsetOf(cursor),
  );
  const items = rows.map(({ subscription: _subscription, ...attempt }) => attempt);
  return next === undefined ? { items } : { items, next: String(next) };
}

/** The parked subjects of a run, without dead letters, by the time of parking. */
export function parkedOf(run: Run, page: Paging): ListPage<ParkedSubject> {
  const parked = [...run.lanes.parked()].filter(({ deadAt }) => deadAt === undefined);
  return pageOf(
    parked.map(({ subject, position, since, cause, tries, held, nextAt }) => ({
      subject,
      position,
      since,
      cause,
      tries,
      held,
      ...(nextAt === undefined ? {} : { nextAt }),
    })),
    page,
  );
}

/** The dead letters of a run, by the time of parking. The id of a letter is its `webhook-id`. */
export function deadLettersOf(run: Run, page: Paging): ListPage<DeadLetter> {
  const dead = [...run.lanes.parked()].filter(({ deadAt }) => deadAt !== undefined);
  return pageOf(
    dead.map((row) => letterOf(run, row)),
    page,
  );
}

function letterOf(run: Run, row: ParkedLane): DeadLetter {
  const { subject, position, cause, tries, lastStatus, firstAt, lastAt, held } = row;
  return {
    id: messageId(run.subscription, [position]),
    subject,
    position,
    cause,
    tries,
    ...(lastStatus === undefined ? {} : { lastStatus }),
    firstAt,
    lastAt,
    held,
  };
}

/** A page goes on behind the position that it ended with, also when earlier ones have gone meanwhile. */
function pageOf<T extends { readonly position: string }>(all: readonly T[], { limit, cursor }: Paging): ListPage<T> {
  const after = cursor === undefined ? -1 : all.findIndex(({ position }) => position === cursor);
  if (cursor !== undefined && after === -1 && all.length > 0) throw new Fault('invalid_cursor');
  const items = all.slice(after + 1, after + 1 + limit);
  const last = items.at(-1);
  return after + 1 + limit < all.length && last !== undefined ? { items, next: last.position } : { items };
}

function offsetOf(cursor: string): bigint {
  if (!/^\d{1,19}$/.test(cursor)) throw new Fault('invalid_cursor');
  return BigInt(cursor);
}
