import type { FaultCode, Problem, Text } from '#faults';

/** Data classes of Law 27/2022 as the catalogue writes them, mildest first. */
export const PII_CLASSES = ['none', 'umum', 'umum-identitas', 'terbatas', 'spesifik'] as const;
export type PiiClass = (typeof PII_CLASSES)[number];

export type FieldKind =
  | 'string'
  | 'enum'
  | 'date'
  | 'timestamp'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'decimal'
  | 'boolean'
  | 'uuid'
  | 'record'
  | 'array'
  | 'map'
  | 'bytes'
  | 'fixed'
  | 'null'
  | 'union';

/** What a field means beyond its Avro type. */
export type FieldRole =
  | 'unitId'
  | 'nik'
  | 'nipRef'
  | 'phone'
  | 'email'
  | 'partyCode'
  | 'serviceCode'
  | 'person'
  | 'documentRef'
  | 'countryCode'
  | 'regionCode';

/** The shape of a value. `optional` is true for a union of null and one type. */
export interface ValueInfo {
  readonly kind: FieldKind;
  readonly optional: boolean;
  readonly role?: FieldRole;
  /** enum: every symbol, the default one included */
  readonly symbols?: readonly string[];
  /** enum: symbol → its label in both languages */
  readonly labels?: Readonly<Record<string, { readonly id: string; readonly en: string }>>;
  /** array and map: the shape of an entry */
  readonly items?: ValueInfo;
  /** record: its fields */
  readonly fields?: readonly FieldInfo[];
  /** decimal */
  readonly precision?: number;
  readonly scale?: number;
}

export interface FieldInfo extends ValueInfo {
  readonly name: string;
  /** `none` where the schema says nothing. */
  readonly pii: PiiClass;
  /** Legal ground, given where the class is above `umum`. */
  readonly legal?: string;
  readonly note?: string;
  readonly doc?: string;
}

/** Who may publish: `any` · `type:<unit type>` · `unit:SU…` · `party:EXT-…` · `field:<name of a unit field>` · `hub:<role>`. */
export type Publisher = string;
/** Who it concerns. `code`: as Publisher, or `above:<unit field>` (both parent lines), or `word:<role that is no unit>`. */
export interface ConsumerInfo {
  readonly code: string;
  readonly why: string;
}

/** The `simpul` property of an event type's record. */
export interface EventTypeProperties {
  /** Original name, `imigrasi.paspor.diterbitkan`. */
  readonly type: string;
  readonly version: number;
  readonly stream: string;
  readonly titleId: string;
  readonly titleEn: string;
  /** Unit id that owns the type. */
  readonly owner: string;
  readonly publishers: readonly Publisher[];
  readonly consumers: readonly ConsumerInfo[];
  /** Names of the fields whose values, joined by `:`, are the subject. */
  readonly subject: readonly string[];
  readonly subjectForm: 'clear' | 'pseudonym';
  readonly ordering: 'subject' | 'stream';
  /** 1 where the order of the whole stream counts, else absent. */
  readonly partitions?: number;
  /** Fields (also lists) that hold unit ids: they give read rights (R12). */
  readonly unitFields: readonly string[];
  readonly highestPii: PiiClass;
  readonly main: boolean;
  readonly latencyTarget: string;
  readonly volumePerDay: number;
  readonly retention: string;
  readonly availableFrom: string;
  readonly deadlines: readonly string[];
  /** True: only ES1-ITJEN may read; unit fields and parent lines give no right. */
  readonly itjenOnly?: boolean;
}

export type Encoded =
  | { readonly ok: true; /** Confluent V0 frame; a view that stays valid. */ readonly value: Buffer }
  | { readonly ok: false; /** 1 to 50. */ readonly problems: readonly Problem[] };

export interface DecodeOptions {
  /** True: the bytes begin with the 5-byte V0 prefix (its id is not looked at). False: bare Avro. */
  readonly framed: boolean;
  /** Answer in the shape of this contract (Avro schema resolution). Absent: as written. */
  readonly reader?: Contract;
}

/** A JSON object of event data. */
export type Data = Record<string, unknown>;

/** A compiled Avro record. Immutable, safe to share. */
export interface Contract {
  /** Avro full name, `imigrasi.paspor.Diterbitkan`. */
  readonly name: string;
  readonly schemaText: string;
  /** The `simpul` property of the record, undefined for a schema that is no event type of ours. */
  readonly properties: EventTypeProperties | undefined;
  readonly fields: readonly FieldInfo[];
  /** Validates plain JSON data and writes it as a V0 frame, in one walk. Never throws. */
  encode(data: unknown, schemaId: number): Encoded;
  /**
   * Plain JSON data (R13). Strict and bounded as `guard`, so safe on foreign bytes.
   * Fault avro_decode_failed · avro_limit_exceeded · bad_magic · incompatible_schema (reader).
   */
  decode(bytes: Uint8Array, options: DecodeOptions): Data;
  /** What is wrong with the data, at most 50, empty = valid. */
  check(data: unknown): Problem[];
}

/** A contract of an event type: `properties` is there. */
export type EventContract = Contract & { readonly properties: EventTypeProperties };

export type Guarded =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly code: 'avro_decode_failed' | 'avro_limit_exceeded';
      /** Field path where it stopped, RFC 6901 from `/data`. */
      readonly pointer: string;
      readonly reason: Text;
      /** Byte offset. */
      readonly at: number;
    };

export type Parsed =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      readonly code: Extract<
        FaultCode,
        'invalid_json' | 'invalid_utf8' | 'json_too_deep' | 'duplicate_key' | 'forbidden_key'
      >;
      /** Never holds data. */
      readonly detail: string;
    };

export type ByteRange = readonly [start: number, end: number];
export type Split =
  | { readonly ok: true; readonly items: readonly ByteRange[] }
  | { readonly ok: false; readonly code: 'invalid_json' | 'body_too_large' | 'json_too_deep'; readonly detail: string };
