import { pause } from '#concurrency';
import { backoffMs, type Connection } from './connection.js';
import { faultOf, isSdkFault, type SdkFault } from './fault.js';
import type { LeaseState } from './lease-account.js';
import { query } from './query.js';
import type { ReadEvent } from './reader.js';
import { isEventOf, listOf } from './shapes.js';
import { json } from './subscription-spec.js';

/** Why the rest of a lease could not be handled. */
export interface LeaseFailure {
  /** Becomes the cause of what is parked: lower-case letters, digits, `_`. */
  readonly code: string;
  /** Another try is of no use: an event that is alone in its lease is parked at once. */
  readonly final?: boolean;
}

export interface PullClientOptions {
  readonly connection: Connection;
  readonly key: string;
  /** Id of the subscription. */
  readonly id: string;
  /** How long a lease holds, ms, 1,000 to 60,000. */
  readonly leaseMs: number;
  /** Ends pull(). */
  readonly signal: AbortSignal;
  /** The hub does not answer, and is asked again. */
  readonly disconnected?: ((fault: SdkFault) => void) | undefined;
  /** It answers again. */
  readonly connected?: (() => void) | undefined;
}

/** Events of one pull, and the token that ends it. */
export interface PulledLease {
  /** In order in each partition. */
  readonly events: readonly ReadEvent[];
  readonly token: string;
}

const WAIT_S = 20;
/** An answer that is on its way when pull() is ended is taken: its lease would be held until it expires. */
const GRACE_MS = 100;

/** The doors of one pull subscription. Everything but `pull` rejects with SdkFault when the hub refuses it, or has not answered within the time of a lease. */
export class PullClient {
  readonly #o: PullClientOptions;
  /** Whether all events of a stream are one lane, by stream. */
  readonly #ordered = new Map<string, boolean>();

  constructor(options: PullClientOptions) {
    this.#o = options;
  }

  get id(): string {
    return this.#o.id;
  }

  /**
   * Waits for events, also while the hub is away. undefined: there were none for a while. Rejects with what the hub refuses it with, or when the signal has aborted; a lease that comes
   * just then is given all the same, to be released.
   */
  async pull(limit: number): Promise<PulledLease | undefined> {
    const { connection: hub, key, leaseMs, signal, disconnected, connected } = this.#o;
    const path = this.#path('pull') + query({ limit, wait: WAIT_S, lease: leaseMs / 1_000 });
    const timeoutMs = (WAIT_S + 15) * 1_000;
    for (let n = 1; ; n++) {
      try {
        const reply = await late(signal, (cut) =>
          hub.call(path, { key, method: 'POST', signal: cut, timeoutMs, shape: isPulled }),
        );
        if (reply.status !== 200) throw faultOf(reply.status, reply.body, reply.retryAfterMs);
        const { events, lease } = reply.body as Pulled;
        for (const { position } of events) await this.#learn(streamOf(position));
        if (n > 1) connected?.();
        // A subscription that is paused answers at the end of the wait, as one without events does.
        return lease === null ? undefined : { events, token: lease.token };
      } catch (e) {
        if (signal.aborted || !isSdkFault(e) || !e.retryable) throw e;
        disconnected?.(e);
        await pause(backoffMs(n, e.retryAfterMs, hub.random, hub.retry), signal);
        signal.throwIfAborted();
      }
    }
  }

  /** Events of one lane are handled one after another. Known for events that pull() has given. */
  laneOf({ position, subject }: ReadEvent): string {
    const stream = streamOf(position);
    return this.#ordered.get(stream) === true ? stream : `${stream}\n${subject}`;
  }

  /** Durable when it resolves. */
  commit(token: string, { through, except }: Pick<LeaseState, 'through' | 'except'>): Promise<void> {
    return this.#end('commit', { token, through, except });
  }

  /** Gives back what is not committed. Without a failure no try is counted. */
  release(token: string, failure?: LeaseFailure): Promise<void> {
    const failed = failure === undefined ? {} : { failed: failure.code };
    return this.#end('release', { token, ...failed, ...(failure?.final === true ? { final: true } : {}) });
  }

  async #end(what: 'commit' | 'release', body: object): Promise<void> {
    const { connection: hub, key, leaseMs: deadlineMs } = this.#o;
    const call = { key, shape: () => false, empty: true, deadlineMs, ...json('POST', body) };
    const reply = await hub.callWithRetry(this.#path(what), call);
    if (reply.status !== 204) throw faultOf(reply.status, reply.body);
  }

  async #learn(stream: string): Promise<void> {
    if (this.#ordered.has(stream)) return;
    const path = `/v1/streams/${encodeURIComponent(stream)}`;
    const reply = await this.#o.connection.callWithRetry(path, { key: this.#o.key, shape: () => true });
    this.#ordered.set(stream, reply.status === 200 && (reply.body as { ordering?: string }).ordering === 'stream');
  }

  #path(what: string): string {
    return `/v1/subscriptions/${this.#o.id}/${what}`;
  }
}

/** The work gets a signal that aborts a moment after this one. */
async function late<T>(signal: AbortSignal, work: (cut: AbortSignal) => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const cut = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => {
    timer = setTimeout(() => cut.abort(signal.reason), GRACE_MS);
  };
  signal.addEventListener('abort', end, { once: true });
  try {
    return await work(cut.signal);
  } finally {
    signal.removeEventListener('abort', end);
    clearTimeout(timer);
  }
}

interface Pulled {
  readonly events: readonly ReadEvent[];
  readonly lease: { readonly token: string; readonly until: string } | null;
}

const isPulled = (body: Readonly<Record<string, unknown>>): boolean =>
  listOf('events', isEventOf())(body) && (body['lease'] === null || typeof body['lease'] === 'object');

const streamOf = (position: string): string => position.slice(0, position.indexOf('/'));

const CODE = /^[a-z0-9_]{1,60}$/;

/** What the hub is told of what a handler threw: its code, or `handler_failed`; no message, because that may name a person. */
export function leaseFailureOf(cause: unknown): LeaseFailure {
  const { name, code } = (cause ?? {}) as { readonly name?: unknown; readonly code?: unknown };
  if (name === 'Refuse') return { code: 'refused', final: true };
  const said = typeof code === 'string' ? code.toLowerCase() : '';
  return { code: CODE.test(said) ? said : 'handler_failed', final: said === 'incompatible_schema' };
}
