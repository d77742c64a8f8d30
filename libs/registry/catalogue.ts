import type { Contract } from '#avro';

export interface Consumer {
  /** `unit:SU…`, `party:EXT-…`, `type:tpi`, `field:unitTujuan`, or `word:public` (people, not units). */
  readonly code: string;
  readonly why: string;
}

/** One version of an event type: its contract as registered, with the schema id in the log's frames. */
export interface EventType {
  readonly type: string;
  readonly version: number;
  readonly schemaId: number;
  readonly stream: string;
  readonly contract: Contract;
  readonly titleId: string;
  readonly titleEn: string;
  /** Owner unit, `SU…`. */
  readonly owner: string;
  /** `any`, `type:kanim`, `unit:SU…`, `party:EXT-…`, `field:unitAsal`, `hub:clock`. */
  readonly publishers: readonly string[];
  readonly consumers: readonly Consumer[];
  /** Fields that make the subject, joined by `:`. */
  readonly subject: readonly string[];
  readonly subjectForm: 'clear' | 'pseudonym';
  readonly ordering: 'subject' | 'stream';
  /** Names of fields that hold unit ids (one or an array): the units concerned (R12b). */
  readonly unitFields: readonly string[];
  /** Only units named in consumers may read; (a) and (b) of R12 are off. */
  readonly restricted: boolean;
  readonly availableFrom: string;
  /** When the registry topic took this version. */
  readonly registeredMs: number;
}

export interface StreamInfo {
  readonly name: string;
  /** Fixed at creation. */
  readonly partitions: number;
  /** How long its events are kept; absent = without limit. No view may fold a stream that forgets (R6). */
  readonly retentionMs?: number;
  readonly ordering: 'subject' | 'stream';
  readonly subjectForm: 'clear' | 'pseudonym';
  readonly types: readonly string[];
}

/** What is known of event types and streams now; follows the registry topic. All look-ups are in memory. */
export interface Catalogue {
  newest(type: string): EventType | undefined;
  version(type: string, version: number): EventType | undefined;
  versions(type: string): readonly EventType[];
  bySchemaId(schemaId: number): EventType | undefined;
  /** Newest version of each type, by name. */
  types(): readonly EventType[];
  stream(name: string): StreamInfo | undefined;
  streams(): readonly StreamInfo[];
}
