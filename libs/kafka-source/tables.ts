import { openCopies, SETTLED_TOPIC, type Copies } from '#duplicates';
import { COPIES_TOPIC } from '#log';
import { CatalogueIndex, parseSchemaRow, SCHEMAS_TOPIC, type Catalogue, type EventType } from '#registry';
import { openJournal, type Journal } from '#table';
import type { ClusterLog } from './cluster-log.js';

/** What a reader needs beside its streams. Copies of earlier versions are in one more, which need not exist. */
export const CONTROL_TOPICS = [SCHEMAS_TOPIC, SETTLED_TOPIC];

/** Partition 0 of this topic keeps what a group remembers beside the places in its streams. */
export const MARKED = SCHEMAS_TOPIC;

interface SchemaRow {
  readonly key: string;
  /** undefined: deleted. */
  readonly text: string | undefined;
}

/** What the hub keeps in Kafka beside the streams and a reader of them needs: schemas, copies, settled ends. Followed while it is open. */
export class Tables {
  readonly #log: ClusterLog;
  readonly #copies: Copies;
  readonly #schemas: Journal<SchemaRow>;
  readonly #index: CatalogueIndex;

  private constructor(log: ClusterLog, copies: Copies, schemas: Journal<SchemaRow>, index: CatalogueIndex) {
    this.#log = log;
    this.#copies = copies;
    this.#schemas = schemas;
    this.#index = index;
  }

  /** Loads the tables to their ends. Throws as ClusterLog. */
  static async open(log: ClusterLog): Promise<Tables> {
    const index = new CatalogueIndex();
    const schemas = await openJournal<SchemaRow>({
      log,
      topic: { name: SCHEMAS_TOPIC, partitions: 1, cleanup: 'compact' },
      keyOf: ({ key }) => key,
      parse: (value, key) => ({ key, text: value.length === 0 ? undefined : parseSchemaRow(value, key) }),
      serialise: () => Buffer.alloc(0),
      onRow: ({ key, text }) => void index.putRow(key, text),
      report: { unreadable: ({ key }) => void index.putRow(key, undefined) },
    });
    try {
      const copies = await openCopies({
        describe: (topic) => log.describe(topic),
        read: (topic, partition, from, limits) => log.read(topic, partition, from, limits),
        ensureTopic: (spec) => log.ensureTopic(spec),
        append: () => log.append(),
        topics: () => log.existing([COPIES_TOPIC]),
      });
      return new Tables(log, copies, schemas, index);
    } catch (error) {
      await schemas.close();
      throw error;
    }
  }

  get catalogue(): Catalogue {
    return this.#index;
  }

  /** The type of a schema id. One that is not known is looked for in what was registered until now: a schema is registered before its first event. */
  async typeOf(schemaId: number): Promise<EventType | undefined> {
    const known = this.#index.bySchemaId(schemaId);
    if (known !== undefined) return known;
    await this.#schemas.refresh();
    return this.#index.bySchemaId(schemaId);
  }

  /** The topic that has the name of the stream now; copies and ends of another one count no more. Throws as ClusterLog. */
  async identify(stream: string): Promise<string> {
    const id = await this.#log.topicId(stream);
    this.#copies.identify(stream, id);
    return id;
  }

  /** Up to which offset it is decided which records are copies; after identify(). */
  end(stream: string, partition: number): bigint {
    return this.#copies.end(stream, partition);
  }

  isCopy(stream: string, partition: number, offset: bigint): boolean {
    return this.#copies.originalOf(stream, partition, offset) !== undefined;
  }

  onEnd(listener: (stream: string, partition: number) => void): () => void {
    return this.#copies.onEnd(listener);
  }

  async close(): Promise<void> {
    await Promise.all([this.#schemas.close(), this.#copies.close()]);
  }
}
