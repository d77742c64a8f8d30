import type { Caller } from '#access';
import type { Units } from '#units';
import { HUB, levelOf, type EventFilter, type ReadEvent, type Reader } from './read-event.js';
import type { Ring, TailEntry } from './ring.js';

export type ShownLevel = ReadEvent['level'];

/** What the readers of one audience see of the entries from `from` to `to` (exclusive). */
export interface Excerpt {
  readonly from: number;
  readonly to: number;
  readonly shown: readonly { readonly entry: TailEntry; readonly level: ShownLevel }[];
  /** One letter for each entry: equal for audiences that see the same. */
  readonly signature: string;
}

/** Records of one excerpt, by their size in the ring: a reader that is far behind takes several, so that no write to it is large. */
const EXCERPT_BYTES = 131_072;

/** The readers of a tail with the same caller and the same filter: what they see of an entry is decided once for all of them (R12). */
export class Audience {
  readonly reader: Reader;
  readonly filter: EventFilter;
  members = 0;
  readonly #excerpts = new Map<number, Excerpt>();
  #round = -1;

  constructor(reader: Reader, filter: EventFilter) {
    this.reader = reader;
    this.filter = filter;
  }

  /** Decided by the unit tree of this round. */
  excerpt(ring: Ring, from: number, round: Round): Excerpt {
    if (this.#round !== round.number) this.#excerpts.clear();
    this.#round = round.number;
    let found = this.#excerpts.get(from);
    if (found === undefined) this.#excerpts.set(from, (found = this.#decide(ring, from, round)));
    return found;
  }

  #decide(ring: Ring, from: number, round: Round): Excerpt {
    const shown: { entry: TailEntry; level: ShownLevel }[] = [];
    let signature = '';
    let to = from;
    for (let bytes = 0; to < ring.end && bytes < EXCERPT_BYTES; to++) {
      const entry = ring.at(to);
      bytes += entry.size;
      const level = this.#levelOf(entry, round);
      signature += level === 'none' ? '-' : level === 'full' ? 'f' : 'm';
      if (level !== 'none') shown.push({ entry, level });
    }
    return { from, to, shown, signature };
  }

  #levelOf(entry: TailEntry, round: Round): ShownLevel | 'none' {
    const { event } = entry;
    const level = event.matches(this.filter) ? round.levelOf(this.reader, entry) : 'none';
    return level === 'none' || event.showsUnit(this.filter, level) ? level : 'none';
  }
}

/** One round of a tail: what is worked out once for all its readers, by the unit tree of this moment. */
export class Round {
  /** Messages by what they hold, for the readers that see the same. */
  readonly messages = new Map<string, Buffer>();
  readonly #byEntry = new Map<TailEntry, ReturnType<TailEntry['event']['levels']>>();

  constructor(
    readonly number: number,
    private readonly units: Units,
  ) {}

  /** The level of an entry for a reader (R12). */
  levelOf(reader: Reader, entry: TailEntry): ShownLevel | 'none' {
    let levels = this.#byEntry.get(entry);
    if (levels === undefined && !this.#byEntry.has(entry)) {
      levels = entry.event.levels(this.units);
      this.#byEntry.set(entry, levels);
    }
    return levels === undefined ? 'none' : levelOf(reader, levels);
  }
}

/** The audiences of a tail. */
export class Audiences {
  readonly #byReader = new Map<Caller | typeof HUB, Map<string, Audience>>();

  join(reader: Reader, filter: EventFilter): Audience {
    let ofReader = this.#byReader.get(reader);
    if (ofReader === undefined) this.#byReader.set(reader, (ofReader = new Map<string, Audience>()));
    const key = keyOf(filter);
    let audience = ofReader.get(key);
    if (audience === undefined) ofReader.set(key, (audience = new Audience(reader, filter)));
    audience.members++;
    return audience;
  }

  leave(audience: Audience): void {
    if (--audience.members > 0) return;
    const ofReader = this.#byReader.get(audience.reader);
    ofReader?.delete(keyOf(audience.filter));
    if (ofReader?.size === 0) this.#byReader.delete(audience.reader);
  }
}

function keyOf({ types, subject, unit, copies }: EventFilter): string {
  return JSON.stringify([
    types === undefined ? null : [...types].sort(),
    subject ?? null,
    unit ?? null,
    copies === true,
  ]);
}
