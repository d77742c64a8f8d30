import { withDeadline } from '#concurrency';
import { lookAtPlaces, type IndexLookup, type PlaceContent, type PlacedEvent } from '#duplicates';
import type { EventLog } from '#log';
import type { Catalogue } from '#registry';
import type { First } from '#state';
import type { RecentAppend } from './recent.js';

type Ids = readonly { readonly source: string; readonly id: string }[];

/** What is known of versions of event types. */
export interface EarlierSchemas {
  readonly catalogue: Pick<Catalogue, 'bySchemaId'>;
  /** Reads the catalogue to its end. @default the catalogue is never behind the log */
  readonly refresh?: (() => Promise<void>) | undefined;
}

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
    private readonly schemas: EarlierSchemas,
  ) {}

  /**
   * The rows that the index has and the log confirms. undefined for an id without one, or when the index or the log did not answer in time: the caller
   * then appends without a check (R2.4). So too for an event under a version that the catalogue does not have: its content cannot be compared, and other content
   * is a refusal for good.
   */
  async ask(ids: Ids): Promise<readonly (First | undefined)[] | undefined> {
    const known = await this.lookup.ask(ids);
    if (known === undefined || known.every((row) => row === undefined)) return known;
    const rows = known.filter((row) => row !== undefined);
    const places = new Map((await this.look(rows)).map((place, n) => [rows[n], place]));
    const holds = rows.filter((row) => places.get(row) === 'holds');
    const unknown = await this.unknown(holds);
    return known.map((row) => (places.get(row) === 'holds' && !unknown.has(row!) ? row : undefined));
  }

  /** Those of these events whose version the catalogue does not have, also after it was read to its end: another process may have registered it a moment ago. */
  async unknown<P extends Pick<First, 'schemaId'>>(events: readonly P[]): Promise<ReadonlySet<P>> {
    const { catalogue, refresh } = this.schemas;
    const isUnknown = ({ schemaId }: P): boolean => catalogue.bySchemaId(schemaId) === undefined;
    if (refresh === undefined || !events.some(isUnknown)) return NONE;
    await withDeadline(
      refresh().catch(() => undefined),
      this.maxMs,
      () => undefined,
    );
    return new Set(events.filter(isUnknown));
  }

  /** Whether the log holds these events at their places. */
  look(events: readonly PlacedEvent[]): Promise<readonly PlaceContent[]> {
    return withDeadline(lookAtPlaces(this.log, events), this.maxMs, () => events.map(() => 'unknown' as const));
  }
}

const NONE: ReadonlySet<never> = new Set();

/** Where an accepted append of this process lies; undefined while it is open. */
export function placeOf(source: string, id: string, append: RecentAppend): PlacedEvent | undefined {
  const { stream, partition, digest, outcome } = append;
  return outcome?.kind === 'accepted' ? { source, id, stream, partition, digest, offset: outcome.base } : undefined;
}
