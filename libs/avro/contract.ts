import { FRAME_BYTES } from '#event';
import { Fault, type Problem } from '#faults';
import { checkBounds } from './bounds.js';
import { bufferOf } from './cursor.js';
import { writerOf } from './encode.js';
import { runGuard } from './guard.js';
import { fieldsOf } from './info.js';
import { checkProperties, PROPERTY, propertiesOf } from './properties.js';
import { readingOf, type Reading } from './resolve.js';
import type { Write } from './scalar.js';
import { schemaOf, type Node } from './schema.js';
import { texts } from './texts.js';
import type { Contract, Data, DecodeOptions, Encoded, EventContract, FieldInfo, Guarded } from './types.js';
import { Walk } from './walk.js';

/** Shared by all contracts, so that they share one slab of memory: encoding is synchronous, so only one walk runs at a time. */
const sharedWalk = new Walk();

class Compiled implements Contract {
  readonly name: string;
  readonly properties: Contract['properties'];
  readonly fields: readonly FieldInfo[];
  readonly #write: Write;
  readonly #readings = new WeakMap<Contract, Reading>();

  constructor(
    readonly schemaText: string,
    readonly node: Node,
  ) {
    this.name = node.name;
    this.properties = propertiesOf(node);
    this.fields = fieldsOf(node);
    this.#write = writerOf(node);
  }

  encode(data: unknown, schemaId: number): Encoded {
    const walk = sharedWalk;
    walk.begin();
    walk.sink.begin(schemaId);
    this.#write(data, walk);
    if (walk.problems.length === 0) return { ok: true, value: walk.sink.take() };
    walk.sink.drop();
    return { ok: false, problems: walk.problems };
  }

  decode(bytes: Uint8Array, options: DecodeOptions): Data {
    if (options.framed && bytes[0] !== 0) throw new Fault('bad_magic');
    const reading = this.#readingFor(options.reader ?? this);
    const start = options.framed ? FRAME_BYTES : 0;
    const guarded = runGuard(reading.skip, bytes, start);
    if (!guarded.ok) {
      const { code, reason, pointer, at } = guarded;
      throw new Fault(code, { detail: `${reason}, at byte ${at}`, problems: [{ pointer, reason, code }] });
    }
    const { value, offset } = reading.type.decode(bufferOf(bytes), start);
    if (offset !== bytes.length) throw new Error(`${this.name}: avsc read to byte ${offset} of ${bytes.length}`);
    return value as Data;
  }

  guard(bytes: Uint8Array, offset: number): Guarded {
    return runGuard(this.#readingFor(this).skip, bytes, offset);
  }

  /** Built on first use: a gateway mostly encodes and needs no reader. */
  #readingFor(reader: Contract): Reading {
    let reading = this.#readings.get(reader);
    if (!reading) {
      reading = readingOf(this.node, nodeOf(reader));
      if (!reading) throw new Fault('incompatible_schema', { detail: `${reader.name} cannot read ${this.name}` });
      this.#readings.set(reader, reading);
    }
    return reading;
  }
}

function compiled(contract: Contract): Compiled {
  if (contract instanceof Compiled) return contract;
  throw new TypeError('not a contract of compileContract');
}

export function nodeOf(contract: Contract): Node {
  return compiled(contract).node;
}

/** Compiles the schema of a record. Fault `invalid_schema` with its problems. */
export function compileContract(schemaText: string): Contract {
  const { node } = schemaOf(schemaText);
  if (node.base !== 'record') {
    const problem: Problem = { pointer: '', reason: texts.schema_not_a_record(), code: 'invalid_schema' };
    throw new Fault('invalid_schema', { detail: String(problem.reason), problems: [problem] });
  }
  return new Compiled(schemaText, node);
}

/** Like `compileContract`; Fault `invalid_schema` also when the `simpul` property of the record is missing or incomplete. */
export function compileEventContract(schemaText: string): EventContract {
  const contract = compileContract(schemaText);
  const problems = [...checkProperties(nodeOf(contract)), ...checkBounds(nodeOf(contract))];
  if (problems.length > 0 || contract.properties === undefined) {
    throw new Fault('invalid_schema', { detail: `${contract.name}: the simpul property is incomplete`, problems });
  }
  return contract as EventContract;
}

/** Why a schema is not registered as a new version of an event type; empty: it may be, or it has no `simpul` property and is no event type. Fault `invalid_schema`. */
export function checkNewContract(schemaText: string): Problem[] {
  const { node } = schemaOf(schemaText);
  return node.extra[PROPERTY] === undefined ? [] : [...checkProperties(node, 'new'), ...checkBounds(node, 'new')];
}

/**
 * Checks bare Avro bytes from `offset` to the end without decoding them. It counts entries and bytes, so it answers within 10 ms even for hostile bytes (a few
 * bytes that announce 10^9 entries). Total.
 */
export function guard(contract: Contract, bytes: Uint8Array, offset: number): Guarded {
  return compiled(contract).guard(bytes, offset);
}
