import type { DecodedEvent } from '#registry';
import type { Progress, State } from '#state';
import type { RefusalReason, RefusedCount, StoredRefusal, Witness } from './entry.js';
import { witnessOf, type Refused } from './fold.js';
import { senderOf } from './owner.js';

/**
 * Keys of the events that a view partition has refused, in the key space of the contributions: a place for each, and how many there were. No subject and no
 * part of a key begins with this control character (the publish path refuses it in a subject, keyText() escapes it), so they meet no contribution.
 */
export const REFUSED_PREFIX = '\u0001refused/';
export const REFUSED_COUNT = '\u0001refused';
/** How many refused events a view partition keeps. */
export const REFUSED_KEPT = 200;
/** Of these, of one unit or party with all its systems. */
export const REFUSED_OF_OFFICE = 50;
/** For so many sources it is counted how many of their events are no longer kept; further ones have one count, under `""`. */
const OUT_SOURCES = 200;
const OUT_OTHERS = '';

const refusedKey = (slot: number): string => `${REFUSED_PREFIX}${String(slot).padStart(4, '0')}`;

/** Every key that refused events may change. */
export const refusedKeys = (): readonly string[] => [
  REFUSED_COUNT,
  ...Array.from({ length: REFUSED_KEPT }, (_, n) => refusedKey(n)),
];

/** What is kept of a refused event: never its data. */
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

type RefusalRow = readonly [key: string, value: StoredRefusal | RefusedCount];

/**
 * What a view partition keeps of the events that it refuses: at most 200, and of one office at most 50. Where there is no room, the oldest event goes of
 * the office that has the most, in it of the source, and in that of the key, that has the most: nobody pushes out what others have tried, nor what it
 * tried elsewhere itself before. A function of the order of the events, however they are batched.
 */
export class RefusedRing {
  readonly #slots: (StoredRefusal | undefined)[] = new Array<undefined>(REFUSED_KEPT).fill(undefined);
  /** The slots of each office: a batch may refuse 500 events, and looking through all slots for each of them stops the process for 100 ms. */
  readonly #ofOffice = new Map<string, Set<number>>();
  #free = REFUSED_KEPT;
  #count: RefusedCount = { n: 0 };

  /** `rows`: what the store holds under refusedKeys(), in any order. */
  constructor(rows: Iterable<{ readonly key: string; readonly value: string }> = []) {
    for (const { key, value } of rows)
      if (key === REFUSED_COUNT) this.#count = JSON.parse(value) as RefusedCount;
      else this.#put(Number(key.slice(REFUSED_PREFIX.length)), JSON.parse(value) as StoredRefusal);
  }

  /** Keeps one more. Answers it, and the rows to write. */
  add(refusal: Refused, event: DecodedEvent): { readonly stored: StoredRefusal; readonly rows: readonly RefusalRow[] } {
    const stored = storedRefusal(this.#count.n, refusal, event);
    const slot = this.#slotFor(stored);
    const gone = this.#slots[slot];
    this.#put(slot, stored);
    this.#count = { ...this.#count, n: stored.n + 1, ...(gone && { out: addOut(this.#count.out, gone.w[0]) }) };
    const rows = [[refusedKey(slot), stored] as const, [REFUSED_COUNT, this.#count] as const];
    return { stored, rows };
  }

  #put(slot: number, row: StoredRefusal): void {
    const before = this.#slots[slot];
    if (before === undefined) this.#free--;
    else {
      const office = senderOf(before.w[0]);
      const slots = this.#ofOffice.get(office)!;
      slots.delete(slot);
      if (slots.size === 0) this.#ofOffice.delete(office);
    }
    this.#slots[slot] = row;
    const office = senderOf(row.w[0]);
    const slots = this.#ofOffice.get(office);
    if (slots === undefined) this.#ofOffice.set(office, new Set([slot]));
    else slots.add(slot);
  }

  #slotFor({ w: [source] }: StoredRefusal): number {
    const mine = this.#ofOffice.get(senderOf(source));
    const isFull = mine !== undefined && mine.size >= REFUSED_OF_OFFICE;
    if (!isFull && this.#free > 0) return this.#slots.indexOf(undefined);
    const ofKey = most(
      most(this.#keptIn(isFull ? mine : this.#greatest()), (row) => row.w[0]),
      (row) => row.k,
    );
    return ofKey.reduce((a, b) => (b[1].n < a[1].n ? b : a))[0];
  }

  /** The slots of the office that has the most; of equal ones of that with the oldest row. */
  #greatest(): ReadonlySet<number> {
    const all = [...this.#ofOffice.values()];
    const size = Math.max(...all.map((slots) => slots.size));
    const greatest = all.filter((slots) => slots.size === size);
    if (greatest.length === 1) return greatest[0]!;
    const oldest = (slots: ReadonlySet<number>): number => Math.min(...[...slots].map((i) => this.#slots[i]!.n));
    return greatest.map((slots) => [slots, oldest(slots)] as const).reduce((a, b) => (b[1] < a[1] ? b : a))[0];
  }

  #keptIn(slots: ReadonlySet<number>): readonly Kept[] {
    return [...slots].map((slot) => [slot, this.#slots[slot]!]);
  }
}

type Kept = [slot: number, row: StoredRefusal];

/** The rows of the group that has the most; of equal groups that with the oldest row. */
function most(rows: readonly Kept[], groupOf: (row: StoredRefusal) => string): readonly Kept[] {
  const groups = new Map<string, Kept[]>();
  for (const row of rows) {
    const group = groupOf(row[1]);
    const others = groups.get(group);
    if (others) others.push(row);
    else groups.set(group, [row]);
  }
  if (groups.size === 1) return rows;
  const oldest = (group: readonly Kept[]): number => Math.min(...group.map(([, { n }]) => n));
  return [...groups.values()].reduce((a, b) =>
    b.length > a.length || (b.length === a.length && oldest(b) < oldest(a)) ? b : a,
  );
}

/** One more event of this source is no longer kept. Sources beyond the bound are counted together. */
function addOut(out: NonNullable<RefusedCount['out']> = {}, source: string): NonNullable<RefusedCount['out']> {
  const name = source in out || Object.keys(out).length < OUT_SOURCES ? source : OUT_OTHERS;
  return { ...out, [name]: (out[name] ?? 0) + 1 };
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

/** The refused events of a view partition. */
export interface RefusedEvents {
  /** How many there were. */
  readonly count: number;
  readonly events: readonly RefusedEvent[];
  /** Of which sources how many are no longer kept; `""`: of further sources. */
  readonly out: Readonly<Record<string, number>>;
  /** How far the view partition is. */
  readonly progress: readonly Progress[];
}

/** Whether some of a source's refused events are no longer kept. */
export const hasDropped = (out: RefusedEvents['out'], source: string): boolean =>
  (out[source] ?? 0) > 0 || (out[OUT_OTHERS] ?? 0) > 0;

/** What a view partition keeps of the events that it has refused. Faults of the store. */
export async function readRefused(
  state: Pick<State, 'scan'>,
  storage: string,
  partition: number,
): Promise<RefusedEvents> {
  const range = { space: 'part', prefix: REFUSED_COUNT, limit: REFUSED_KEPT + 1 } as const;
  let counted: RefusedCount = { n: 0 };
  const events: RefusedEvent[] = [];
  const { entries, progress } = await state.scan(storage, partition, range);
  for (const { key, value } of entries)
    if (key === REFUSED_COUNT) counted = JSON.parse(value) as RefusedCount;
    else events.push(openRefusal(JSON.parse(value) as StoredRefusal));
  return { count: counted.n, events, out: counted.out ?? {}, progress };
}
