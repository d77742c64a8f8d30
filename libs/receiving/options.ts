import type { Handling, HandlerContext, Inbox } from '#consuming';
import type { ReadEvent } from '#sdk';
import type { ReceiveOptions, Refused } from './receive.js';

/** What a handler gets beside the event. `feed` is the subscription, `attempt` the try of the hub; `signal` aborts when the time of the answer is over. */
export interface WebhookHandlerContext extends HandlerContext {
  readonly webhookId: string;
  readonly subscription: string;
  readonly position: string;
}

/** Handlers of `onEvent` and `onBatch`, one for a type, or one function for events of every type. */
export type WebhookHandlers = readonly Handling[] | ((event: ReadEvent, context: WebhookHandlerContext) => unknown);

/** What a receiver tells. @default lines on stderr, the same at most once a minute */
export interface WebhookReport {
  /** A request was not taken: it is not of the hub, or cannot be read. */
  readonly refused?: (refusal: Pick<Refused, 'detail'> & { readonly reason: string; readonly status: number }) => void;
  /** A handler did not take an event; `status` is what the hub was answered. */
  readonly failed?: (failure: {
    readonly type: string;
    readonly position: string;
    readonly id: string;
    readonly attempt: number;
    readonly status: number;
    readonly cause: unknown;
  }) => void;
}

export interface WebhookOptions extends ReceiveOptions {
  /** DNS names of hubs whose question (`OPTIONS`, CloudEvents handshake) is answered with yes; `*`: of all. Without it the question is answered with 405. */
  readonly origins?: readonly string[] | undefined;
  /** Requests a minute that the hub shall not exceed, said in the handshake. */
  readonly requestsPerMinute?: number | undefined;
  /**
   * Remembers the events that were handled, in the database of the unit (`sqliteInbox(db)`, `pgInbox(pool)`): a repeat is answered with 204 and does not reach the handler.
   * `context.idempotent()` needs it too.
   */
  readonly inbox?: Inbox | undefined;
  /** Name of the receiver in the inbox. @default default */
  readonly group?: string | undefined;
  /** How long the inbox knows an event after it was recorded, ms; at least 9 days. @default 30 days */
  readonly inboxKeepMs?: number | undefined;
  /** What becomes of an event whose type has no handler: 422, which parks its subject, or 204, and it is gone. @default refuse */
  readonly others?: 'refuse' | 'ignore' | undefined;
  /** Time for the handlers of a request, ms; then the answer is 503. The hub waits for 15 s. @default 14,000 */
  readonly timeoutMs?: number | undefined;
  /** Bytes of all bodies that are being received; beyond it the answer is 503. @default 64 MiB */
  readonly maxBufferedBytes?: number | undefined;
  readonly report?: WebhookReport | undefined;
}
