import { Fault, isFault, verbatim } from '#faults';
import type { EventLog } from '#log';
import { openTable, type Change, type Decision, type Table, type TableReport } from '#table';
import type { Catalogue, EventType, StreamInfo } from './catalogue.js';
import { CatalogueIndex } from './catalogue-index.js';
import { readProperties, registrySubject } from './event-types.js';
import {
  OWN_PSEUDONYMS,
  refuseDamaged,
  streamKey,
  streamOfKey,
  streamOfRow,
  type MetaRow,
  type MetaTable,
} from './meta.js';
import {
  isSchemaKey,
  parseSchemaRow,
  parseSchemaValue,
  SCHEMAS_TOPIC,
  schemaKey,
  schemaPlace,
  schemaValue,
} from './records.js';
import { SchemaSet } from './schema-set.js';
import { texts } from './texts.js';

export interface Registered {
  readonly subject: string;
  readonly id: number;
  readonly version: number;
  /** false: the subject already had this schema, and nothing was written. */
  readonly fresh: boolean;
}

export interface Registry {
  readonly catalogue: Catalogue;
  /** Schemas as registered, also schemas that are no event types. */
  readonly schemas: SchemaSet;
  /**
   * Registers a schema under a subject; for an event type it also creates the stream when that is missing. Idempotent: the same schema again answers the
   * version that is there. Faults `invalid_schema`, `incompatible_schema`, `not_durable`, `log_unavailable`.
   */
  register(subject: string, schema: string): Promise<Registered>;
  /**
   * Registers those of the contracts that their subjects do not have yet, in one write, and creates missing streams. Answers the registered ones; writes
   * nothing when none is missing. Faults as `register`.
   */
  registerMissing(schemas: readonly string[]): Promise<readonly Registered[]>;
  /** Creates the missing topics of all streams in the catalogue, with the partitions and retention of their meta rows. */
  ensureStreams(): Promise<void>;
  /**
   * Sets how long a stream keeps its events, in its meta row and its topic; undefined: without limit. Whether the views allow it is for the caller to
   * decide (R6.2). Faults `not_found` (no such stream), `log_unavailable`, `not_durable`: call it again.
   */
  setRetention(stream: string, retentionMs: number | undefined): Promise<void>;
  /** Calls the listener for every event type that is new or has a new version, also when another process registered it. Answers how to stop that. */
  onRegistered(listener: (type: EventType) => void): () => void;
  /** Reads the schemas that other processes have registered until now. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface RegistryDeps {
  readonly log: EventLog;
  readonly meta: MetaTable;
  /** Partitions of a new stream whose events are ordered by subject; a stream ordered as a whole gets one. */
  readonly defaultPartitions: number;
  readonly report?: TableReport | undefined;
}

type OnRegistered = (type: EventType) => void;

/** Opens the registry: loads `_schemas` to its end, then follows it. Fault `log_unavailable`. */
export async function openRegistry(deps: RegistryDeps): Promise<Registry> {
  const { log, meta, report } = deps;
  const index = new CatalogueIndex();
  const listeners = new Set<OnRegistered>();
  const putStream = (key: string, row: MetaRow | undefined): void => {
    const s = streamOfRow(key, row);
    const name = streamOfKey(key);
    if (s) index.putStream(s.stream, s.partitions, s.retentionMs, s.ownPseudonyms);
    else if (name !== undefined) index.dropStream(name);
  };
  const unfollowMeta = meta.onChange(putStream);
  for (const [key, row] of meta.entries()) putStream(key, row);
  const table = await openTable<string>({
    log,
    topic: SCHEMAS_TOPIC,
    parse: parseSchemaRow,
    serialise: (row) => Buffer.from(row),
    report,
    onChange: (key, row, { appendTimeMs }) => {
      const type = index.putRow(key, row, appendTimeMs);
      if (type) for (const listener of listeners) listener(type);
    },
  });
  return new TopicRegistry({ ...deps, index, listeners, table, unfollowMeta });
}

interface TopicRegistryDeps extends RegistryDeps {
  readonly index: CatalogueIndex;
  readonly listeners: Set<OnRegistered>;
  readonly table: Table<string>;
  readonly unfollowMeta: () => void;
}

interface Offer {
  readonly subject: string;
  readonly schema: string;
}

class TopicRegistry implements Registry {
  readonly #log: EventLog;
  readonly #meta: MetaTable;
  readonly #defaultPartitions: number;
  readonly #index: CatalogueIndex;
  readonly #listeners: Set<OnRegistered>;
  readonly #table: Table<string>;
  readonly #unfollowMeta: () => void;

  constructor(deps: TopicRegistryDeps) {
    this.#log = deps.log;
    this.#meta = deps.meta;
    this.#defaultPartitions = deps.defaultPartitions;
    this.#index = deps.index;
    this.#listeners = deps.listeners;
    this.#table = deps.table;
    this.#unfollowMeta = deps.unfollowMeta;
  }

  get catalogue(): Catalogue {
    return this.#index;
  }

  get schemas(): SchemaSet {
    return this.#index.schemas;
  }

  async register(subject: string, schema: string): Promise<Registered> {
    const properties = readProperties(schema);
    const own = properties && registrySubject(properties);
    if (own !== undefined && own !== subject)
      throw new Fault('invalid_schema', {
        problems: [{ pointer: '/simpul/type', reason: texts.belongs_elsewhere(), expected: verbatim(own) }],
      });
    const [registered] = await this.#write([{ subject, schema }]);
    if (properties && registered!.fresh) await this.ensureStreams();
    return registered!;
  }

  async registerMissing(schemas: readonly string[]): Promise<readonly Registered[]> {
    const offers = schemas.map((schema): Offer => {
      const properties = readProperties(schema);
      if (!properties) throw new Fault('invalid_schema', { detail: 'a contract without the property simpul' });
      return { subject: registrySubject(properties), schema };
    });
    const missing = offers.filter(
      ({ subject, schema }) => !this.schemas.versions(subject).some((s) => s.schema === schema),
    );
    const registered = missing.length > 0 ? await this.#write(missing) : [];
    await this.ensureStreams();
    return registered;
  }

  async ensureStreams(): Promise<void> {
    await this.#recordPartitions();
    // The row was written before its topic was changed: a process that ended in between is caught up with.
    for (const stream of this.#index.streams())
      if (stream.retentionMs !== undefined) await this.#shorten(stream, stream.retentionMs);
    await this.#log.ensureTopics(
      this.#index.streams().map((s) => ({
        name: s.name,
        partitions: s.partitions,
        cleanup: 'keep' as const,
        ...(s.retentionMs === undefined ? {} : { retentionMs: s.retentionMs }),
      })),
    );
  }

  async setRetention(stream: string, retentionMs: number | undefined): Promise<void> {
    const known = this.#index.stream(stream);
    if (known === undefined) throw new Fault('not_found', { detail: stream });
    // The topic never forgets what the row does not allow it to forget.
    if (retentionMs === undefined) await this.#log.setRetention(stream, undefined);
    await this.#meta.write((rows) => {
      refuseDamaged(this.#meta, streamKey(stream));
      const { retentionMs: _before, ...row } = rows.get(streamKey(stream)) ?? { partitions: known.partitions };
      const next = retentionMs === undefined ? row : { ...row, retentionMs };
      return { changes: [{ key: streamKey(stream), row: next }], result: undefined };
    });
    if (retentionMs !== undefined) await this.#log.setRetention(stream, retentionMs);
  }

  /** A topic that is there without a limit gets that of its row; any other difference is what ensureTopics finds. */
  async #shorten({ name, partitions }: StreamInfo, retentionMs: number): Promise<void> {
    try {
      await this.#log.ensureTopic({ name, partitions, cleanup: 'keep' });
    } catch (e) {
      if (isFault(e) && (e.code === 'conflict' || e.code === 'topic_unsafe')) return;
      throw e;
    }
    await this.#log.setRetention(name, retentionMs);
  }

  onRegistered(listener: OnRegistered): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  refresh(): Promise<void> {
    return this.#table.refresh();
  }

  close(): Promise<void> {
    this.#unfollowMeta();
    return this.#table.close();
  }

  #write(offers: readonly Offer[]): Promise<Registered[]> {
    return this.#table.write((rows) => decideVersions(rows, this.#table.damaged, this.schemas.highestId, offers));
  }

  /** Writes the meta rows of streams that have none: the number of partitions is fixed before the topic exists, so every process creates the same topic. */
  async #recordPartitions(): Promise<void> {
    const partitionsOf = new Map<string, number>();
    for (const { stream, ordering } of this.#index.types())
      if (ordering === 'stream') partitionsOf.set(stream, 1);
      else if (!partitionsOf.has(stream)) partitionsOf.set(stream, this.#defaultPartitions);
    const missing = [...partitionsOf].filter(([stream]) => this.#meta.get(streamKey(stream)) === undefined);
    if (missing.length === 0) return;
    const isThere = await Promise.all(missing.map(([stream]) => this.#hasTopic(stream)));
    await this.#meta.write((rows) => {
      for (const [stream] of missing) refuseDamaged(this.#meta, streamKey(stream));
      return {
        changes: missing.flatMap(([stream, partitions], n) => {
          if (rows.has(streamKey(stream))) return [];
          // A topic without a row may hold events of an earlier version: the same person must not get a second subject in it.
          const row = { partitions, ...(isThere[n] ? {} : { pseudonyms: OWN_PSEUDONYMS }) };
          return [{ key: streamKey(stream), row }];
        }),
        result: undefined,
      };
    });
  }

  async #hasTopic(stream: string): Promise<boolean> {
    try {
      await this.#log.topicId(stream);
      return true;
    } catch (e) {
      if (isFault(e) && e.code === 'unknown_topic') return false;
      throw e;
    }
  }
}

/**
 * Each offer is judged against the rows and the offers before it. `damaged`: keys of records that cannot be read. `highestId`: an id known to be taken, although
 * its record may be gone (R4.4).
 */
function decideVersions(
  rows: ReadonlyMap<string, string>,
  damaged: ReadonlySet<string>,
  highestId: number,
  offers: readonly Offer[],
): Decision<string, Registered[]> {
  const set = new SchemaSet(highestId);
  for (const [key, value] of rows) {
    const s = isSchemaKey(key) ? parseSchemaValue(value) : undefined;
    if (s) set.put(s);
  }
  for (const key of damaged) {
    const place = schemaPlace(key);
    if (place) set.take(place.subject, place.version);
  }
  const changes: Change<string>[] = [];
  const result = offers.map(({ subject, schema }): Registered => {
    const { known, entry } = set.decide(subject, schema);
    if (!known) {
      set.put(entry);
      changes.push({ key: schemaKey(subject, entry.version), row: schemaValue(entry) });
    }
    return { subject, id: entry.id, version: entry.version, fresh: !known };
  });
  return { changes, result };
}
