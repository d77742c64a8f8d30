import { Fault, verbatim } from '#faults';
import type { EventLog } from '#log';
import { openTable, type Change } from '#table';
import type { Catalogue, EventType } from './catalogue.js';
import { CatalogueIndex } from './catalogue-index.js';
import { readProperties, subjectOf } from './event-types.js';
import { streamKey, streamOfRow, type MetaRow, type MetaTable } from './meta.js';
import { isSchemaKey, parseSchemaValue, SCHEMAS_TOPIC, schemaKey, schemaValue } from './records.js';
import { SchemaSet } from './schema-set.js';
import { texts } from './texts.js';

export interface Registered {
  readonly subject: string;
  readonly id: number;
  readonly version: number;
  /** false: the subject had this schema already. */
  readonly fresh: boolean;
}

export interface Registry {
  readonly catalogue: Catalogue;
  /** Schemas as registered, also those that are no event types. */
  readonly schemas: SchemaSet;
  /**
   * Registers a schema under a subject, and makes the stream of its event type when that is lacking. The same schema again answers what is there.
   * Fault invalid_schema, incompatible_schema, not_durable, log_unavailable.
   */
  register(subject: string, schema: string): Promise<Registered>;
  /** Registers what subjects lack of these contracts, in one write, and makes their streams. Nothing lacking: nothing is written. Fault as register. */
  registerMissing(schemas: readonly string[]): Promise<readonly Registered[]>;
  /** Makes the topics of all streams that the catalogue knows; partitions as recorded. */
  ensureStreams(): Promise<void>;
  /** Told of every type that appears or gets a new version, also those registered by other processes. */
  onRegistered(listener: (type: EventType) => void): () => void;
  /** Reads what other processes registered until now. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface RegistryDeps {
  readonly log: EventLog;
  readonly meta: MetaTable;
  /** Partitions of a stream that is made now and is not ordered as a whole. */
  readonly defaultPartitions: number;
}

/** Opens the registry: loads `_schemas` to its end, then follows it. Fault log_unavailable. */
export async function openRegistry({ log, meta, defaultPartitions }: RegistryDeps): Promise<Registry> {
  const index = new CatalogueIndex();
  const listeners = new Set<(type: EventType) => void>();
  const metaChanged = (key: string, row: MetaRow | undefined): void => {
    const s = streamOfRow(key, row);
    if (s) index.putStream(s.stream, s.partitions, s.retentionMs);
  };
  const unfollow = meta.onChange(metaChanged);
  for (const [key, row] of meta.entries()) metaChanged(key, row);

  const table = await openTable<string>({
    log,
    topic: SCHEMAS_TOPIC,
    parse: (value) => value.toString(),
    serialise: (row) => Buffer.from(row),
    onChange: (key, row, { appendTimeMs: timeMs }) => {
      if (row === undefined || !isSchemaKey(key)) return;
      const s = index.putSchema(row, timeMs);
      const type = s === undefined || s.deleted ? undefined : index.bySchemaId(s.id);
      if (type) for (const tell of listeners) tell(type);
    },
  });

  const write = async (offered: readonly { subject: string; schema: string }[]): Promise<Registered[]> =>
    table.write<Registered[]>((rows) => {
      const set = new SchemaSet(index.schemas.highestId);
      for (const [key, value] of rows) {
        const s = isSchemaKey(key) ? parseSchemaValue(value) : undefined;
        if (s) set.put(s);
      }
      const changes: Change<string>[] = [];
      const result = offered.map(({ subject, schema }): Registered => {
        const { known, entry } = set.decide(subject, schema);
        if (!known) {
          set.put(entry);
          changes.push({ key: schemaKey(subject, entry.version), row: schemaValue(entry) });
        }
        return { subject, id: entry.id, version: entry.version, fresh: !known };
      });
      return { changes, result };
    });

  const ensureStreams = async (): Promise<void> => {
    const wanted = new Map<string, number>();
    for (const t of index.types())
      if (!wanted.has(t.stream) || t.ordering === 'stream')
        wanted.set(t.stream, t.ordering === 'stream' ? 1 : defaultPartitions);
    const lacking = [...wanted].filter(([stream]) => meta.get(streamKey(stream)) === undefined);
    if (lacking.length > 0)
      await meta.write((rows) => ({
        changes: lacking
          .filter(([stream]) => !rows.has(streamKey(stream)))
          .map(([stream, partitions]) => ({ key: streamKey(stream), row: { partitions } })),
        result: undefined,
      }));
    await log.ensureTopics(
      index.streams().map((s) => ({
        name: s.name,
        partitions: s.partitions,
        cleanup: 'keep' as const,
        ...(s.retentionMs === undefined ? {} : { retentionMs: s.retentionMs }),
      })),
    );
  };

  return {
    catalogue: index,
    get schemas() {
      return index.schemas;
    },
    async register(subject, schema) {
      const properties = readProperties(schema);
      if (properties && subjectOf(properties) !== subject)
        throw new Fault('invalid_schema', {
          problems: [
            { pointer: '/simpul/type', reason: texts.belongs_elsewhere(), expected: verbatim(subjectOf(properties)) },
          ],
        });
      const [done] = await write([{ subject, schema }]);
      if (properties && done!.fresh) await ensureStreams();
      return done!;
    },
    async registerMissing(schemas) {
      const offered = schemas.map((schema) => {
        const properties = readProperties(schema);
        if (!properties) throw new Fault('invalid_schema', { detail: 'a contract without the property simpul' });
        return { subject: subjectOf(properties), schema };
      });
      const lacking = offered.filter(
        ({ subject, schema }) => !index.schemas.versions(subject).some((s) => s.schema === schema),
      );
      const done = lacking.length > 0 ? await write(lacking) : [];
      await ensureStreams();
      return done;
    },
    ensureStreams,
    onRegistered(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    refresh: () => table.refresh(),
    close: () => {
      unfollow();
      return table.close();
    },
  };
}
