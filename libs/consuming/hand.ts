import { backoffMs, type ReadEvent } from '#sdk';
import type { BatchContext, BatchOptions, HandlerContext, HandlerOptions, Handling, Then } from './handler.js';
import type { Entry } from './feed.js';
import { ConsumerFault } from './fault.js';
import { checkOfHub, HUB_TIMEOUT_MS } from './of-hub.js';
import { resolverOf } from './versions.js';
import type { ReceivedEvent } from './port.js';

/** Entries in turn. */
class Queue {
  #items: Entry[] = [];
  #at = 0;

  push(entry: Entry): void {
    this.#items.push(entry);
  }

  shift(): Entry | undefined {
    const entry = this.#items[this.#at];
    if (entry === undefined) return undefined;
    if (++this.#at === this.#items.length || this.#at === 1_024) {
      this.#items = this.#items.slice(this.#at);
      this.#at = 0;
    }
    return entry;
  }
}

type AnyOptions = HandlerOptions & Omit<BatchOptions, 'then'>;

/** A handler with its options and what it has to do. */
export class Hand {
  readonly type: string;
  readonly each: ((event: ReadEvent, context: HandlerContext) => unknown) | undefined;
  readonly batch: ((events: readonly ReadEvent[], context: BatchContext) => unknown) | undefined;
  /** Gives the event with data of the version of the token. Throws `version_not_readable`. */
  readonly resolve: (received: ReceivedEvent) => ReadEvent;
  readonly concurrency: number;
  readonly size: number;
  readonly attempts: number;
  readonly timeoutMs: number;
  readonly parkedMs: number;
  readonly then: Then;
  /** Heads of lanes that may begin. */
  readonly ready = new Queue();
  working = 0;
  pumping = false;
  readonly #options: AnyOptions;

  /** `ofHub`: a subscription of the hub gives its events. */
  constructor(handling: Handling, ofHub = false) {
    const options = handling.options as AnyOptions;
    this.#options = options;
    this.type = handling.token.type;
    this.each = 'each' in handling ? handling.each : undefined;
    this.batch = 'batch' in handling ? handling.batch : undefined;
    this.resolve = resolverOf(handling.token);
    this.concurrency = whole('concurrency', options.concurrency ?? 10, this.type);
    this.size = whole('size', options.size ?? 500, this.type);
    this.then = options.then ?? (ofHub ? 'park' : 'stop');
    this.attempts = whole('attempts', options.attempts ?? (ofHub && this.then === 'park' ? 1 : 5), this.type);
    this.timeoutMs = options.timeoutMs ?? (ofHub ? HUB_TIMEOUT_MS : 300_000);
    this.parkedMs = options.parkedMs ?? 60_000;
    if (ofHub) checkOfHub(this.type, options, { attempts: this.attempts, ...this.#backoff });
    else if (this.batch !== undefined && this.then === 'park')
      throw new ConsumerFault(
        'no_handler',
        `the batch handler of ${this.type} cannot park: a batch has the order of its feed. Use then: 'stop' or 'dead-letter', or a handler of single events`,
      );
  }

  get #backoff(): { readonly backoffMs: number; readonly maxBackoffMs: number } {
    return { backoffMs: this.#options.backoffMs ?? 200, maxBackoffMs: this.#options.maxBackoffMs ?? 30_000 };
  }

  mayRetry(cause: unknown): boolean {
    if ((cause as { readonly name?: unknown } | undefined)?.name === 'Refuse') return false;
    if (cause instanceof ConsumerFault && cause.code === 'version_not_readable') return false;
    return this.#options.retryable?.(cause) ?? true;
  }

  /** Wait before the attempt after `attempt`, ms. */
  backoffMs(attempt: number): number {
    const { backoffMs: firstMs, maxBackoffMs: maxMs } = this.#backoff;
    return backoffMs(attempt, undefined, Math.random, { firstMs, maxMs });
  }
}

function whole(name: string, value: number, type: string): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new ConsumerFault(
    'no_handler',
    `${name} of the handler of ${type} must be a whole number from 1, not ${value}`,
  );
}
