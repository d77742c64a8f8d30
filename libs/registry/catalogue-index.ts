import type { Catalogue, EventType, StreamInfo } from './catalogue.js';
import { eventTypeOf } from './event-types.js';
import { parseSchemaValue, schemaPlace, type RegisteredSchema } from './records.js';
import { SchemaSet } from './schema-set.js';

type StreamRow = Pick<StreamInfo, 'partitions' | 'retentionMs' | 'ownPseudonyms'>;

interface Index {
  readonly byType: ReadonlyMap<string, readonly EventType[]>;
  readonly types: readonly EventType[];
  readonly streams: ReadonlyMap<string, StreamInfo>;
}

/** The catalogue in memory, built from schema records and stream rows. The event type of a record is cached, so that its contract is compiled once per id. */
export class CatalogueIndex implements Catalogue {
  readonly schemas = new SchemaSet();
  readonly #types = new Map<string, EventType>();
  readonly #byId = new Map<number, EventType>();
  readonly #streams = new Map<string, StreamRow>();
  #index: Index | undefined;

  /**
   * Applies a row of `_schemas` by its key: the text of a schema record, or undefined for a record that is deleted or cannot be read. Answers the event type that is
   * readable by its id now; undefined: the row is none, or a deleted version.
   */
  putRow(key: string, text: string | undefined, appendTimeMs?: number): EventType | undefined {
    const place = schemaPlace(key);
    if (place === undefined) return undefined;
    if (text === undefined) {
      this.dropSchema(place.subject, place.version);
      return undefined;
    }
    const s = this.putSchema(text, appendTimeMs);
    return s === undefined || s.deleted ? undefined : this.bySchemaId(s.id);
  }

  /**
   * Applies the value of a registry record, with its append time; answers the schema, or undefined for a record that is none. A soft-deleted version
   * disappears from the types, but its id stays readable: records of the streams may carry it.
   */
  putSchema(value: string, appendTimeMs = 0): RegisteredSchema | undefined {
    const s = parseSchemaValue(value);
    if (!s) return undefined;
    this.schemas.put(s);
    const at = `${s.subject}\n${s.version}`;
    const known = this.#types.get(at);
    if (s.deleted) this.#types.delete(at);
    else if (known?.schemaId !== s.id) {
      const type = eventTypeOf(s, appendTimeMs);
      if (type) {
        this.#types.set(at, type);
        if (!this.#byId.has(s.id)) this.#byId.set(s.id, type);
      }
    }
    this.#index = undefined;
    return s;
  }

  /**
   * The record of this version cannot be read, or is deleted: no type has this version any more. Its id stays readable when it was read before, because an id never
   * gets another schema (R4.4).
   */
  dropSchema(subject: string, version: number): void {
    this.schemas.drop(subject, version);
    this.#types.delete(`${subject}\n${version}`);
    this.#index = undefined;
  }

  dropStream(name: string): void {
    this.#streams.delete(name);
    this.#index = undefined;
  }

  putStream(name: string, partitions: number, retentionMs?: number, ownPseudonyms = false): void {
    this.#streams.set(name, {
      partitions,
      ...(retentionMs === undefined ? {} : { retentionMs }),
      ...(ownPseudonyms ? { ownPseudonyms } : {}),
    });
    this.#index = undefined;
  }

  partitionsOf(stream: string): number | undefined {
    return this.#streams.get(stream)?.partitions;
  }

  newest(type: string): EventType | undefined {
    return this.#all().byType.get(type)?.at(-1);
  }

  version(type: string, version: number): EventType | undefined {
    return this.#all()
      .byType.get(type)
      ?.find((t) => t.version === version);
  }

  versions(type: string): readonly EventType[] {
    return this.#all().byType.get(type) ?? [];
  }

  bySchemaId(schemaId: number): EventType | undefined {
    return this.#byId.get(schemaId);
  }

  types(): readonly EventType[] {
    return this.#all().types;
  }

  stream(name: string): StreamInfo | undefined {
    return this.#all().streams.get(name);
  }

  streams(): readonly StreamInfo[] {
    return [...this.#all().streams.values()];
  }

  #all(): Index {
    return (this.#index ??= this.#build());
  }

  #build(): Index {
    const byType = new Map<string, EventType[]>();
    for (const t of this.#types.values()) {
      const versions = byType.get(t.type);
      if (versions) versions.push(t);
      else byType.set(t.type, [t]);
    }
    for (const versions of byType.values()) versions.sort((a, b) => a.version - b.version);
    const types = [...byType.values()].map((v) => v.at(-1)!).sort((a, b) => (a.type < b.type ? -1 : 1));
    const streams = new Map<string, StreamInfo>();
    for (const name of [...this.#streams.keys()].sort()) {
      const own = types.filter((t) => t.stream === name);
      streams.set(name, {
        name,
        ...this.#streams.get(name)!,
        ordering: own.some((t) => t.ordering === 'stream') ? 'stream' : 'subject',
        subjectForm: own.some((t) => t.subjectForm === 'pseudonym') ? 'pseudonym' : 'clear',
        types: own.map((t) => t.type),
      });
    }
    return { byType, types, streams };
  }
}
