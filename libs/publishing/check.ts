import type { Data } from '#avro';
import {
  dataschemaUrn,
  digestOf,
  FRAME_BYTES,
  parseDataschema,
  parseSource,
  partitionOf,
  schemaIdOf,
  toHeaders,
} from '#event';
import { Fault, isFault, verbatim, type FaultCode, type Problem } from '#faults';
import type { Caller } from '#access';
import type { Catalogue, EventType } from '#registry';
import { UNIT_CHANGED, unitChangeProblems, type Units } from '#units';
import { readAttributes, type PointAt } from './attributes.js';
import { differs, hubExtensions } from './hub-attributes.js';
import type { Checked, Content, Offered } from './item.js';
import type { PublishLimits } from './limits.js';
import { identityOf } from './recent.js';
import { subjectOf, subjectRule } from './subject.js';
import { texts } from './texts.js';

/** Why a caller may not publish an event; undefined = he may (R12). `mayPublish` of #access. */
export type MayPublish = (
  caller: Caller,
  type: EventType,
  source: string,
  data: Readonly<Record<string, unknown>>,
  units: Units,
) => { readonly code: 'source_not_yours' | 'type_not_yours'; readonly problems: readonly Problem[] } | undefined;

export interface CheckRules {
  readonly catalogue: Catalogue;
  readonly units: Units;
  readonly mayPublish: MayPublish;
  /** Deployment key of pseudonym subjects (R11). */
  readonly pseudonymKey: Uint8Array;
  readonly limits: PublishLimits;
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

/** Attributes → type → rights → data (and its sense, for a change of units) → subject → size. Total: whatever was offered, an item or a fault. */
export function checkItem(offered: Offered, context: CheckContext, rules: CheckRules): Checked {
  if (offered.kind === 'broken') return refuse('', offered.code, offered.problems ?? [], offered.detail);
  const { limits, catalogue } = rules;
  if (offered.bytes > limits.eventBytes) {
    return refuse('', 'body_too_large', [
      { pointer: '', reason: texts.too_large(), expected: texts.at_most_bytes({ most: limits.eventBytes }) },
    ]);
  }
  const at = offered.form === 'body' ? IN_BODY : IN_HEADERS;
  const read = readAttributes(offered.given, at, limits);
  if (!read.ok) return refuse(knownType(catalogue, offered.given['type']), read.code, read.problems);
  const a = read.attributes;
  if (offered.content.kind === 'avro' && !offered.content.framed && a.dataschema === undefined) {
    return refuse(knownType(catalogue, a.type), 'missing_attribute', [
      { pointer: at('dataschema'), reason: texts.missing(), expected: texts.version_of_bare_avro() },
    ]);
  }
  const newest = catalogue.newest(a.type);
  if (newest === undefined)
    return refuse('', 'unknown_type', [{ pointer: at('type'), reason: texts.not_in_catalogue() }]);
  const type = versionOf(catalogue, newest, a.dataschema, offered.content);
  if (type === undefined) {
    return refuse(a.type, 'unknown_schema', [
      {
        pointer: at('dataschema'),
        reason: texts.unknown_version(),
        expected: verbatim(dataschemaUrn(a.type, newest.version)),
      },
    ]);
  }
  const source = parseSource(a.source);
  if (source === undefined) {
    return refuse(a.type, 'source_not_yours', [
      { pointer: at('source'), reason: texts.unknown_source(), expected: verbatim('urn:simpul:unit:<unit>:<system>') },
    ]);
  }
  const taken = dataOf(offered.content, type);
  if ('code' in taken) return refuse(a.type, taken.code, taken.problems);
  const refused = rules.mayPublish(context.caller, type, a.source, asObject(taken.data), rules.units);
  if (refused !== undefined)
    return refuse(
      a.type,
      refused.code,
      refused.problems.map((p) => moved(p, at)),
    );
  const encoded = type.contract.encode(taken.data, type.schemaId);
  if (!encoded.ok) return refuse(a.type, worst(encoded.problems), encoded.problems);
  const { value } = encoded;
  const made = subjectOf(type, asObject(taken.data), rules);
  if (!made.ok) return refuse(a.type, made.code, [made.problem]);
  const { subject } = made;
  if (a.subject !== undefined && a.subject !== subject) {
    return refuse(a.type, 'subject_mismatch', [
      { pointer: at('subject'), reason: texts.another_subject(), expected: subjectRule(type) },
    ]);
  }
  const hub = hubExtensions(source, type, rules.units);
  const differing = differs(a, hub, at);
  if (differing.length > 0) return refuse(a.type, 'invalid_attribute', differing);
  const key = Buffer.from(subject);
  if (key.length + value.length > limits.eventBytes) {
    return refuse(a.type, 'body_too_large', [
      {
        pointer: at('data'),
        reason: texts.too_large_as_avro(),
        expected: texts.at_most_bytes({ most: limits.eventBytes }),
      },
    ]);
  }
  const stream = catalogue.stream(type.stream);
  if (stream === undefined)
    return refuse(a.type, 'unknown_type', [{ pointer: at('type'), reason: texts.stream_not_open() }]);
  const digest = digestOf(key, value);
  // The hub takes its own rights from these: they must make sense before they are facts.
  const unfit = a.type === UNIT_CHANGED ? unitChangeProblems(asObject(taken.data), rules.units) : [];
  // An event of a list may carry a trace of its own; the request's is for those without.
  const own = a.extensions['traceparent'];
  const state = own === undefined && context.tracestate !== undefined ? { tracestate: context.tracestate } : undefined;
  const headers = toHeaders(
    {
      id: a.id,
      source: a.source,
      type: a.type,
      subject,
      time: a.time ?? context.recordedtime,
      dataschema: dataschemaUrn(type.type, type.version),
      extensions: { ...state, ...a.extensions, ...hub.extensions },
    },
    { digest, recordedtime: context.recordedtime, unit: hub.unit, traceparent: own ?? context.traceparent },
  );
  return {
    ok: true,
    item: {
      identity: identityOf(a.source, a.id),
      id: a.id,
      source: a.source,
      type,
      stream: type.stream,
      partition: partitionOf(key, stream.partitions),
      subject,
      key,
      value,
      digest: digest.toString('hex'),
      recordedtime: context.recordedtime,
      unfit: unfit.length > 0 ? new Fault('unit_mismatch', { problems: unfit }) : undefined,
      record: { key, value, headers },
    },
  };
}

function refuse(type: string, code: FaultCode, problems: readonly Problem[], detail?: string): Checked {
  return { ok: false, type, fault: new Fault(code, { problems, ...(detail === undefined ? {} : { detail }) }) };
}

/** Only names of the catalogue are ever counted or shown. */
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
    // A broken frame is told as such when it is decoded.
    if (id === undefined) return asked ?? newest;
    const framed = catalogue.bySchemaId(id);
    if (framed?.type !== newest.type) return undefined;
    return asked === undefined || asked.schemaId === framed.schemaId ? framed : undefined;
  }
  if (content.kind === 'avro' && asked === undefined) return undefined;
  return asked ?? newest;
}

type Taken = { readonly data: unknown } | { readonly code: FaultCode; readonly problems: readonly Problem[] };

/** Plain JSON of the data. Foreign Avro is decoded under the guard and then goes the same way as JSON. */
function dataOf(content: Content, type: EventType): Taken {
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

/** One code for the event: the first that is not plain schema_mismatch, so that a caller sees the special reason. */
function worst(problems: readonly Problem[]): FaultCode {
  return problems.find((p) => p.code !== undefined && p.code !== 'schema_mismatch')?.code ?? 'schema_mismatch';
}

/** Pointers at attributes, in the form that the event came in. */
function moved(p: Problem, at: PointAt): Problem {
  return p.pointer === '/source' || p.pointer === '/type' ? { ...p, pointer: at(p.pointer.slice(1)) } : p;
}
