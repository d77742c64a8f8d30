import { compatibility, compileContract, type Contract, type Data, refusalCode, shownAs } from '#avro';
import { dataschemaUrn, FRAME_BYTES, parseDataschema } from '#event';
import { FAULTS, isFault, showProblem, type FaultCode, type FaultRow, type Language, type Problem } from '#faults';
import { SdkFault } from './fault.js';
import { longsOf } from './longs.js';
import type { ToPublish } from './plain-types.js';
import type { ReadEvent } from './reader.js';
import type { EventOf, EventToken } from './token.js';

export interface CodecOptions {
  /** Language of the texts of a refusal. @default id */
  readonly language?: Language;
}

/**
 * Data of a token as bare Avro in the token's version: the bytes that the hub itself would store. Throws `SdkFault` with the answer that the hub would give
 * for the same JSON: status 422, code (`schema_mismatch`, `number_out_of_range`, …), and for each wrong field pointer, reason and what is expected. What the
 * hub judges by its newest contract or its registers is not checked here: bounds (`min`, `max`), units, rights, the subject, sizes.
 */
export function encodeEvent<T extends object>(
  token: EventToken<T>,
  data: ToPublish<T>,
  options: CodecOptions = {},
): Uint8Array {
  const encoded = contractOf(token, options).encode(data, 0);
  if (encoded.ok) return encoded.value.subarray(FRAME_BYTES);
  throw refusal(refusalCode(encoded.problems), encoded.problems, options);
}

/**
 * Bare Avro that was written with `writerSchema` as data in the token's version (Avro schema resolution): a field that the writer lacks has its default, one
 * that the token lacks is dropped, a symbol that the token does not know is its default symbol. Bytes are guarded, so foreign ones are safe. Throws `SdkFault`:
 * `incompatible_schema` (detail names both versions, errors the fields), `avro_decode_failed`, `avro_limit_exceeded`, `invalid_schema`. None is retryable.
 */
export function decodeAs<T extends object>(
  token: EventToken<T>,
  writerSchema: string,
  bytes: Uint8Array,
  options: CodecOptions = {},
): T {
  const reader = contractOf(token, options);
  const writer = writerSchema === token.schema ? reader : compiledOf(writerSchema, options);
  try {
    return inForm(token, reader, writer.decode(bytes, { framed: false, reader })) as T;
  } catch (e) {
    if (!isFault(e)) throw e;
    if (e.code !== 'incompatible_schema') throw refusal(e.code, e.problems, options, e.detail);
    const problems = compatibility(token.schema, writerSchema, 'BACKWARD');
    const written = `${writer.properties?.type ?? writer.name} version ${writer.properties?.version ?? '?'}`;
    throw refusal(
      e.code,
      problems,
      options,
      `${token.type} version ${token.version} cannot read an event of ${written}`,
    );
  }
}

/**
 * Plain JSON data, as the hub shows it, in the form and version of the token. `writerSchema`: the schema of the event's own version, when that is another than
 * the token's; then masked data may be refused, because a masked value need not fit its schema. Throws `SdkFault` like `encodeEvent` and `decodeAs`.
 */
export function dataAs<T extends object>(
  token: EventToken<T>,
  data: Readonly<Record<string, unknown>>,
  writerSchema: string = token.schema,
  options: CodecOptions = {},
): T {
  if (writerSchema === token.schema) return inForm(token, contractOf(token, options), data) as T;
  const writer: EventToken = { type: token.type, stream: token.stream, version: 0, schema: writerSchema };
  return decodeAs(token, writerSchema, encodeEvent(writer, data, options), options);
}

/**
 * Plain JSON data of any version, as the hub shows it and perhaps masked, in the form and version of the token, when nobody has the schema of the writer: unknown
 * fields are dropped, missing ones have their default, unknown symbols the default symbol. Masked values stay as they are. Throws `SdkFault`
 * `incompatible_schema` with the pointer of the first value that does not fit.
 */
export function dataOfAnyVersion<T extends object>(
  token: EventToken<T>,
  data: Readonly<Record<string, unknown>>,
  options: CodecOptions = {},
): T {
  const contract = contractOf(token, options);
  const shown = shownAs(contract, data);
  if (!shown.ok) throw refusal('incompatible_schema', [shown.problem], options);
  return inForm(token, contract, shown.data) as T;
}

/**
 * An event as the hub shows it, with data in the form and version of the token. One of the same version is given as it is. Throws `SdkFault` as `dataOfAnyVersion`
 * does.
 */
export function eventAs<T extends object>(
  token: EventToken<T>,
  event: ReadEvent,
  options: CodecOptions = {},
): EventOf<T> {
  const version = parseDataschema(event.dataschema)?.version;
  const isSame = version === undefined || version === token.version;
  if (isSame && token.longs === undefined) return event as unknown as EventOf<T>;
  const data = isSame ? dataAs(token, event.data, token.schema, options) : dataOfAnyVersion(token, event.data, options);
  return { ...event, data } as unknown as EventOf<T>;
}

/** The attribute `dataschema` of events with the version of a token: `urn:simpul:schema:<type>:<version>`. */
export function dataschemaOf(token: EventToken): string {
  return dataschemaUrn(token.type, token.version);
}

const inForm = (token: EventToken, reader: Contract, data: Data): Data =>
  token.longs === 'bigint' ? longsOf(reader.fields)(data) : data;

/** Compiling takes about a millisecond, so it is done once per token, and once per text of a schema. */
const ofToken = new WeakMap<EventToken, Contract>();
const ofText = new Map<string, Contract>();
const MOST_TEXTS = 500;

function contractOf(token: EventToken, options: CodecOptions): Contract {
  let contract = ofToken.get(token);
  if (contract === undefined) ofToken.set(token, (contract = compiledOf(token.schema, options)));
  return contract;
}

function compiledOf(schema: string, options: CodecOptions): Contract {
  let contract = ofText.get(schema);
  if (contract !== undefined) return contract;
  try {
    contract = compileContract(schema);
  } catch (e) {
    if (isFault(e)) throw refusal(e.code, e.problems, options, e.detail);
    throw e;
  }
  if (ofText.size >= MOST_TEXTS) ofText.delete(ofText.keys().next().value!);
  ofText.set(schema, contract);
  return contract;
}

function refusal(
  code: FaultCode,
  problems: readonly Problem[],
  { language = 'id' }: CodecOptions,
  detail?: string,
): SdkFault {
  const { title, hint, class: kind }: FaultRow = FAULTS[code];
  const errors = problems.map((p) => showProblem(p, language));
  return new SdkFault(
    kind === 'conflict' ? 409 : 422,
    {
      code,
      title: title[language],
      hint: hint[language],
      ...(detail === undefined ? {} : { detail }),
      ...(errors.length === 0 ? {} : { errors }),
    },
    { retryable: false },
  );
}
