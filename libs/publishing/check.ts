import { atOnce, instantMs, refusalCode, type Data, type InSteps } from '#avro';
import {
  dataschemaUrn,
  digestOf,
  FRAME_BYTES,
  parseDataschema,
  parseSource,
  partitionOf,
  schemaIdOf,
  STATED_BY,
  TEST_EVENT,
  toHeaders,
  type Source,
} from '#event';
import { Fault, isFault, verbatim, type FaultCode, type Problem, type Text } from '#faults';
import { TEST_EVENTS } from '#log';
import type { Caller } from '#access';
import type { Catalogue, EventType } from '#registry';
import { UNIT_CHANGED, unitChangeProblems, type Units } from '#units';
import { readAttributes, type Attributes, type PointAt } from './attributes.js';
import { differs, hubExtensions, type OfTheHub } from './hub-attributes.js';
import type { Checked, Content, Offered, ReadyItem } from './item.js';
import type { PublishLimits } from './limits.js';
import { identityOf } from './recent.js';
import { eventSubject, subjectRule } from './subject.js';
import { texts } from './texts.js';
import { unknownUnits, valuesOutside, valuesTooLong } from './values.js';

/** Why a caller may not publish an event; undefined: it may (R12). `mayPublish` of #access. */
export type MayPublish = (
  caller: Caller,
  type: EventType,
  source: string,
  data: Readonly<Record<string, unknown>>,
  units: Units,
) => NotYours | undefined;

/** Why a source may not state an event, because it is a fact of another unit; undefined: it may (R10.6). `mayState` of #access. */
export type MayState = (
  type: EventType,
  source: string,
  data: Readonly<Record<string, unknown>>,
  units: Units,
) => NotYours | undefined;

interface NotYours {
  readonly code: 'source_not_yours' | 'type_not_yours' | 'unit_not_yours';
  readonly problems: readonly Problem[];
}

export interface CheckRules {
  readonly catalogue: Catalogue;
  readonly units: Units;
  readonly mayPublish: MayPublish;
  readonly mayState: MayState;
  /** The dates that may not lie far ahead, by type (R5.11): a view takes the latest event by them. @default none */
  readonly bounds?: ReadonlyMap<string, readonly DateBound[]>;
  /** The fields of each type that entries of views are made of: they are short (R10.10). @default none */
  readonly folded?: ReadonlyMap<string, readonly string[]>;
  /** Deployment key of pseudonym subjects (R11). */
  readonly pseudonymKey: Uint8Array;
  readonly limits: PublishLimits;
}

/** A date or time of the data, and how far it may lie ahead of the recorded time. */
export interface DateBound {
  readonly field: string;
  readonly kind: 'date' | 'timestamp';
  readonly aheadMs: number;
}

export interface CheckContext {
  readonly caller: Caller;
  /** RFC 3339 UTC: the recorded time of every event of this request. */
  readonly recordedtime: string;
  readonly traceparent: string | undefined;
  readonly tracestate?: string | undefined;
}

const IN_BODY: PointAt = (name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
const IN_HEADERS: PointAt = (name) => `ce-${name}`;

/**
 * Checks one offered event: attributes, type and version, source, data, rights, encoding, the acting unit, bounds of values, units, length of what views fold, dates, subject, attributes of the hub, size (and whether a change of
 * units fits). The first failed step answers, with all its problems. A test event passes the same steps (R10.11). Total: an item, or a fault.
 */
export function checkItem(offered: Offered, context: CheckContext, rules: CheckRules): Checked {
  return marked(offered, atOnce(checkEvent(offered, context, rules)));
}

/** As checkItem, in steps: each of them looks at every value of the event, which may have 80,000. */
export function* checkItemInSteps(offered: Offered, context: CheckContext, rules: CheckRules): InSteps<Checked> {
  return marked(offered, yield* checkEvent(offered, context, rules));
}

function marked(offered: Offered, checked: Checked): Checked {
  if (checked.ok || offered.kind === 'broken') return checked;
  const mark = offered.given[TEST_EVENT];
  return mark === true || mark === 'true' ? { ...checked, test: true } : checked;
}

function* checkEvent(offered: Offered, context: CheckContext, rules: CheckRules): InSteps<Checked> {
  if (offered.kind === 'broken') return refuse('', offered.code, offered.problems ?? [], offered.detail);
  const { limits, catalogue } = rules;
  if (offered.bytes > limits.eventBytes)
    return refuse('', 'body_too_large', [{ pointer: '', reason: texts.too_large(), expected: atMost(limits) }]);
  const at = offered.form === 'body' ? IN_BODY : IN_HEADERS;
  const read = readAttributes(offered.given, at, limits);
  if (!read.ok) return refuse(knownType(catalogue, offered.given['type']), read.code, read.problems);
  const a = read.attributes;
  const resolved = resolveType(a, offered.content, at, catalogue);
  if (!resolved.ok) return resolved;
  // Rights are those of the newest contract: naming an older version must not give back what a newer one has taken.
  const { type, newest } = resolved;
  const source = parseSource(a.source);
  if (source === undefined)
    return refuse(a.type, 'source_not_yours', [
      { pointer: at('source'), reason: texts.unknown_source(), expected: verbatim('urn:simpul:unit:<unit>:<system>') },
    ]);
  const decoded = decodeContent(offered.content, type);
  if ('code' in decoded) return refuse(a.type, decoded.code, decoded.problems);
  const data = asObject(decoded.data);
  const notYours = rules.mayPublish(context.caller, newest, a.source, data, rules.units);
  if (notYours !== undefined)
    return refuse(
      a.type,
      notYours.code,
      notYours.problems.map((p) => inFormOf(at, p)),
    );
  yield;
  const encoded = type.contract.encode(decoded.data, type.schemaId);
  if (!encoded.ok) return refuse(a.type, refusalCode(encoded.problems), encoded.problems);
  yield;
  const another = rules.mayState(newest, a.source, data, rules.units);
  if (another !== undefined) return refuse(a.type, another.code, another.problems);
  const outside = valuesOutside(newest, data);
  if (outside.length > 0) return refuse(a.type, 'value_out_of_bounds', outside);
  yield;
  // The hub names units of its own registry and of contracts; a notice of it must not be lost.
  const unknown = source.kind === 'hub' ? NO_PROBLEMS : unknownUnits(newest, data, rules.units);
  if (unknown.length > 0) return refuse(a.type, 'unknown_unit', unknown);
  yield;
  const folded = rules.folded?.get(a.type);
  const tooLong = folded === undefined ? NO_PROBLEMS : valuesTooLong(folded, data);
  if (tooLong.length > 0) return refuse(a.type, 'value_out_of_bounds', tooLong);
  const ahead = rules.bounds?.get(a.type);
  const tooFar = ahead === undefined ? NO_PROBLEMS : datesAhead(ahead, data, context.recordedtime);
  if (tooFar.length > 0) return refuse(a.type, 'too_far_ahead', tooFar);
  // By the newest contract: an older version without the unit in its subject would give the subject of another unit.
  const test = a.extensions[TEST_EVENT] !== undefined;
  const subject = eventSubject(newest, data, rules, test ? source : undefined);
  if (!subject.ok) return refuse(a.type, subject.code, [subject.problem]);
  // A pseudonym that is given is refused whether it is right or not: the answer would tell which clear value belongs to it, and nothing would be written.
  if (a.subject !== undefined && (newest.subjectForm === 'pseudonym' || a.subject !== subject.subject))
    return refuse(a.type, 'subject_mismatch', [
      { pointer: at('subject'), reason: texts.another_subject(), expected: subjectRule(newest) },
    ]);
  const hub = hubExtensions(firstSource(source, a), type, rules.units);
  const differing = differs(a, source, hub, at);
  if (differing.length > 0) return refuse(a.type, 'invalid_attribute', differing);
  const key = Buffer.from(subject.subject);
  if (key.length + encoded.value.length > limits.eventBytes)
    return refuse(a.type, 'body_too_large', [
      { pointer: at('data'), reason: texts.too_large_as_avro(), expected: atMost(limits) },
    ]);
  const stream = catalogue.stream(type.stream);
  if (stream === undefined)
    return refuse(a.type, 'unknown_type', [{ pointer: at('type'), reason: texts.stream_not_open() }]);
  // The hub derives its own rights from changes of units: they must fit the registry before they are facts.
  const unfit = a.type === UNIT_CHANGED ? unitChangeProblems(data, rules.units) : [];
  const item = readyItem({
    attributes: a,
    type,
    subject: subject.subject,
    key,
    value: encoded.value,
    stream: test ? TEST_EVENTS.name : type.stream,
    partition: partitionOf(key, test ? TEST_EVENTS.partitions : stream.partitions),
    test,
    hub,
    unfit: unfit.length > 0 ? new Fault('unit_mismatch', { problems: unfit }) : undefined,
    context,
  });
  return { ok: true, item };
}

/** The source, or the one that stated the event before a steward accepted it (R5.12): a view may have a key made of the code of its unit. */
function firstSource(source: Source, { extensions }: Attributes): Source {
  const first = source.kind === 'hub' ? extensions[STATED_BY] : undefined;
  return (first === undefined ? undefined : parseSource(first)) ?? source;
}

function datesAhead(bounds: readonly DateBound[], data: Data, recordedtime: string): readonly Problem[] {
  const recordedMs = recordedMsOf(recordedtime);
  let problems: Problem[] | undefined;
  for (const { field, kind, aheadMs } of bounds) {
    const most = recordedMs + aheadMs;
    const ms = instantMs(kind, data[field]);
    if (ms === undefined || ms <= most) continue;
    const latest = new Date(most).toISOString();
    const expected = texts.not_after({ latest: kind === 'date' ? latest.slice(0, 10) : latest });
    (problems ??= []).push({ pointer: `/data/${field}`, reason: texts.too_far_ahead(), expected });
  }
  return problems ?? NO_PROBLEMS;
}

const NO_PROBLEMS: readonly Problem[] = [];
let lastRecorded = '';
let lastRecordedMs = 0;

/** The events of a request have one recorded time: it is parsed once. */
function recordedMsOf(recordedtime: string): number {
  if (recordedtime !== lastRecorded) {
    lastRecorded = recordedtime;
    lastRecordedMs = Date.parse(recordedtime);
  }
  return lastRecordedMs;
}

type RefusedItem = Extract<Checked, { ok: false }>;

/** The registered version that the event is checked against and encoded with. */
function resolveType(
  a: Attributes,
  content: Content,
  at: PointAt,
  catalogue: Catalogue,
): { readonly ok: true; readonly type: EventType; readonly newest: EventType } | RefusedItem {
  if (content.kind === 'avro' && !content.framed && a.dataschema === undefined)
    return refuse(knownType(catalogue, a.type), 'missing_attribute', [
      { pointer: at('dataschema'), reason: texts.missing(), expected: texts.version_of_bare_avro() },
    ]);
  const newest = catalogue.newest(a.type);
  if (newest === undefined)
    return refuse('', 'unknown_type', [{ pointer: at('type'), reason: texts.not_in_catalogue() }]);
  const type = versionOf(catalogue, newest, a.dataschema, content);
  if (type === undefined)
    return refuse(a.type, 'unknown_schema', [
      {
        pointer: at('dataschema'),
        reason: texts.unknown_version(),
        expected: verbatim(dataschemaUrn(a.type, newest.version)),
      },
    ]);
  return { ok: true, type, newest };
}

interface Parts {
  readonly attributes: Attributes;
  readonly type: EventType;
  readonly subject: string;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly stream: string;
  readonly partition: number;
  readonly test: boolean;
  readonly hub: OfTheHub;
  readonly unfit: Fault | undefined;
  readonly context: CheckContext;
}

/** The item with its record: digest and headers. */
function readyItem(parts: Parts): ReadyItem {
  const { attributes: a, type, subject, key, value, stream, partition, test, hub, unfit, context } = parts;
  const digest = digestOf(key, value);
  // An event of a list may carry a trace of its own; the trace of the request is for events without one.
  const own = a.extensions['traceparent'];
  const state = own === undefined && context.tracestate !== undefined ? { tracestate: context.tracestate } : undefined;
  const { id, source } = a;
  const { recordedtime } = context;
  const headers = toHeaders(
    {
      id,
      source,
      type: a.type,
      subject,
      time: a.time ?? recordedtime,
      dataschema: dataschemaUrn(type.type, type.version),
      extensions: { ...state, ...a.extensions, ...hub.extensions },
    },
    { digest, recordedtime, unit: hub.unit, traceparent: own ?? context.traceparent },
  );
  return {
    identity: identityOf(source, id),
    id,
    source,
    type,
    stream,
    partition,
    test,
    subject,
    key,
    value,
    digest: digest.toString('hex'),
    recordedtime,
    unfit,
    record: { key, value, headers },
  };
}

const atMost = ({ eventBytes }: PublishLimits): Text => texts.at_most_bytes({ most: eventBytes });

function refuse(type: string, code: FaultCode, problems: readonly Problem[], detail?: string): RefusedItem {
  return { ok: false, type, fault: new Fault(code, { problems, ...(detail === undefined ? {} : { detail }) }) };
}

/** The type for the count of refusals: only names of the catalogue, never text that a publisher made up. */
function knownType(catalogue: Catalogue, type: unknown): string {
  return typeof type === 'string' && type.length <= 200 && catalogue.newest(type) !== undefined ? type : '';
}

/** The version to validate against: a frame names it, else dataschema, else the newest. undefined: no version of this type. */
function versionOf(
  catalogue: Catalogue,
  newest: EventType,
  dataschema: string | undefined,
  content: Content,
): EventType | undefined {
  let asked: EventType | undefined;
  if (dataschema !== undefined) {
    const urn = parseDataschema(dataschema);
    asked = urn?.type === newest.type ? catalogue.version(urn.type, urn.version) : undefined;
    if (asked === undefined) return undefined;
  }
  if (content.kind === 'avro' && content.framed) {
    const id = schemaIdOf(content.bytes);
    // A broken frame is refused when it is decoded (bad_magic).
    if (id === undefined) return asked ?? newest;
    const framed = catalogue.bySchemaId(id);
    if (framed?.type !== newest.type) return undefined;
    return asked === undefined || asked.schemaId === framed.schemaId ? framed : undefined;
  }
  if (content.kind === 'avro' && asked === undefined) return undefined;
  return asked ?? newest;
}

type Decoded = { readonly data: unknown } | { readonly code: FaultCode; readonly problems: readonly Problem[] };

/** The data as plain JSON. Foreign Avro is decoded under the guard and then checked like JSON. */
function decodeContent(content: Content, type: EventType): Decoded {
  if (content.kind === 'json') {
    if (content.data === undefined) {
      return {
        code: 'schema_mismatch',
        problems: [{ pointer: '/data', reason: texts.missing(), expected: texts.json_object() }],
      };
    }
    return { data: content.data };
  }
  const { bytes, framed } = content;
  if (framed && (bytes.length < FRAME_BYTES || bytes[0] !== 0)) {
    return {
      code: 'bad_magic',
      problems: [{ pointer: '/data', reason: texts.no_confluent_frame(), expected: texts.confluent_frame() }],
    };
  }
  try {
    return { data: type.contract.decode(bytes, { framed }) };
  } catch (e) {
    if (!isFault(e)) throw e;
    const problems =
      e.problems.length > 0
        ? e.problems
        : [{ pointer: '/data', reason: e.detail === undefined ? texts.unreadable() : verbatim(e.detail) }];
    return { code: e.code, problems };
  }
}

function asObject(data: unknown): Data {
  return typeof data === 'object' && data !== null && !Array.isArray(data) ? (data as Data) : {};
}

/** Points at an attribute in the form that the event came in: `/source` or `ce-source`. */
function inFormOf(at: PointAt, p: Problem): Problem {
  return p.pointer === '/source' || p.pointer === '/type' ? { ...p, pointer: at(p.pointer.slice(1)) } : p;
}
