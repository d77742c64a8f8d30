import { Answered } from './answered.js';
import { Dispatcher } from './dispatcher.js';
import { handshakeAnswer } from './handshake.js';
import { headersOf, headerOf, type GivenHeaders } from './headers.js';
import type { WebhookHandlers, WebhookOptions, WebhookReport } from './options.js';
import { answerOf, problem, type WebhookAnswer } from './outcomes.js';
import { checkHead, MAX_BYTES, readWebhook, refused, type Refused } from './receive.js';
import { reportOf } from './report.js';

/** A request as an HTTP framework has it. */
export interface DoorRequest {
  readonly method: string;
  readonly headers: GivenHeaders;
  /**
   * The bytes of the body, read now: called once, after the head was checked, and only then. `too_large`: there are more than `maxBytes`; `parsed`: something has read and parsed
   * the body, so its bytes are gone.
   */
  readonly body: (maxBytes: number) => Promise<Uint8Array | 'too_large' | 'parsed'>;
}

const PARSED =
  'the body was parsed before the webhook handler saw it, and the signature covers its bytes: mount the handler before express.json() and other body parsers, or give it the bytes by express.raw({ type: () => true })';
const TIMEOUT_MS = 14_000;
const TOLERANCE_S = 300;
const NO_CONTENT: WebhookAnswer = { status: 204, headers: {}, body: '' };

/** What every framework calls: verifies a request, gives its events to the handlers, and says what to answer. */
export class WebhookDoor {
  readonly #options: WebhookOptions;
  readonly #dispatcher: Dispatcher;
  readonly #report: Required<WebhookReport>;
  readonly #answered = new Answered();
  readonly #now: () => number;
  #buffered = 0;

  /** Throws ConsumerFault (`no_handler`, `two_handlers`), and a TypeError for a secret that is none. */
  constructor(handlers: WebhookHandlers, options: WebhookOptions) {
    this.#dispatcher = new Dispatcher(handlers, options);
    this.#options = { ...options, tokens: [...this.#dispatcher.tokens, ...(options.tokens ?? [])] };
    this.#report = reportOf(options.report);
    this.#now = options.now ?? Date.now;
    // A secret that is none shows at the start, not with the first request.
    checkHead(headersOf({ 'webhook-id': '-', 'webhook-timestamp': '0', 'webhook-signature': '-' }), this.#options);
  }

  /** Never rejects. An answer names no secret, no stack and nothing of what a handler threw, except the reason of `Refuse` and `RetryLater`. */
  async answer(request: DoorRequest): Promise<WebhookAnswer> {
    try {
      return await this.#answer(request);
    } catch (cause) {
      this.#report.refused({ reason: 'failed', status: 500, detail: String(cause) });
      return problem(500, 'failed');
    }
  }

  async #answer({ method, headers: given, body: read }: DoorRequest): Promise<WebhookAnswer> {
    const headers = headersOf(given);
    if (method === 'OPTIONS') return handshakeAnswer(headers, this.#options);
    if (method !== 'POST') return problem(405, 'method_not_allowed', undefined, { allow: 'POST' });
    const wrong = checkHead(headers, this.#options);
    if (wrong !== undefined) return this.#refuse(wrong);
    const { maxBytes = MAX_BYTES, maxBufferedBytes = 64 << 20 } = this.#options;
    // Without a length the body may be as long as the longest.
    const length = Math.min(Number(headerOf(headers, 'content-length') ?? maxBytes), maxBytes);
    if (this.#buffered > 0 && this.#buffered + length > maxBufferedBytes)
      return problem(503, 'busy', undefined, { 'retry-after': '1' });
    this.#buffered += length;
    try {
      const body = await read(maxBytes);
      if (body === 'too_large') return this.#refuse(refused('body_too_large', `at most ${maxBytes} bytes`));
      if (body === 'parsed') {
        this.#report.refused({ reason: 'body_parsed', status: 500, detail: PARSED });
        return problem(500, 'body_parsed', PARSED);
      }
      const verified = await readWebhook(headers, body, this.#options);
      if (!verified.ok) return this.#refuse(verified);
      const name = `${verified.id}\n${verified.timestamp}`;
      if (this.#answered.has(name, this.#now())) return NO_CONTENT;
      const failed = await this.#dispatcher.handle(
        verified,
        AbortSignal.timeout(this.#options.timeoutMs ?? TIMEOUT_MS),
      );
      if (failed === undefined) {
        const until = (verified.timestamp + (this.#options.tolerance ?? TOLERANCE_S) + 1) * 1_000;
        this.#answered.add(name, until, this.#now());
        return NO_CONTENT;
      }
      const { event, cause, retryable } = failed;
      const answer = answerOf(cause, retryable);
      const { type, position, id } = event;
      this.#report.failed({ type, position, id, attempt: verified.try, status: answer.status, cause });
      return answer;
    } finally {
      this.#buffered -= length;
    }
  }

  #refuse(refusal: Refused): WebhookAnswer {
    this.#report.refused(refusal);
    return problem(refusal.status, refusal.reason, refusal.detail);
  }
}
