import type { EventType } from '#registry';
import type { NewRecord } from '#log';
import type { Fault, FaultCode, Problem } from '#faults';

/** What carries the data of an event. */
export type Content =
  | { readonly kind: 'json'; readonly data: unknown }
  /** `framed`: a Confluent V0 frame; else bare Avro of the version that dataschema names. */
  | { readonly kind: 'avro'; readonly bytes: Buffer; readonly framed: boolean };

/** One event as a door read it. */
export type Offered =
  | {
      readonly kind: 'event';
      /** Attributes and extensions by name, unchecked. */
      readonly given: Record<string, unknown>;
      readonly content: Content;
      /** Where the attributes stood. */
      readonly form: 'body' | 'headers';
      /** Bytes that this event took in the request. */
      readonly bytes: number;
    }
  /** This item could not be read at all. */
  | {
      readonly kind: 'broken';
      readonly code: FaultCode;
      readonly detail: string;
      readonly problems?: readonly Problem[];
    };

/** A checked event, ready for the log. */
export interface ReadyItem {
  /** identityOf(source, id). */
  readonly identity: string;
  readonly id: string;
  readonly source: string;
  readonly type: EventType;
  readonly stream: string;
  readonly partition: number;
  readonly subject: string;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly digest: string;
  readonly recordedtime: string;
  /** Why it may not become a fact as things stand now. Of no account for an event that is one already: a repeat gets its receipt (R3.3). */
  readonly unfit: Fault | undefined;
  readonly record: NewRecord;
}

/** What is kept of an event after it was handed to the log: not its bytes. */
export type RememberedItem = Pick<ReadyItem, 'identity' | 'type' | 'stream' | 'partition' | 'digest' | 'recordedtime'>;

export type Checked =
  | { readonly ok: true; readonly item: ReadyItem }
  | { readonly ok: false; readonly fault: Fault; readonly type: string };

/** What a publisher gets. `digest` is `sha-256:<hex>`. */
export interface Receipt {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly stream: string;
  readonly partition: number;
  readonly offset: number;
  readonly position: string;
  readonly digest: string;
  readonly recordedtime: string;
  readonly duplicate: boolean;
}

/**
 * What became of one event of a request. accepted: this request wrote it · duplicate: it is in the log since an earlier append, whose receipt this is ·
 * refused: this request wrote nothing for it · uncertain: it may or may not be written. `fault` says whether sending it again can help.
 */
export type ItemResult =
  | { readonly kind: 'accepted' | 'duplicate'; readonly receipt: Receipt }
  | { readonly kind: 'refused' | 'uncertain'; readonly fault: Fault };
