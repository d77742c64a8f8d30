/**
 * One condition of the CloudEvents Subscriptions API, filter dialects `exact`, `prefix`, `suffix`, `all`, `any`, `not`. Names are attributes and extensions of the
 * event, or `data.<field>` (and `data.<field>.<field>`) for its data as the subscriber sees it: a masked value matches nothing (R12.3).
 */
export type FilterExpression =
  | { readonly exact: Readonly<Record<string, string>> }
  | { readonly prefix: Readonly<Record<string, string>> }
  | { readonly suffix: Readonly<Record<string, string>> }
  | { readonly all: readonly FilterExpression[] }
  | { readonly any: readonly FilterExpression[] }
  | { readonly not: FilterExpression };

/**
 * Units by what they are on the day of the event: "all kanim in Kalimantan Utara" is `{function: 'kanim', province: '65'}`, "my kanwil and below" is
 * `{below: 'SU00012'}`. All given conditions must hold for one unit, which is the source of the event or stands in a unit field that the subscriber sees.
 */
export interface UnitSelector {
  /** Type of unit: `kanim`, `lapas`. */
  readonly function?: string;
  /** Kemendagri code, two digits; a unit that covers several provinces serves each of them. */
  readonly province?: string;
  /**
   * Id of a unit: itself and every unit below it, on either parent line. `self`: of the owner; `self:kanwil`: of the unit of this type that the owner is, or stands
   * below, on the day of the event.
   */
  readonly below?: string;
}

export interface WebhookTarget {
  readonly kind: 'webhook';
  readonly url: string;
  readonly mode: 'structured' | 'binary' | 'batch';
  readonly data: 'json' | 'avro';
  /** `v1`: HMAC-SHA256 with the secret. `v1a`: Ed25519; `publicKeys` of the subscription verify it. @default v1 */
  readonly signature?: 'v1' | 'v1a';
  /** The receiver is asked with OPTIONS before anything is sent to it, and is sent no more a minute than it allows. @default false */
  readonly handshake?: true;
}

export type Target = WebhookTarget | { readonly kind: 'pull' } | { readonly kind: 'sse' };

/** What its owner decides of a subscription. */
export interface SubscriptionSpec {
  /** Lower-case letters, digits, `-`; at most 63. One of its owner. */
  readonly name: string;
  /** Event types; `*` stands for one segment, a last `#` for all further ones. */
  readonly types: readonly string[];
  /** All must hold. */
  readonly filters: readonly FilterExpression[];
  readonly units?: UnitSelector;
  /** `now`, `earliest`, an RFC 3339 time, or a position. */
  readonly start: string;
  /** true: it gets test events (R10.11), and nothing else. */
  readonly test: boolean;
  readonly target: Target;
  /** It is removed when no connection was open to it for five minutes. Only with the target sse. */
  readonly temporary?: true;
}

/** A secret of a webhook, sealed with a key of the deployment. */
export interface SealedSecret {
  readonly sealed: string;
  /** RFC 3339. Absent: it does not end. */
  readonly validUntil?: string;
}

/** A row of `_simpul.subscriptions`. Written only by the courier that owns the partition of the id, under its epoch (R4.5, R9.1). */
export interface Subscription extends SubscriptionSpec {
  /** `sub_` and 20 lower-case letters and digits. */
  readonly id: string;
  /** The unit or party whose rights decide what is delivered: those of a key with the role reader. */
  readonly owner: string;
  /** System of the key that made it. */
  readonly system: string;
  /** `paused` by a person or a limit, `disabled` by the receiver (410). */
  readonly state: 'active' | 'paused' | 'disabled';
  /** Why it is not active. */
  readonly why?: string;
  /** Grows with each change of the spec; If-Match. */
  readonly version: number;
  readonly secrets: readonly SealedSecret[];
  readonly createdAt: string;
  readonly changedAt: string;
}

/** `_simpul.subscriptions` and every table of the couriers: partition p of each belongs to the owner of partition p (R9.1). */
export const COURIER_PARTITIONS = 16;
export const SUBSCRIPTIONS_TOPIC = '_simpul.subscriptions';
