export interface PublishLimits {
  /** Bytes of one event, as sent and as a record. */
  readonly eventBytes: number;
  /** Items of one request. */
  readonly items: number;
  readonly idLength: number;
  readonly subjectBytes: number;
  readonly extensions: number;
  readonly extensionNameLength: number;
  readonly extensionBytes: number;
  /** How long a request waits for durability (R3.2). */
  readonly waitMs: number;
  /** How long the index may take to answer before the event is appended unchecked (R2.4). */
  readonly indexMs: number;
  /** Events that may wait for the log in this process; beyond: 503 queue_full. */
  readonly pendingEvents: number;
  /** Appends remembered until the index has them. */
  readonly recent: number;
}

export const PUBLISH_LIMITS: PublishLimits = {
  eventBytes: 1_048_576,
  items: 10_000,
  idLength: 255,
  subjectBytes: 512,
  extensions: 20,
  extensionNameLength: 20,
  extensionBytes: 1_024,
  waitMs: 5_000,
  indexMs: 50,
  pendingEvents: 20_000,
  recent: 200_000,
};
