import { compileEventContract, type ActorInfo, type EventContract, type EventTypeProperties } from '#avro';
import type { Consumer, EventType } from './catalogue.js';
import type { RegisteredSchema } from './records.js';

/** An event type read from a registered schema. The contract is compiled on first use, so that a start does not compile types that are never published. */
class RegisteredType implements EventType {
  readonly version: number;
  readonly schemaId: number;
  readonly registeredMs: number;
  readonly #schema: string;
  readonly #p: EventTypeProperties;
  #contract: EventContract | undefined;

  constructor(s: RegisteredSchema, properties: EventTypeProperties, registeredMs: number) {
    this.version = s.version;
    this.schemaId = s.id;
    this.#schema = s.schema;
    this.#p = properties;
    this.registeredMs = registeredMs;
  }

  get contract(): EventContract {
    return (this.#contract ??= compileEventContract(this.#schema));
  }
  get type(): string {
    return this.#p.type;
  }
  get stream(): string {
    return this.#p.stream;
  }
  get titleId(): string {
    return this.#p.titleId;
  }
  get titleEn(): string {
    return this.#p.titleEn;
  }
  get owner(): string {
    return this.#p.owner;
  }
  get publishers(): readonly string[] {
    return this.#p.publishers;
  }
  get actor(): ActorInfo | undefined {
    return this.#p.actor;
  }
  get aheadMinutes(): number | undefined {
    return this.#p.aheadMinutes;
  }
  get consumers(): readonly Consumer[] {
    return this.#p.consumers;
  }
  get subject(): readonly string[] {
    return this.#p.subject;
  }
  get subjectForm(): 'clear' | 'pseudonym' {
    return this.#p.subjectForm;
  }
  get ordering(): 'subject' | 'stream' {
    return this.#p.ordering;
  }
  get expected(): EventTypeProperties['expected'] {
    return this.#p.expected;
  }
  get unitFields(): readonly string[] {
    return this.#p.unitFields;
  }
  get restricted(): boolean {
    return this.#p.itjenOnly === true;
  }
  get availableFrom(): string {
    return this.#p.availableFrom;
  }
  get properties(): EventTypeProperties {
    return this.#p;
  }
}

/** The `simpul` property and the full name of a schema, read without compiling it. undefined: the schema is no event type. Total. */
export function readProperties(schema: string): (EventTypeProperties & { readonly fullName: string }) | undefined {
  let json: unknown;
  try {
    json = JSON.parse(schema);
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null) return undefined;
  const { simpul, name, namespace } = json as Record<string, unknown>;
  if (typeof simpul !== 'object' || simpul === null || typeof name !== 'string') return undefined;
  const p = simpul as Partial<EventTypeProperties>;
  if (typeof p.type !== 'string' || typeof p.stream !== 'string') return undefined;
  const fullName = typeof namespace === 'string' && !name.includes('.') ? `${namespace}.${name}` : name;
  return { ...(p as EventTypeProperties), fullName };
}

/** Registry subject of a contract: `<stream>-<full name>` (TopicRecordNameStrategy). */
export function registrySubject(properties: { readonly stream: string; readonly fullName: string }): string {
  return `${properties.stream}-${properties.fullName}`;
}

/** The event type of a registered schema; undefined when the schema is no event type or is registered under the subject of another type. */
export function eventTypeOf(s: RegisteredSchema, registeredMs: number): EventType | undefined {
  const properties = readProperties(s.schema);
  return properties && registrySubject(properties) === s.subject
    ? new RegisteredType(s, properties, registeredMs)
    : undefined;
}
