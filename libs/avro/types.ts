import type { FaultCode, Problem, Text } from '#faults';

/** Data classes after Law 27/2022 as the catalogue writes them, from the least to the most protected. */
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

/** The meaning of a field beyond its Avro type. */
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

/** The shape of a value. `optional`: a union with null. */
export interface ValueInfo {
  readonly kind: FieldKind;
  readonly optional: boolean;
  readonly role?: FieldRole;
  /** enum: every symbol, including the default symbol */
  readonly symbols?: readonly string[];
  /** enum: the label of each symbol in both languages */
  readonly labels?: Readonly<Record<string, { readonly id: string; readonly en: string }>>;
  /** array, map: the shape of an entry */
  readonly items?: ValueInfo;
  /** union of several types beside null: their shapes */
  readonly branches?: readonly ValueInfo[];
  /** record: its fields */
  readonly fields?: readonly FieldInfo[];
  /** fixed: bytes of a value */
  readonly size?: number;
  /** decimal */
  readonly precision?: number;
  readonly scale?: number;
}

export interface FieldInfo extends ValueInfo {
  readonly name: string;
  /** `none` when the schema gives no class. */
  readonly pii: PiiClass;
  /** Legal ground; every field with a class above `umum` has one. */
  readonly legal?: string;
  /** Least and greatest value that may be published: a number, a decimal as text, or a day `YYYY-MM-DD`; of a list or map: of each entry. Never checked on reading. */
  readonly min?: number | string;
  readonly max?: number | string;
  readonly note?: string;
  readonly doc?: string;
}

/** Who may publish: `any` · `type:<unit type>` · `unit:SU…` · `party:EXT-…` · `field:<name of a unit field>` · `hub:<role>`. */
export type Publisher = string;
/** `full`: the event as it is. `masked`: without personal data. `count`: no event, totals only. */
export const CONSUMER_LEVELS = ['full', 'masked', 'count'] as const;
export type ConsumerLevel = (typeof CONSUMER_LEVELS)[number];
/** Whom an event concerns. `code`: as Publisher, or `above:<unit field>` (both parent lines), or `word:<people who are no unit>`. */
export interface ConsumerInfo {
  readonly code: string;
  /** What its reason needs (R12.3). Absent: `masked` for `above:` and `type:`, else `full`. */
  readonly level?: ConsumerLevel;
  readonly why: string;
}

/**
 * Which office states an event (R10.6): the units and parties that the named fields hold must be the source itself, so that nobody states a fact of another
 * office. `field`: a unit field, or several of which one must be the source; by symbol of the enum field `step` where each side of a transfer states its own
 * step (a symbol without a field is for `exempt` publishers); null: no field names the acting office, and `why` says why.
 */
export interface ActorInfo {
  readonly field: ActorFields | Readonly<Record<string, ActorFields>> | null;
  readonly step?: string;
  /** The field that names the party, when a party states the event. Absent: the same as for a unit. */
  readonly party?: string;
  /** The unit that stands in the field for a party, by party: a field of a unit cannot hold a party. */
  readonly standIns?: Readonly<Record<string, string>>;
  /** A unit below the source, on either parent line, counts as well. */
  readonly below?: true;
  /** Publishers that state this of others, as a pattern of `publishers`. */
  readonly exempt?: readonly Publisher[];
  readonly why: string;
}
export type ActorFields = string | readonly string[];

/** The `simpul` property of an event type's record. */
/** Which units owe an event of a type for each day, see room `watch`. */
export interface ExpectedInfo {
  /** `workday`: Monday to Friday; holidays are not known. */
  readonly every: 'day' | 'workday';
  /** `HH:MM`: until when it is due. */
  readonly until: string;
  /** The zone of day and time. Absent: of the unit. */
  readonly zone?: 'WIB' | 'WITA' | 'WIT';
  /** `type:lapas`, `unit:SU00123` */
  readonly from: readonly string[];
  /** The date field that says for which day an event is. Absent: the day on which it was recorded. */
  readonly day?: string;
}

export interface EventTypeProperties {
  /** Name of the event type, `imigrasi.paspor.diterbitkan`. */
  readonly type: string;
  readonly version: number;
  readonly stream: string;
  readonly titleId: string;
  readonly titleEn: string;
  /** Id of the unit that owns the type. */
  readonly owner: string;
  readonly publishers: readonly Publisher[];
  readonly consumers: readonly ConsumerInfo[];
  /** Absent in contracts that were registered before it existed: their events are judged by `publishers` alone. */
  readonly actor?: ActorInfo;
  /** How far ahead of its recorded time an event may date itself where a view takes the latest by that date, minutes (R5.11). @default 1,440 */
  readonly aheadMinutes?: number;
  /** Names of the fields whose values, joined by `:`, are the subject. */
  readonly subject: readonly string[];
  readonly subjectForm: 'clear' | 'pseudonym';
  readonly ordering: 'subject' | 'stream';
  /** 1 when the whole stream is ordered, else absent. */
  readonly partitions?: number;
  /** Names of fields with unit ids (one, or a list): they grant read rights (R12.1 b). */
  readonly unitFields: readonly string[];
  readonly highestPii: PiiClass;
  readonly main: boolean;
  readonly latencyTarget: string;
  readonly volumePerDay: number;
  readonly retention: string;
  readonly availableFrom: string;
  readonly deadlines: readonly string[];
  /** Absent: nobody must send events of this type by a certain time. */
  readonly expected?: ExpectedInfo;
  /** True: only ES1-ITJEN may read (R12.2). */
  readonly itjenOnly?: boolean;
}

export type Encoded =
  | {
      readonly ok: true;
      /** Confluent V0 frame: a view of memory that is never written again. */ readonly value: Buffer;
    }
  | { readonly ok: false; /** 1 to 50. */ readonly problems: readonly Problem[] };

export interface DecodeOptions {
  /** True: the bytes begin with the 5-byte V0 prefix (its schema id is not checked). False: bare Avro. */
  readonly framed: boolean;
  /** Decode into the shape of this contract (Avro schema resolution). Absent: the shape in which the data was written. */
  readonly reader?: Contract;
}

/** A JSON object of event data. */
export type Data = Record<string, unknown>;

/** The compiled schema of an Avro record. Immutable and safe to share. */
export interface Contract {
  /** Avro full name, `imigrasi.paspor.Diterbitkan`. */
  readonly name: string;
  readonly schemaText: string;
  /** The `simpul` property of the record; undefined for a schema that is no event type. */
  readonly properties: EventTypeProperties | undefined;
  readonly fields: readonly FieldInfo[];
  /** Validates plain JSON data and writes it as a Confluent V0 frame, in one walk. Total. */
  encode(data: unknown, schemaId: number): Encoded;
  /**
   * Decodes to plain JSON data (R13.5). The bytes pass `guard` first, so foreign bytes are safe. Faults `avro_decode_failed`, `avro_limit_exceeded`, `bad_magic`,
   * `incompatible_schema` (the reader cannot read this contract).
   */
  decode(bytes: Uint8Array, options: DecodeOptions): Data;
}

/** The contract of an event type: it has properties. */
export type EventContract = Contract & { readonly properties: EventTypeProperties };

export type Guarded =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly code: 'avro_decode_failed' | 'avro_limit_exceeded';
      /** RFC 6901 pointer to the field where the check stopped, from `/data`. */
      readonly pointer: string;
      readonly reason: Text;
      /** Byte offset where the check stopped. */
      readonly at: number;
    };

export type Parsed =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      readonly code: Extract<
        FaultCode,
        'invalid_json' | 'invalid_utf8' | 'json_too_deep' | 'duplicate_key' | 'forbidden_key' | 'too_many_names'
      >;
      /** English, without data of the event. */
      readonly detail: string;
      /** Of `too_many_names`: which bound, and RFC 6901 pointer to the object whose name passes it. */
      readonly beyond?: { readonly bound: keyof NameBounds; readonly pointer: string };
    };

/** How many member names a JSON text may have: each new one costs the parser far more than a value. */
export interface NameBounds {
  /** Names of one object. */
  readonly object: number;
  /** Names of all objects together. */
  readonly all: number;
}

export type ByteRange = readonly [start: number, end: number];
export type Split =
  | { readonly ok: true; readonly items: readonly ByteRange[] }
  | { readonly ok: false; readonly code: 'invalid_json' | 'body_too_large' | 'json_too_deep'; readonly detail: string };
