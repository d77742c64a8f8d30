/** The registry topic, in Confluent's record format. */
export const SCHEMAS_TOPIC = '_schemas';

export interface RegisteredSchema {
  readonly subject: string;
  readonly version: number;
  /** The schema id in the frame of every record: one id per schema, even when several subjects hold it. */
  readonly id: number;
  readonly schema: string;
  readonly deleted: boolean;
}

/** Key of a schema record. The members have Confluent's order, so that compaction sees the same key bytes. */
export function schemaKey(subject: string, version: number): string {
  return JSON.stringify({ keytype: 'SCHEMA', subject, version, magic: 1 });
}

export function schemaValue(s: RegisteredSchema): string {
  return JSON.stringify({ subject: s.subject, version: s.version, id: s.id, schema: s.schema, deleted: s.deleted });
}

/** True for the key of a schema record. Confluent's other records (CONFIG, MODE, NOOP …) are skipped. */
export function isSchemaKey(key: string): boolean {
  return key.includes('"SCHEMA"') && (parse(key) as { keytype?: unknown } | undefined)?.keytype === 'SCHEMA';
}

/** Subject and version in the key of a schema record; undefined for any other key. */
export function schemaPlace(key: string): { readonly subject: string; readonly version: number } | undefined {
  const v = isSchemaKey(key) ? (parse(key) as Partial<Record<'subject' | 'version', unknown>>) : undefined;
  if (typeof v?.subject !== 'string' || typeof v.version !== 'number') return undefined;
  return { subject: v.subject, version: v.version };
}

/** False for the value of a schema record that no schema can be read from, not even one of another kind than Avro. */
export function isWholeSchema(value: string): boolean {
  const v = parse(value) as Partial<Record<keyof RegisteredSchema, unknown>> | undefined;
  return typeof v?.schema === 'string' && typeof v.subject === 'string' && areIds(v.version, v.id);
}

const areIds = (version: unknown, id: unknown): boolean => Number.isSafeInteger(version) && Number.isSafeInteger(id);

/** The text of a row of `_schemas`. Throws for a schema record that no schema can be read from. */
export function parseSchemaRow(value: Buffer, key: string): string {
  const text = value.toString();
  if (isSchemaKey(key) && !isWholeSchema(text)) throw new TypeError('no schema of the registry');
  return text;
}

/** The schema in a record value; undefined when there is none (not Avro, or another shape). Total. */
export function parseSchemaValue(value: string): RegisteredSchema | undefined {
  const v = parse(value) as Partial<Record<keyof RegisteredSchema | 'schemaType', unknown>> | undefined;
  if (!v || typeof v.subject !== 'string' || typeof v.schema !== 'string' || !areIds(v.version, v.id)) return undefined;
  if (v.schemaType !== undefined && v.schemaType !== 'AVRO') return undefined;
  return {
    subject: v.subject,
    version: v.version as number,
    id: v.id as number,
    schema: v.schema,
    deleted: v.deleted === true,
  };
}

function parse(text: string): unknown {
  try {
    const v: unknown = JSON.parse(text);
    return typeof v === 'object' && v !== null ? v : undefined;
  } catch {
    return undefined;
  }
}
