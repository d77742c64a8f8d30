import { headerText } from '#event';
import type { PreparedEvent } from './publisher.js';

/** Most characters of the attributes in headers: the hub takes a few more KiB of headers in all. */
const MAX_CHARACTERS = 6_000;

/** The attributes of an event, without its data. */
export function attributesOf(event: PreparedEvent): Record<string, unknown> {
  const { orderingKey: _orderingKey, extensions, data: _data, ...attributes } = event;
  return { specversion: '1.0', ...extensions, ...attributes };
}

/**
 * The headers of an event whose body is its data as bare Avro (CloudEvents HTTP binding, binary mode). undefined: some attribute does not fit into headers,
 * so that the event has to go as JSON, and the hub judges it there.
 */
export function avroHeaders(event: PreparedEvent): Record<string, string> | undefined {
  const headers: Record<string, string> = { 'content-type': 'avro/binary' };
  let length = 0;
  for (const [name, value] of Object.entries(attributesOf(event))) {
    if (value === undefined) continue;
    if (typeof value !== 'string' || !value.isWellFormed() || !/^[a-z0-9]{1,100}$/.test(name)) return undefined;
    if (name === 'datacontenttype') return undefined;
    const text = headerText(value);
    length += name.length + text.length;
    if (length > MAX_CHARACTERS) return undefined;
    headers[`ce-${name}`] = text;
  }
  return headers;
}

/** A refusal names attributes as in the JSON form, whatever form was sent: `/time` for `ce-time`. */
export function inJsonForm(body: unknown): unknown {
  const { errors } = (body ?? {}) as { errors?: unknown };
  if (!Array.isArray(errors)) return body;
  const named = errors.map((e: { readonly pointer?: unknown } | null) =>
    typeof e?.pointer === 'string' && e.pointer.startsWith('ce-') ? { ...e, pointer: `/${e.pointer.slice(3)}` } : e,
  );
  return { ...(body as object), errors: named };
}
