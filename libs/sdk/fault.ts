/** One error in a request, from the problem document of the hub. */
export interface ProblemItem {
  readonly pointer?: string;
  readonly reason?: string;
  readonly expected?: string;
  readonly index?: number;
  readonly code?: string;
}

/** The problem document (RFC 9457) of the hub. */
export interface ProblemDocument {
  readonly title?: string;
  readonly status?: number;
  readonly detail?: string;
  readonly instance?: string;
  /** Error code of the hub, stable, in snake_case; docs/errors.md lists all. */
  readonly code: string;
  readonly errors?: readonly ProblemItem[];
  readonly hint?: string;
}

/**
 * A call that failed. `status` is the HTTP status; 0 means no answer (broken or refused connection, own deadline).
 * `retryable`: the same call may succeed later. For a publish it also means that the outcome is uncertain until a later answer.
 */
export class SdkFault extends Error {
  readonly status: number;
  readonly code: string;
  readonly problem: ProblemDocument;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(
    status: number,
    problem: ProblemDocument,
    options: { readonly retryable: boolean; readonly retryAfterMs?: number | undefined; readonly cause?: unknown },
  ) {
    const first = problem.errors?.[0];
    super(
      `${status || '-'} ${problem.code}${first?.pointer === undefined ? '' : ` ${first.pointer}: ${first.reason ?? ''}`}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = 'SdkFault';
    this.status = status;
    this.code = problem.code;
    this.problem = problem;
    this.retryable = options.retryable;
    this.retryAfterMs = options.retryAfterMs;
  }
}

export function isSdkFault(e: unknown): e is SdkFault {
  return typeof e === 'object' && e !== null && (e as { name?: unknown }).name === 'SdkFault';
}

/** true for 408, 425, 429 and every 5xx: the same request may be sent again. */
export function isRetryableStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

/** The fault of an answer with an error status. `body` is its parsed JSON, if it had any. */
export function faultOf(status: number, body: unknown, retryAfterMs?: number): SdkFault {
  const doc = typeof body === 'object' && body !== null ? (body as Partial<ProblemDocument>) : {};
  const code = typeof doc.code === 'string' ? doc.code : `http_${status}`;
  return new SdkFault(status, { ...doc, code }, { retryable: isRetryableStatus(status), retryAfterMs });
}

/** The fault of a call without an answer. */
export function unanswered(cause: unknown, code = 'no_answer'): SdkFault {
  return new SdkFault(0, { code }, { retryable: true, cause });
}
