import type { Fault, FaultCode, Problem } from '#faults';
import type { LimitName } from '#limits';
import type { NewRecord } from '#log';
import type { EventType } from '#registry';
import type { First } from '#state';
import type { RecentAppend } from './recent.js';

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
      /** Of `too_many_names`: the row of the table of limits. */
      readonly limit?: LimitName;
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
  /** A test event: it has no duplicates, and goes to TEST_EVENTS in place of the stream of its type (R10.11). */
  readonly test: boolean;
  /** Why a new event with this data is refused at this time. A duplicate gets its receipt all the same (R3.3). */
  readonly unfit: Fault | undefined;
  readonly record: NewRecord;
}

/** What is kept of an event after it was handed to the log, without its bytes. */
export type RememberedItem = Pick<ReadyItem, 'identity' | 'type' | 'stream' | 'partition' | 'digest' | 'recordedtime'>;

export type Checked =
  | { readonly ok: true; readonly item: ReadyItem }
  | { readonly ok: false; readonly fault: Fault; readonly type: string; readonly test?: boolean };

/** What a publisher gets. `digest` is `sha-256:<hex>`; absent for whoever sees the event masked (R12.3). */
export interface Receipt {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly stream: string;
  readonly partition: number;
  readonly offset: number;
  readonly position: string;
  readonly digest?: string;
  readonly recordedtime: string;
  readonly duplicate: boolean;
  /** Of a test event (R10.11). */
  readonly test?: true;
}

/**
 * What a publisher may conclude about one event (R3):
 * `accepted`: this request wrote it, durably. `duplicate`: it is in the log since an earlier append, whose receipt this is.
 * `refused`: this request wrote nothing for it; `fault` says whether sending it again can help (isRetryable).
 * `uncertain`: it may or may not be written; sending it again is safe.
 */
export type ItemOutcome =
  | { readonly kind: 'accepted' | 'duplicate'; readonly receipt: Receipt }
  | { readonly kind: 'refused' | 'uncertain'; readonly fault: Fault };

/** One event on its way through a request. */
export class ItemState {
  /** undefined: the check refused it. */
  readonly item: ReadyItem | undefined;
  /** Its event type, for the count of refusals; empty when no known type was named. */
  readonly type: string;
  /** A test event: nothing of it is counted. */
  readonly isTest: boolean;
  /** undefined: not known yet. */
  outcome: ItemOutcome | undefined;
  /** What the duplicate index has under its (source, id). */
  indexed: First | undefined = undefined;
  /** It is larger than its topic takes. */
  tooLarge: Fault | undefined = undefined;
  /** The append that its outcome comes from: its own, or that of an earlier request with the same event (`joined`). */
  append: RecentAppend | undefined = undefined;
  joined = false;
  /** The same event earlier in this request. */
  repeated: ItemState | undefined = undefined;

  constructor(checked: Checked) {
    this.item = checked.ok ? checked.item : undefined;
    this.type = checked.ok ? checked.item.type.type : checked.type;
    this.isTest = (checked.ok ? checked.item.test : checked.test) === true;
    this.outcome = checked.ok ? undefined : { kind: 'refused', fault: checked.fault };
  }

  /** Why it is refused if it is new. */
  get unfit(): Fault | undefined {
    return this.item?.unfit ?? this.tooLarge;
  }

  get isRefused(): boolean {
    return this.outcome !== undefined && 'fault' in this.outcome;
  }
}
