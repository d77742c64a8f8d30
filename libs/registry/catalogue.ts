import type { ActorInfo, ConsumerLevel, Contract, ExpectedInfo } from '#avro';

export type { ConsumerLevel } from '#avro';

export interface Consumer {
  /** `unit:SU…`, `party:EXT-…`, `type:tpi`, `field:unitTujuan`, or `word:public` (people, not units). */
  readonly code: string;
  /** How much of an event its reason needs (R12.3); absent: the default of its code. */
  readonly level?: ConsumerLevel;
  readonly why: string;
}

/** One version of an event type: its contract as registered, and the schema id that its records carry in their frame. */
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
  /** Which office states an event, and the field that names it (R10.6). Absent: registered before contracts said it. */
  readonly actor?: ActorInfo | undefined;
  /** How far ahead of its recorded time an event may date itself, minutes (R5.11). */
  readonly aheadMinutes?: number | undefined;
  /** Which units owe an event of this type for each day. Absent: none. */
  readonly expected?: ExpectedInfo | undefined;
  readonly consumers: readonly Consumer[];
  /** Names of the fields whose values, joined by `:`, are the event subject. */
  readonly subject: readonly string[];
  readonly subjectForm: 'clear' | 'pseudonym';
  readonly ordering: 'subject' | 'stream';
  /** Names of fields that hold unit ids (one or an array): the units that the event concerns (R12.1 b). */
  readonly unitFields: readonly string[];
  /** Only the units in `consumers` may read (R12.2). */
  readonly restricted: boolean;
  readonly availableFrom: string;
  /** Append time of this version in the registry topic, ms since 1970. */
  readonly registeredMs: number;
}

export interface StreamInfo {
  readonly name: string;
  /** Fixed when the stream is created. */
  readonly partitions: number;
  /** Retention of its events in ms; absent = events are kept without limit. No view may fold a stream with a retention (R6.2). */
  readonly retentionMs?: number;
  readonly ordering: 'subject' | 'stream';
  readonly subjectForm: 'clear' | 'pseudonym';
  /** Whether its pseudonyms are its own; absent in streams that are older than the separation: they share the pseudonyms of the deployment (R11.8). */
  readonly ownPseudonyms?: true;
  readonly types: readonly string[];
}

/** The event types and streams that are registered now. Follows the registry topic; all look-ups are in memory. */
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
