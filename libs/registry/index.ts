export type { Catalogue, Consumer, EventType, StreamInfo } from './catalogue.js';
export { CatalogueIndex } from './catalogue-index.js';
export { readProperties, subjectOf } from './event-types.js';
export { parseSchemaValue, SCHEMAS_TOPIC, schemaKey, schemaValue, type RegisteredSchema } from './records.js';
export { SchemaSet } from './schema-set.js';
