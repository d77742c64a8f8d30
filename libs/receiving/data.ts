import { resolverOf, type ReceivedEvent } from '#consuming';
import { FRAME_BYTES, parseDataschema, schemaIdOf } from '#event';
import { decodeAs, isSdkFault, type EventToken, type ReadEvent } from '#sdk';
import { isObject, type ForeignEvent } from './cloud-events.js';

/** The Avro schema of a version of a type, as it is registered at the hub. undefined: not known. */
export type SchemaOf = (type: string, version: number) => string | undefined | Promise<string | undefined>;

export interface DataOptions {
  /** Tokens of the types that are received. Of a type with several, the newest version is the form of the data; the others read Avro of their version. */
  readonly tokens?: readonly EventToken[] | undefined;
  /** Asked for the schema of an Avro event in a version that no token has; keep what it gives. */
  readonly schemaOf?: SchemaOf | undefined;
}

export type ReadData =
  | { readonly ok: true; readonly received: ReceivedEvent }
  | { readonly ok: false; readonly reason: 'data_unreadable' | 'schema_unknown'; readonly detail: string };

/** The newest token of each type. */
export function newestTokens(tokens: readonly EventToken[]): Map<string, EventToken> {
  const newest = new Map<string, EventToken>();
  for (const token of tokens) {
    const former = newest.get(token.type);
    if (former === undefined || former.version < token.version) newest.set(token.type, token);
  }
  return newest;
}

/** An event with data as plain JSON of the version that it was written in, and, of Avro, with the bytes and their schema. */
export async function readData({ attributes, data, bytes }: ForeignEvent, options: DataOptions): Promise<ReadData> {
  const unreadable = (detail: string): ReadData => ({ ok: false, reason: 'data_unreadable', detail });
  if (bytes === undefined) {
    if (!isObject(data)) return unreadable('data is no object');
    return { ok: true, received: { event: { ...attributes, data } as unknown as ReadEvent } };
  }
  const { dataschema, type } = attributes as { readonly dataschema: string; readonly type: string };
  const named = parseDataschema(dataschema);
  if (named?.type !== type) return unreadable('dataschema names no version of the type');
  if (schemaIdOf(bytes) === undefined) return unreadable('data is no Avro frame');
  const { version } = named;
  const schema =
    options.tokens?.find((token) => token.type === type && token.version === version)?.schema ??
    (await options.schemaOf?.(type, version));
  if (schema === undefined)
    return {
      ok: false,
      reason: 'schema_unknown',
      detail: `no token and no schemaOf() for version ${version} of this type: subscribe with data json, or give its token`,
    };
  const avro = bytes.subarray(FRAME_BYTES);
  const writer: EventToken = { type, stream: '', version, schema };
  try {
    const plain = decodeAs(writer, schema, avro, ENGLISH) as ReadEvent['data'];
    const event = { ...attributes, data: plain } as unknown as ReadEvent;
    return { ok: true, received: { event, writer: { version, schema, bytes: avro } } };
  } catch (cause) {
    if (isSdkFault(cause)) return unreadable(cause.message);
    throw cause;
  }
}

const ENGLISH = { language: 'en' } as const;

/** The event with data in the form of the newest token of its type, or as it came when there is none. Throws what `resolverOf` throws. */
export function inForm(newest: ReadonlyMap<string, EventToken>, received: ReceivedEvent): ReadEvent {
  const token = newest.get(received.event.type);
  return token === undefined ? received.event : resolverOf(token)(received);
}
