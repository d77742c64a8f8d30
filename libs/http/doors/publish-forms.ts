import {
  parseJson,
  parseJsonInSteps,
  splitJsonArrayInSteps,
  splitNdjsonInSteps,
  type InSteps,
  type NameBounds,
  type Parsed,
  type Split,
} from '#avro';
import { Fault, verbatim, type FaultCode, type Problem, type Text } from '#faults';
import type { LimitName } from '#limits';
import type { Content, Offered, PublishLimits } from '#publishing';
import type { FastifyRequest } from 'fastify';
import { isJsonType, mediaType } from '../read-input.js';
import { texts } from '../texts.js';

/** The forms of events that the publish door accepts, as its 415 lists them. */
export const FORMS = [
  'application/cloudevents+json',
  'application/cloudevents-batch+json',
  'application/x-ndjson',
  'application/json',
  'application/avro with ce-* headers',
  'avro/binary with ce-* headers',
] as const;

export interface Read {
  readonly count: number;
  /** Reads the event of this index. Of a single event, which has no other item beside it, faults as readForms. */
  at(index: number): Offered;
  /** As `at`, in steps where the event is large. */
  stepsAt(index: number): InSteps<Offered>;
  /** Whether the answer is a list too. */
  readonly many: boolean;
}

/** What bounds the events of a request. */
export interface FormLimits extends Pick<PublishLimits, 'items' | 'eventBytes'> {
  readonly names: NameBounds;
  /** Called for each event that has more names. */
  readonly reached: (limit: LimitName) => void;
}

const ROWS: Readonly<Record<keyof NameBounds, LimitName>> = { object: 'event_names_per_object', all: 'event_names' };

/**
 * The events of a request, in any form. A broken item of a list is an item of kind `broken`, so that the other items keep their index. Faults
 * unsupported_media_type, invalid_json, invalid_utf8, json_too_deep, duplicate_key, forbidden_key, too_many_names, body_too_large. Steps: a long list takes some 150 ms to
 * split.
 */
export function* readForms(req: FastifyRequest, limits: FormLimits): InSteps<Read> {
  return readOne(req, limits) ?? (yield* readMany(req, limits));
}

/** The event of a request that is no list; undefined: a list, or no form at all. Faults as readForms. */
export function readOne(req: FastifyRequest, limits: FormLimits): Read | undefined {
  const type = typeOf(req);
  const body = bodyOf(req);
  if (req.headers['ce-specversion'] !== undefined && !type.startsWith('application/cloudevents')) {
    checkSize(body, limits);
    return binary(req, type, body, limits);
  }
  // A list in any JSON type but that of batches is refused with a hint.
  if (!isJsonType(type) || type === 'application/cloudevents-batch+json') return undefined;
  if (body.length === 0) throw new Fault('invalid_json', { detail: 'the body is empty' });
  checkSize(body, limits);
  return {
    count: 1,
    at: () => unbroken(structured(parseJson(body, limits.names), body, limits)),
    *stepsAt() {
      return unbroken(structured(yield* parseJsonInSteps(body, limits.names), body, limits));
    },
    many: false,
  };
}

/** The events of a list. Faults as readForms. */
export function* readMany(req: FastifyRequest, limits: FormLimits): InSteps<Read> {
  const body = bodyOf(req);
  switch (typeOf(req)) {
    case 'application/cloudevents-batch+json':
      return many(body, yield* splitJsonArrayInSteps(body, limits.items), limits);
    case 'application/x-ndjson':
    case 'application/ndjson':
      return many(body, yield* splitNdjsonInSteps(body, limits.items), limits);
    default:
      throw unsupported(texts.not_a_form_of_events());
  }
}

function bodyOf({ body }: FastifyRequest): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

/** The media type of a request, whose charset must be UTF-8. */
function typeOf(req: FastifyRequest): string {
  const header = req.headers['content-type'];
  const charset = header?.includes(';') === true ? /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(header)?.[1] : undefined;
  if (charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset)) throw unsupported(texts.only_utf8());
  return mediaType(header);
}

/** The event of a request that has no other: broken, it is the fault of the request. */
function unbroken(event: Offered): Offered {
  if (event.kind === 'broken') throw new Fault(event.code, { ...event, problems: event.problems ?? [] });
  return event;
}

type Sizes = Pick<PublishLimits, 'eventBytes'>;

const tooLarge = ({ eventBytes }: Sizes): Problem => ({
  pointer: '',
  reason: texts.too_large(),
  expected: texts.at_most({ most: String(eventBytes) }),
});

/** The body of one event, before it is parsed: a list may be larger, one event may not. */
function checkSize(body: Buffer, limits: Sizes): void {
  if (body.length <= limits.eventBytes) return;
  throw new Fault('body_too_large', { limit: limits.eventBytes, problems: [tooLarge(limits)] });
}

function unsupported(reason: Text): Fault {
  return new Fault('unsupported_media_type', {
    problems: [{ pointer: 'content-type', reason, expected: verbatim(FORMS.join(' · ')) }],
  });
}

function many(body: Buffer, split: Split, limits: FormLimits): Read {
  if (!split.ok) throw new Fault(split.code, { detail: split.detail });
  const { items } = split;
  const bytesOf = (i: number): Buffer => body.subarray(...items[i]!);
  // Parsing it would take as long as the whole list may, in one go.
  const isTooLarge = (item: Buffer): boolean => item.length > limits.eventBytes;
  const refused = (): Broken => broken('body_too_large', 'an event of a list', tooLarge(limits));
  return {
    count: items.length,
    at(i) {
      const item = bytesOf(i);
      return isTooLarge(item) ? refused() : structured(parseJson(item, limits.names), item, limits);
    },
    *stepsAt(i) {
      const item = bytesOf(i);
      return isTooLarge(item) ? refused() : structured(yield* parseJsonInSteps(item, limits.names), item, limits);
    },
    many: true,
  };
}

type Broken = Extract<Offered, { kind: 'broken' }>;

function broken(code: FaultCode, detail: string, problem?: Problem): Broken {
  return { kind: 'broken', code, detail, ...(problem === undefined ? {} : { problems: [problem] }) };
}

/** Why a text is not taken as JSON. */
function unread({ code, detail, beyond }: Extract<Parsed, { ok: false }>, { names, reached }: FormLimits): Broken {
  if (beyond === undefined) return broken(code, detail);
  const limit = ROWS[beyond.bound];
  reached(limit);
  const expected = texts.at_most({ most: String(names[beyond.bound]) });
  return { ...broken(code, detail, { pointer: beyond.pointer, reason: texts.too_many_names(), expected }), limit };
}

/** One event in structured form. */
function structured(parsed: Parsed, bytes: Buffer, limits: FormLimits): Offered {
  if (!parsed.ok) return unread(parsed, limits);
  const { value } = parsed;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return broken('invalid_request', 'an event is a JSON object', {
      pointer: '',
      reason: Array.isArray(value) ? texts.a_list() : texts.not_an_object(),
      expected: Array.isArray(value) ? texts.batch_content_type() : texts.json_object(),
    });
  }
  const given = value as Record<string, unknown>;
  const content = contentOf(given);
  return content.kind === 'broken' ? content : { kind: 'event', given, content, form: 'body', bytes: bytes.length };
}

function contentOf(given: Record<string, unknown>): Content | Broken {
  const base64 = given['data_base64'];
  const declared = given['datacontenttype'];
  const type = typeof declared === 'string' ? mediaType(declared) : 'application/json';
  if (base64 === undefined || base64 === null) {
    if (isJsonType(type)) return { kind: 'json', data: given['data'] };
    return broken('invalid_attribute', 'data in JSON has another content type', {
      pointer: '/datacontenttype',
      reason: texts.data_is_json(),
      expected: texts.value_or_left_out({ value: 'application/json' }),
      code: 'invalid_attribute',
    });
  }
  if (given['data'] !== undefined) {
    return broken('invalid_request', 'data and data_base64 together', {
      pointer: '/data_base64',
      reason: texts.data_twice(),
      expected: texts.one_of_them(),
    });
  }
  if (typeof base64 !== 'string' || base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    return broken('invalid_request', 'data_base64 is not base64', {
      pointer: '/data_base64',
      reason: texts.not_base64(),
    });
  }
  if (type !== 'application/avro' && type !== 'avro/binary') {
    return broken('invalid_attribute', 'data_base64 of an unknown kind', {
      pointer: '/datacontenttype',
      reason: texts.not_a_kind_of_avro(),
      expected: verbatim('application/avro · avro/binary'),
      code: 'invalid_attribute',
    });
  }
  return { kind: 'avro', bytes: Buffer.from(base64, 'base64'), framed: type === 'application/avro' };
}

const RESERVED = new Set(['datacontenttype', 'data', 'data_base64']);

/** One event in binary form: attributes in `ce-*` headers, only the data in the body. */
function binary(req: FastifyRequest, type: string, body: Buffer, limits: FormLimits): Read {
  const isAvro = type === 'application/avro' || type === 'avro/binary';
  const read = (parsed: Parsed | undefined): Offered => {
    const given = attributesOf(req.raw.rawHeaders);
    if ('kind' in given) return given;
    if (isAvro)
      return inHeaders(given.attributes, body, { kind: 'avro', bytes: body, framed: type === 'application/avro' });
    if (!isJsonType(type)) throw unsupported(texts.not_a_form_of_data());
    if (parsed?.ok === false) return unread(parsed, limits);
    return inHeaders(given.attributes, body, { kind: 'json', data: parsed?.value });
  };
  const isParsed = !isAvro && body.length > 0 && isJsonType(type);
  return {
    count: 1,
    at: () => read(isParsed ? parseJson(body, limits.names) : undefined),
    *stepsAt() {
      return read(isParsed ? yield* parseJsonInSteps(body, limits.names) : undefined);
    },
    many: false,
  };
}

function inHeaders(given: Record<string, unknown>, { length: bytes }: Buffer, content: Content): Offered {
  return { kind: 'event', given, content, form: 'headers', bytes };
}

function attributesOf(raw: readonly string[]): { readonly attributes: Record<string, unknown> } | Broken {
  const attributes = Object.create(null) as Record<string, unknown>;
  for (let i = 0; i < raw.length; i += 2) {
    const header = raw[i]!.toLowerCase();
    if (!header.startsWith('ce-')) continue;
    const name = header.slice(3);
    const problem = (reason: Text): Problem => ({ pointer: header.slice(0, 60), reason });
    if (name in attributes)
      return broken('invalid_request', 'an attribute is given twice', problem(texts.given_twice()));
    if (RESERVED.has(name))
      return broken('invalid_request', 'not an attribute of the binary form', problem(texts.not_an_attribute()));
    const text = attributeText(raw[i + 1]!);
    if (text === undefined)
      return broken('invalid_utf8', 'a header is not percent-encoded UTF-8', problem(texts.not_percent_encoded()));
    attributes[name] = text;
  }
  return { attributes };
}

/**
 * The text of an attribute in a header (CloudEvents HTTP binding 3.1.3.2): printable ASCII; a quoted string of RFC 7230 3.2.6 is unquoted, as older
 * versions of the binding wrote spaces and quotes; then percent codes are decoded, once. undefined: neither.
 */
function attributeText(header: string): string | undefined {
  if (!/^[\x20-\x7e]*$/.test(header)) return undefined;
  const text = header.startsWith('"') ? unquoted(header) : header;
  if (text === undefined || !text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function unquoted(header: string): string | undefined {
  return /^"(?:[^"\\]|\\.)*"$/.test(header) ? header.slice(1, -1).replace(/\\(.)/g, '$1') : undefined;
}
