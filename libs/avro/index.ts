import type { Problem } from '#faults';
import type { Contract, Data, EventContract, Guarded, Parsed, Split } from './types.js';

export * from './types.js';

/** Fault invalid_schema with problems. */
export declare function compileContract(schemaText: string): Contract;
/** As compileContract; Fault invalid_schema also when the record has no complete `simpul` property. */
export declare function compileEventContract(schemaText: string): EventContract;
/** Counting pre-pass over bare Avro from `offset` to the end of `bytes`: total, < 10 ms. Never throws. */
export declare function guard(contract: Contract, bytes: Uint8Array, offset: number): Guarded;
/** What makes a schema unacceptable; empty = fine. Pointers into the schema. */
export declare function checkSchema(schemaText: string): Problem[];
/** Avro parsing canonical form. Fault invalid_schema. */
export declare function canonicalForm(schemaText: string): string;
/** SHA-256 (hex) of everything a schema says, whatever its white space, member order and name style: equal = same schema. Fault invalid_schema. */
export declare function fingerprint(schemaText: string): string;
export type Compatibility = 'BACKWARD' | 'FORWARD' | 'FULL';
/** BACKWARD: the new schema reads old data; FORWARD: the old reads new; FULL: both. Empty = compatible. Pointers into the schema that reads. */
export declare function compatibility(newSchema: string, oldSchema: string, level: Compatibility): Problem[];
/** A number in JSON whose text a double cannot hold exactly. */
export declare class JsonNumber {
  readonly text: string;
  constructor(text: string);
  toJSON(): string;
}
/** Strict JSON for untrusted bytes. Numbers that a double cannot hold stand as JsonNumber. Never throws. */
export declare function parseJson(bytes: Uint8Array): Parsed;
/** Byte ranges of the items of one JSON array, so that each can be parsed (and fail) by itself. `body_too_large` over maxItems. */
export declare function splitJsonArray(bytes: Uint8Array, maxItems: number): Split;
/** Byte ranges of the lines that are not blank. */
export declare function splitNdjson(bytes: Uint8Array, maxItems: number): Split;
/** Valid invented data of a contract: the same seed gives the same data. NIK begin with 99, dates lie in July 2021. */
export declare function sample(contract: Contract, seed: number): Data;
