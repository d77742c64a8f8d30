import type { LaneChange, LaneRow, ParkedRow, Place, RetryRow } from '../port.js';
import { HELD, PARKED, RETRY, type Entry } from './lane.js';

/** What the rows of an earlier owner say of one event. */
export interface Found {
  readonly place: Place;
  readonly lane: string;
  readonly subject: string;
  rows: number;
  parked: ParkedRow | undefined;
  retry: RetryRow | undefined;
  at: string | undefined;
}

export function placeOf(position: string): Place {
  const [stream = '', partition, offset] = position.split('/');
  return { stream, partition: Number(partition), offset: BigInt(offset ?? '') };
}

/** By event, in the order of each lane. */
export function foundIn(rows: Iterable<LaneRow>): Found[] {
  const found = new Map<string, Found>();
  for (const row of rows) {
    const { position, lane, subject } = row;
    let event = found.get(position);
    if (event === undefined)
      found.set(
        position,
        (event = {
          place: placeOf(position),
          lane,
          subject,
          rows: 0,
          parked: undefined,
          retry: undefined,
          at: undefined,
        }),
      );
    if (row.kind === 'parked') event.parked = row;
    if (row.kind === 'retry') event.retry = row;
    if (row.kind !== 'parked') event.at ??= row.at;
    event.rows |= row.kind === 'parked' ? PARKED : row.kind === 'retry' ? RETRY : HELD;
  }
  return [...found.values()].sort((a, b) =>
    a.place.offset < b.place.offset ? -1 : a.place.offset > b.place.offset ? 1 : a.place.partition - b.place.partition,
  );
}

const LETTERS = [
  [PARKED, 'p'],
  [RETRY, 'r'],
  [HELD, 'h'],
] as const;

export function putRow(subscription: string, row: LaneRow): LaneChange {
  return { key: `${subscription}/${row.kind[0]!}/${row.position}`, row };
}

export function putHeld(subscription: string, entry: Entry<unknown>): LaneChange {
  const { position, lane, subject, at } = entry;
  return putRow(subscription, { kind: 'held', position, lane, subject, ...(at === undefined ? {} : { at }) });
}

/** Deletes the rows of an event that `rows` names. */
export function deleteRows(subscription: string, entry: Entry<unknown>, rows: number): LaneChange[] {
  return LETTERS.filter(([bit]) => rows & bit).map(([, letter]) => ({
    key: `${subscription}/${letter}/${entry.position}`,
    row: undefined,
  }));
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
