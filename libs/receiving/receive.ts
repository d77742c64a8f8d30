import { ConsumerFault, type ReceivedEvent } from '#consuming';
import type { ReadEvent } from '#sdk';
import { verifyWebhook, type Verification } from '#standard-webhooks';
import { formOf, readForm, type Form } from './cloud-events.js';
import { inForm, newestTokens, readData, type DataOptions } from './data.js';
import { headerOf, headersOf, type GivenHeaders, type HeaderValues } from './headers.js';

/** A request as it came in. */
export interface WebhookRequest {
  /** In any spelling. */
  readonly headers: GivenHeaders;
  /** The bytes of the body before anything parsed them: the signature covers them, and JSON that is written again has others. */
  readonly body: Uint8Array | string;
}

export interface ReceiveOptions extends DataOptions {
  /** `whsec_…` or `whpk_…` of the subscription; two while a secret is rotated, one for each subscription that sends here. */
  readonly secrets: string | readonly string[];
  /** Seconds that the timestamp may lie in the past or in the future. @default 300 */
  readonly tolerance?: number | undefined;
  /** Longest body, bytes. @default 8 MiB */
  readonly maxBytes?: number | undefined;
  /** Most events of a batch. @default 1,000 */
  readonly maxEvents?: number | undefined;
  /**
   * Forms that are taken. The signature covers the body and not the headers; in the form `binary` the attributes of the event are headers. Where something between the hub and
   * the app could change headers, take `structured` and `batch` only. @default all three
   */
  readonly forms?: readonly Form[] | undefined;
  /** Milliseconds since 1970. @default the clock of this process */
  readonly now?: (() => number) | undefined;
}

export type RefusalReason =
  | Extract<Verification, { ok: false }>['reason']
  | 'body_too_large'
  | 'unknown_form'
  | 'not_json'
  | 'not_an_event'
  | 'too_many_events'
  | 'data_unreadable'
  | 'schema_unknown'
  | 'version_not_readable';

/** An event of a webhook. */
export interface DeliveredEvent {
  readonly event: ReadEvent;
  /** `stream/partition/offset` */
  readonly position: string;
  /** 1 for the first try of the hub. */
  readonly try: number;
  /** The same at every try. */
  readonly webhookId: string;
  /** Id of the subscription: `sub_…`. */
  readonly subscription: string;
}

export interface Refused {
  readonly ok: false;
  readonly reason: RefusalReason;
  /** The HTTP status to answer. */
  readonly status: 400 | 401 | 413 | 415 | 422;
  /** For the log of the app and for the hub: names no secret, and no value of the request. */
  readonly detail?: string;
}

export type Received = { readonly ok: true; readonly events: readonly DeliveredEvent[] } | Refused;

/** A verified request, before its data has the form of a token. */
export interface Verified {
  readonly ok: true;
  readonly id: string;
  readonly timestamp: number;
  readonly subscription: string;
  readonly try: number;
  readonly events: readonly ReceivedEvent[];
}

const STATUS: Readonly<Record<RefusalReason, Refused['status']>> = {
  headers_missing: 401,
  timestamp_invalid: 401,
  timestamp_too_old: 401,
  timestamp_too_new: 401,
  no_signature_fits: 401,
  body_too_large: 413,
  too_many_events: 413,
  unknown_form: 415,
  not_json: 400,
  not_an_event: 400,
  data_unreadable: 422,
  schema_unknown: 422,
  version_not_readable: 422,
};
export const MAX_BYTES = 8 << 20;
const MAX_EVENTS = 1_000;

export function refused(reason: RefusalReason, detail?: string): Refused {
  return { ok: false, reason, status: STATUS[reason], ...(detail === undefined ? {} : { detail }) };
}

/**
 * The events of a webhook of the hub, in their order, or why it is refused. What is wrong with a request never throws; a TypeError is an error of the receiver's own
 * settings (a secret that is none), and what `schemaOf` rejects with is given on. A repeat has the same `webhookId` and `position`: at-least-once.
 */
export async function receiveWebhook(request: WebhookRequest, options: ReceiveOptions): Promise<Received> {
  const verified = await readWebhook(headersOf(request.headers), request.body, options);
  if (!verified.ok) return verified;
  const newest = newestTokens(options.tokens ?? []);
  const { id: webhookId, subscription, try: tried } = verified;
  const events: DeliveredEvent[] = [];
  for (const received of verified.events) {
    try {
      const event = inForm(newest, received);
      events.push({ event, position: event.position, try: tried, webhookId, subscription });
    } catch (cause) {
      if (!(cause instanceof ConsumerFault)) throw cause;
      return refused('version_not_readable', cause.message);
    }
  }
  return { ok: true, events };
}

/** What is known before the body has come: a refusal there costs no memory. */
export function checkHead(headers: HeaderValues, options: ReceiveOptions): Refused | undefined {
  const form = formOf(headers);
  // Without a body no signature fits; every other reason is known by the head alone.
  const verification = verify(headers, '', options);
  if (!verification.ok && verification.reason !== 'no_signature_fits') return refused(verification.reason);
  if (form === undefined || !(options.forms ?? [form]).includes(form))
    return refused('unknown_form', wantedOf(options));
  const length = headerOf(headers, 'content-length');
  return length !== undefined && Number(length) > (options.maxBytes ?? MAX_BYTES)
    ? refused('body_too_large', limitOf(options))
    : undefined;
}

export async function readWebhook(
  headers: HeaderValues,
  body: Uint8Array | string,
  options: ReceiveOptions,
): Promise<Verified | Refused> {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  if (bytes.length > (options.maxBytes ?? MAX_BYTES)) return refused('body_too_large', limitOf(options));
  const verification = verify(headers, bytes, options);
  if (!verification.ok) return refused(verification.reason);
  const form = formOf(headers);
  if (form === undefined || !(options.forms ?? [form]).includes(form))
    return refused('unknown_form', wantedOf(options));
  const read = readForm(form, headers, bytes, options.maxEvents ?? MAX_EVENTS);
  if (!read.ok) return refused(read.reason, read.detail);
  const events: ReceivedEvent[] = [];
  for (const foreign of read.events) {
    const data = await readData(foreign, options);
    if (!data.ok) return refused(data.reason, data.detail);
    events.push(data.received);
  }
  const tried = Number(headerOf(headers, 'simpul-try'));
  return {
    ok: true,
    id: verification.id,
    timestamp: verification.timestamp,
    subscription: headerOf(headers, 'simpul-subscription') ?? '',
    try: Number.isSafeInteger(tried) && tried > 0 ? tried : 1,
    events,
  };
}

const verify = (headers: HeaderValues, body: Uint8Array | string, { secrets, tolerance, now }: ReceiveOptions) =>
  verifyWebhook({ headers, body }, secrets, {
    ...(tolerance === undefined ? {} : { toleranceSeconds: tolerance }),
    ...(now === undefined ? {} : { now: now() }),
  });

const limitOf = ({ maxBytes = MAX_BYTES }: ReceiveOptions): string => `at most ${maxBytes} bytes`;
const wantedOf = ({ forms }: ReceiveOptions): string =>
  `a webhook is a CloudEvent (${(forms ?? ['structured', 'binary', 'batch']).join(', ')})`;
