import type { DecodedEvent } from '#registry';
import type { State } from '#state';
import type { RefusalReason, StoredRefusal, Witness } from './entry.js';
import { witnessOf, type Refused } from './fold.js';

/**
 * Keys of the events that a view partition has refused, in the key space of the contributions: a ring of the newest, and how many there were. No subject and no
 * part of a key begins with this control character (the publish path refuses it), so they meet no contribution.
 */
export const REFUSED_PREFIX = '\u0001refused/';
export const REFUSED_COUNT = '\u0001refused';
/** How many refused events a view partition keeps: the newest. */
export const REFUSED_KEPT = 200;

const refusedKey = (n: number): string => `${REFUSED_PREFIX}${String(n % REFUSED_KEPT).padStart(4, '0')}`;

/** Every key that refused events may change. */
export const refusedKeys = (): readonly string[] => [
  REFUSED_COUNT,
  ...Array.from({ length: REFUSED_KEPT }, (_, n) => refusedKey(n)),
];

/** What the ring keeps of a refused event: never its data. */
function storedRefusal(n: number, { reason, key, owner }: Refused, event: DecodedEvent): StoredRefusal {
  return {
    n,
    r: reason,
    k: key,
    t: event.envelope.type,
    p: event.position,
    at: event.envelope.recordedtime,
    w: witnessOf(event),
    ...(owner === undefined ? {} : { o: owner }),
  };
}

/** The rows that keep the refused event number `n` of a view partition: its place in the ring, and the count. */
export function keepRefusal(
  n: number,
  refusal: Refused,
  event: DecodedEvent,
): readonly (readonly [key: string, value: StoredRefusal | { readonly n: number }])[] {
  return [
    [refusedKey(n), storedRefusal(n, refusal, event)],
    [REFUSED_COUNT, { n: n + 1 }],
  ];
}

/** An event that a view has refused. */
export interface RefusedEvent {
  readonly reason: RefusalReason;
  /** Key of the entry that it would have changed. */
  readonly key: string;
  readonly type: string;
  readonly position: string;
  /** RFC 3339. */
  readonly recordedtime: string;
  /** Of the event: its source, and what its unit fields hold. */
  readonly witness: Witness;
  /** The unit or party that owns the entry; undefined when the reason is another. */
  readonly owner: string | undefined;
}

export function openRefusal({ r, k, t, p, at, w, o }: StoredRefusal): RefusedEvent {
  return { reason: r, key: k, type: t, position: p, recordedtime: at, witness: w, owner: o };
}

/** What a view partition keeps of the events that it has refused, and how many there were. Faults of the store. */
export async function readRefused(
  state: Pick<State, 'scan'>,
  storage: string,
  partition: number,
): Promise<{ readonly count: number; readonly events: readonly RefusedEvent[] }> {
  const range = { space: 'part', prefix: REFUSED_COUNT, limit: REFUSED_KEPT + 1 } as const;
  let count = 0;
  const events: RefusedEvent[] = [];
  for (const { key, value } of (await state.scan(storage, partition, range)).entries)
    if (key === REFUSED_COUNT) count = (JSON.parse(value) as { readonly n: number }).n;
    else events.push(openRefusal(JSON.parse(value) as StoredRefusal));
  return { count, events };
}
