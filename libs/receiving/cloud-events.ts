import { headerOf, mediaTypeOf, type HeaderValues } from './headers.js';

/** An event as it came: its attributes, and its data as JSON or as bytes. */
export interface ForeignEvent {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly data?: unknown;
  /** Data that is not JSON: of the hub the V0 Avro frame. */
  readonly bytes?: Uint8Array;
}

export type Form = 'structured' | 'binary' | 'batch';

export type ReadForm =
  | { readonly ok: true; readonly events: readonly ForeignEvent[] }
  | { readonly ok: false; readonly reason: 'not_an_event' | 'not_json' | 'too_many_events'; readonly detail?: string };

/** How the events of a request are written (CloudEvents HTTP binding). undefined: it has none of the three forms. */
export function formOf(headers: HeaderValues): Form | undefined {
  const type = mediaTypeOf(headers);
  if (type === 'application/cloudevents+json') return 'structured';
  if (type === 'application/cloudevents-batch+json') return 'batch';
  return headers['ce-specversion'] === undefined ? undefined : 'binary';
}

export function readForm(form: Form, headers: HeaderValues, body: Uint8Array, maxEvents: number): ReadForm {
  if (form === 'binary') return readBinary(headers, body);
  const parsed = jsonOf(body);
  if (parsed === undefined) return { ok: false, reason: 'not_json' };
  if (form === 'structured') return listOf([parsed.value]);
  if (!Array.isArray(parsed.value)) return { ok: false, reason: 'not_an_event', detail: 'a batch is a list' };
  if (parsed.value.length > maxEvents)
    return { ok: false, reason: 'too_many_events', detail: `at most ${maxEvents} events` };
  return listOf(parsed.value);
}

const TEXTS = ['id', 'source', 'type', 'position', 'recordedtime', 'dataschema'];
const OPTIONAL_TEXTS = ['subject', 'time', 'digest', 'datacontenttype', 'traceparent', 'tracestate'];
/** An attribute of CloudEvents. */
const NAME = /^[a-z0-9]{1,100}$/;

function listOf(values: readonly unknown[]): ReadForm {
  const events: ForeignEvent[] = [];
  for (const [at, value] of values.entries()) {
    const refuse = (detail: string): ReadForm => ({
      ok: false,
      reason: 'not_an_event',
      detail: values.length === 1 ? detail : `event ${at}: ${detail}`,
    });
    if (!isObject(value)) return refuse('an event is an object');
    const { data, data_base64: base64, ...attributes } = value;
    const wrong = wrongAttribute(attributes);
    if (wrong !== undefined) return refuse(wrong);
    if (base64 === undefined) events.push({ attributes, data });
    else {
      if (typeof base64 !== 'string' || data !== undefined) return refuse('either data or data_base64, as a text');
      events.push({ attributes, bytes: Buffer.from(base64, 'base64') });
    }
  }
  return { ok: true, events };
}

function readBinary(headers: HeaderValues, body: Uint8Array): ReadForm {
  const refuse = (detail: string): ReadForm => ({ ok: false, reason: 'not_an_event', detail });
  const attributes: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const name in headers) {
    if (!name.startsWith('ce-')) continue;
    const value = headers[name];
    if (typeof value !== 'string') return refuse(`the header ${name} came twice`);
    const text = decoded(value);
    if (text === undefined) return refuse(`the header ${name} is not percent-encoded UTF-8`);
    attributes[name.slice(3)] = text;
  }
  const contentType = headerOf(headers, 'content-type');
  if (contentType !== undefined) attributes['datacontenttype'] = contentType;
  const wrong = wrongAttribute(attributes);
  if (wrong !== undefined) return refuse(wrong);
  if (!/^application\/(?:[^/]+\+)?json$/.test(mediaTypeOf(headers)))
    return { ok: true, events: [{ attributes: { ...attributes }, bytes: body }] };
  const parsed = jsonOf(body);
  if (parsed === undefined) return { ok: false, reason: 'not_json' };
  return { ok: true, events: [{ attributes: { ...attributes }, data: parsed.value }] };
}

function wrongAttribute(attributes: Readonly<Record<string, unknown>>): string | undefined {
  if (attributes['specversion'] !== '1.0') return 'specversion is not 1.0';
  for (const name of Object.keys(attributes)) if (!NAME.test(name)) return 'an attribute has a name of [a-z0-9]';
  for (const name of TEXTS)
    if (typeof attributes[name] !== 'string' || attributes[name] === '') return `${name} is missing`;
  for (const name of OPTIONAL_TEXTS)
    if (attributes[name] !== undefined && typeof attributes[name] !== 'string') return `${name} is not a text`;
  return undefined;
}

function decoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}

function jsonOf(body: Uint8Array): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)) as unknown };
  } catch {
    return undefined;
  }
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
