export type { Catalogue, Consumer, ConsumerLevel, EventType, StreamInfo } from './catalogue.js';
export { CatalogueIndex } from './catalogue-index.js';
export { readProperties, registrySubject } from './event-types.js';
export { openMeta, PSEUDONYM_KEY, refuseDamaged, type MetaRow, type MetaTable } from './meta.js';
export {
  decodeEvent,
  envelopeOf,
  openRecord,
  type DecodedEvent,
  type EventRecord,
  type OpenedRecord,
} from './record.js';
export { openRegistry, type Registered, type Registry, type RegistryDeps } from './open.js';
export { parseSchemaRow, schemaValue, SCHEMAS_TOPIC, type RegisteredSchema } from './records.js';
export { SchemaSet } from './schema-set.js';
