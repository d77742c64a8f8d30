import { withDeadline } from '#concurrency';
import { lookAtPlaces, type IndexLookup, type PlaceContent, type PlacedEvent } from '#duplicates';
import type { EventLog } from '#log';
import type { First } from '#state';
import type { RecentAppend } from './recent.js';

type Ids = readonly { readonly source: string; readonly id: string }[];

/**
 * Earlier events under a (source, id), confirmed by the log: a row of the index, or a remembered append, may be about an event that is in no log any
 * more (the log was restored from an older copy, or the topic made again), and such a one must not be answered with a receipt (R2.7). Never throws.
 */
export class EarlierEvents {
  constructor(
    private readonly lookup: IndexLookup,
    private readonly log: Pick<EventLog, 'read'>,
    /** How long the log may take to confirm places, ms. */
    private readonly maxMs: number,
  ) {}

  /**
   * The rows that the index has and the log confirms. undefined for an id without one, or when the index or the log did not answer in time: the caller
   * then appends without a check (R2.4).
   */
  async ask(ids: Ids): Promise<readonly (First | undefined)[] | undefined> {
    const known = await this.lookup.ask(ids);
    if (known === undefined || known.every((row) => row === undefined)) return known;
    const rows = known.filter((row) => row !== undefined);
    const places = new Map((await this.look(rows)).map((place, n) => [rows[n], place]));
    return known.map((row) => (places.get(row) === 'holds' ? row : undefined));
  }

  /** Whether the log holds these events at their places. */
  look(events: readonly PlacedEvent[]): Promise<readonly PlaceContent[]> {
    return withDeadline(lookAtPlaces(this.log, events), this.maxMs, () => events.map(() => 'unknown' as const));
  }
}

/** Where an accepted append of this process lies; undefined while it is open. */
export function placeOf(source: string, id: string, append: RecentAppend): PlacedEvent | undefined {
  const { stream, partition, digest, outcome } = append;
  return outcome?.kind === 'accepted' ? { source, id, stream, partition, digest, offset: outcome.base } : undefined;
}
