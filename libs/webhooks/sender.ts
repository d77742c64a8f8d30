import { signatureOf } from '#standard-webhooks';
import { Allowance } from './allowance.js';
import { Deadlines } from './deadlines.js';
import { Ended } from './ended.js';
import { Exchange, type Answer } from './exchange.js';
import { formOf } from './forms.js';
import { HeaderLines } from './header-lines.js';
import { handshakeOf, type Handshake } from './handshake.js';
import { bounded, osLookup, type Lookup } from './lookup.js';
import { outcomeOf } from './outcome.js';
import { bytesOf, requestOf } from './request.js';
import { Pools } from './pools.js';
import type { AttemptOutcome, WebhookEndpoint, WebhookMessage } from './port.js';
import { Signals } from './signals.js';
import { checkUrl, parseUrl, URL_REFUSED, type UrlCheck } from './url.js';

export type { UrlCheck };

export interface WebhookSenderOptions {
  /** Networks that may be reached beside public addresses, in CIDR form, and `UNIT=…` for those of one owner (`SIMPUL_WEBHOOK_ALLOW`). @default none */
  readonly allow?: readonly string[];
  /** The units above one: what is opened for a unit is so for those below it. @default none */
  readonly above?: (unit: string) => ReadonlySet<string>;
  /** For a whole attempt: from the look-up of the name to the end of the answer. @default 15_000 */
  readonly timeoutMs?: number;
  /** Connections to one origin at most; requests beyond wait. @default 64 */
  readonly connections?: number;
  /** Origins with open connections at most, as long as some of them are not in use. @default 256 */
  readonly origins?: number;
  /** PEM of certificate authorities in the place of those of Node.js. */
  readonly ca?: string;
  /** Every address of a name. @default the operating system */
  readonly lookup?: Lookup;
}

interface Asked {
  readonly method: 'POST' | 'OPTIONS';
  readonly url: string;
  readonly owner: string | undefined;
}

const TIMEOUT_MS = 15_000;
const CONNECT_TIMEOUT_MS = 10_000;
const NO_BODY = Buffer.alloc(0);
const NOBODY: ReadonlySet<string> = new Set();

/**
 * Sends webhooks: one HTTP request for each call, on connections that are kept, and never to an address that was not checked (see connect.ts). Proxies of the
 * environment are not used, redirects not followed, bodies not decompressed, and nothing is sent a second time by itself.
 */
export class WebhookSender {
  readonly #allowance: Allowance;
  readonly #lookup: Lookup;
  readonly #timeoutMs: number;
  readonly #pools: Pools;
  readonly #signals = new Signals();
  readonly #exchanges: Deadlines;
  #urls = new Map<string, URL>();
  #closed = false;

  /** Throws a TypeError for an entry of `allow` that is none. */
  constructor(options: WebhookSenderOptions = {}) {
    this.#allowance = new Allowance(options.allow ?? [], options.above ?? (() => NOBODY));
    this.#lookup = bounded(options.lookup ?? osLookup);
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#exchanges = new Deadlines(this.#timeoutMs);
    this.#pools = new Pools({
      lookup: this.#lookup,
      timeoutMs: Math.min(this.#timeoutMs, CONNECT_TIMEOUT_MS),
      ca: options.ca,
      connections: options.connections ?? 64,
      mostOrigins: options.origins ?? 256,
    });
  }

  /** Origins with connections, and requests under way. */
  get use(): { readonly origins: number; readonly inFlight: number } {
    return { origins: this.#pools.size, inFlight: this.#exchanges.size };
  }

  /**
   * One attempt. Never rejects; a throw is a defect of this process. `delivered` only after a 2xx whose body came to its end, or to 64 KiB of it; the connection is dropped there. The signal ends it with
   * `failed`, `cancelled`: whether the receiver had taken it is not known then.
   */
  send(endpoint: WebhookEndpoint, message: WebhookMessage, signal?: AbortSignal): Promise<AttemptOutcome> {
    const begun = performance.now();
    const form = formOf(endpoint, message);
    if (form === undefined) return Promise.resolve({ kind: 'failed', reason: 'invalid_request', ms: 0 });
    const { headers } = form;
    const { url, owner } = endpoint;
    const body = typeof form.body === 'string' ? bytesOf(form.body) : form.body;
    const timestamp = Math.floor(Date.now() / 1_000);
    headers.add('webhook-timestamp', String(timestamp));
    headers.add('webhook-signature', signatureOf(endpoint.keys, message.id, timestamp, body));
    return new Promise((resolve) => {
      const ended = (answer: Answer): void => resolve(outcomeOf(answer, Math.round(performance.now() - begun)));
      this.#exchange({ method: 'POST', url, owner }, headers, body, signal, ended);
    });
  }

  /** Asks a receiver whether it wants webhooks of this sender. `origin`: the DNS name of the sender. Never rejects. */
  handshake(
    { url, owner }: Pick<WebhookEndpoint, 'url' | 'owner'>,
    origin: string,
    signal?: AbortSignal,
  ): Promise<Handshake> {
    const begun = performance.now();
    const headers = new HeaderLines();
    headers.add('webhook-request-origin', origin);
    return new Promise((resolve) => {
      const ended = (answer: Answer): void =>
        resolve(handshakeOf(answer, origin, Math.round(performance.now() - begun)));
      this.#exchange({ method: 'OPTIONS', url, owner }, headers, NO_BODY, signal, ended);
    });
  }

  /** Whether a subscription of this owner may name this URL. The same rules hold at each connection, so a URL that was fine may be `address_refused` later. */
  checkUrl(text: string, owner?: string): Promise<UrlCheck> {
    return checkUrl(text, this.#allowance.of(owner).networks, this.#lookup);
  }

  /** Takes no more requests and resolves when those under way have ended; with `now` they end at once as `failed`, `closed`. */
  async close(now = false): Promise<void> {
    this.#closed = true;
    if (now) this.#exchanges.end(new Ended('CLOSED'));
    await this.#pools.close();
  }

  #exchange(
    { method, url: text, owner }: Asked,
    headers: HeaderLines,
    body: Buffer,
    signal: AbortSignal | undefined,
    ended: (answer: Answer) => void,
  ): void {
    const url = this.#parsed(text);
    const none = (error: Error): void => ended({ kind: 'none', sent: false, error });
    if (this.#closed) return none(new Ended('CLOSED'));
    if (signal?.aborted === true) return none(new Ended('CANCELLED'));
    if (url === undefined) return none(Object.assign(new Error('not a URL of a webhook'), { code: URL_REFUSED }));
    const request = requestOf(method, url, headers, body);
    if (request === undefined) return none(new Ended('INVALID_REQUEST'));
    const origin = this.#pools.take(url, this.#allowance.of(owner));
    const exchange = new Exchange(request, origin, (answer) => {
      this.#pools.release(origin);
      origin.forget(exchange);
      this.#exchanges.delete(exchange);
      if (signal !== undefined) this.#signals.delete(signal, exchange);
      ended(answer);
    });
    this.#exchanges.add(exchange);
    if (signal !== undefined) this.#signals.add(signal, exchange);
    origin.ask(exchange);
  }

  /** Parsing takes longer than everything else before the request. */
  #parsed(text: string): URL | undefined {
    const known = this.#urls.get(text);
    if (known !== undefined) return known;
    const url = parseUrl(text);
    if (!(url instanceof URL)) return undefined;
    if (this.#urls.size >= 10_000) this.#urls = new Map();
    this.#urls.set(text, url);
    return url;
  }
}
