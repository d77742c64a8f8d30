/**
 * Thrown by a handler: this event will never be taken. The answer is 422, and the hub parks its subject at once: others go on, and a person decides. `reason` is shown to the
 * operators of the hub, so it names no person.
 */
export class Refuse extends Error {
  constructor(reason: string, options?: { readonly cause?: unknown }) {
    super(reason, options);
    this.name = 'Refuse';
  }
}

/** Thrown by a handler: not now. The answer is 503 (or 429) with `Retry-After`; the hub waits as long, at most an hour. */
export class RetryLater extends Error {
  readonly seconds: number;
  readonly status: 429 | 503;

  constructor(seconds: number, reason = 'not now', status: 429 | 503 = 503) {
    super(reason);
    this.name = 'RetryLater';
    this.seconds = Math.max(1, Math.ceil(Number.isFinite(seconds) ? seconds : 1));
    this.status = status;
  }
}

/** What a request is answered. */
export interface WebhookAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** `{"code", "detail"}`; the hub keeps its beginning with the attempt. */
export function problem(
  status: number,
  code: string,
  detail?: string,
  headers: Readonly<Record<string, string>> = {},
): WebhookAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ code, ...(detail === undefined ? {} : { detail }) }),
  };
}

/** By their names: an app may have two copies of this package. */
export function answerOf(cause: unknown, retryable: boolean): WebhookAnswer {
  if (cause instanceof Error) {
    const { name, code } = cause as { readonly name: string; readonly code?: unknown };
    if (name === 'Refuse') return problem(422, 'refused', cause.message);
    if (name === 'RetryLater') {
      const { status, seconds, message } = cause as RetryLater;
      return problem(status, 'retry_later', message, { 'retry-after': String(seconds) });
    }
    if (name === 'ConsumerFault' && code === 'version_not_readable') return problem(422, code, cause.message);
    if (name === 'NoHandler') return problem(422, 'no_handler', cause.message);
    if (name === 'HandlerSlow') return problem(503, 'handler_slow', cause.message);
  }
  return retryable ? problem(500, 'handler_failed') : problem(422, 'not_retryable');
}
