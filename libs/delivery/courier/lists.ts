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
  return pageOf(parked, page, ({ subject, position, since, cause, tries, lastStatus, held, nextAt }) => ({
    id: messageId(run.subscription, [position]),
    subject,
    position,
    since,
    cause,
    tries,
    ...(lastStatus === undefined ? {} : { lastStatus }),
    held,
    ...(nextAt === undefined ? {} : { nextAt }),
  }));
}

/** The dead letters of a run, by the time of parking. The id of a letter is its `webhook-id`. */
export function deadLettersOf(run: Run, page: Paging): ListPage<DeadLetter> {
  const dead = [...run.lanes.parked()].filter(({ deadAt }) => deadAt !== undefined);
  return pageOf(dead, page, (row) => letterOf(run, row));
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

const PLACE = /^\d{4}-\d\d-\d\dT[\d:.]+Z\/[^/]+\/\d+\/\d+$/;
const placeOf = ({ since, position }: ParkedLane): string => `${since}/${position}`;

/** A page goes on behind the place that it ended with, in the order of parking, also when what stood there has gone meanwhile. Fault `invalid_cursor`. */
function pageOf<T>(all: readonly ParkedLane[], { limit, cursor }: Paging, shown: (row: ParkedLane) => T): ListPage<T> {
  if (cursor !== undefined && !PLACE.test(cursor)) throw new Fault('invalid_cursor');
  const behind = all
    .map((row) => ({ row, place: placeOf(row) }))
    .filter(({ place }) => cursor === undefined || place > cursor)
    .toSorted((a, b) => (a.place < b.place ? -1 : 1));
  const items = behind.slice(0, limit).map(({ row }) => shown(row));
  return behind.length > limit ? { items, next: behind[limit - 1]!.place } : { items };
}

function offsetOf(cursor: string): bigint {
  if (!/^\d{1,19}$/.test(cursor)) throw new Fault('invalid_cursor');
  return BigInt(cursor);
}
