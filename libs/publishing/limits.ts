export interface PublishLimits {
  /** Bytes of one event, as sent and as a record. */
  readonly eventBytes: number;
  /** Events of one request. */
  readonly items: number;
  readonly idLength: number;
  readonly subjectBytes: number;
  readonly extensions: number;
  readonly extensionNameLength: number;
  readonly extensionBytes: number;
  /** How long a request waits for its appends, ms (R3.2). */
  readonly waitMs: number;
  /** How long a lookup in the duplicate index may take before events are appended without a check, ms (R2.4). */
  readonly indexMs: number;
  /** How long the log may take to confirm the places of earlier events before they count as unknown, ms (R2.7). */
  readonly placeMs: number;
  /** How long an answer waits to learn whether an event that is sent again after an unknown outcome is a copy, ms (R2.4). */
  readonly firstMs: number;
  /** Accepted events that are remembered until the index has passed them. */
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
  firstMs: 2_000,
  indexMs: 50,
  placeMs: 1_000,
  recent: 200_000,
};
