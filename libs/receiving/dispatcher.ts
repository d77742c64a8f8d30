import {
  ConsumerFault,
  resolverOf,
  type BatchContext,
  type Handling,
  type Inbox,
  type ReceivedEvent,
} from '#consuming';
import type { EventToken, ReadEvent } from '#sdk';
import { InboxMarks } from './inbox-marks.js';
import type { WebhookHandlerContext, WebhookHandlers, WebhookOptions } from './options.js';
import type { Verified } from './receive.js';

/** What failed, and with which event. */
export interface Failed {
  readonly event: ReadEvent;
  readonly cause: unknown;
  /** false: the handler says that another try is of no use. */
  readonly retryable: boolean;
}

interface Hand {
  readonly handling: Handling;
  readonly resolve: (received: ReceivedEvent) => ReadEvent;
}

/** Gives the events of requests to handlers: those of a request one after another, in their order. An event that is in work is not begun a second time; both requests get its outcome. */
export class Dispatcher {
  readonly #hands = new Map<string, Hand>();
  readonly #all: Exclude<WebhookHandlers, readonly Handling[]> | undefined;
  readonly #options: WebhookOptions;
  readonly #group: string;
  readonly #marks: InboxMarks | undefined;
  readonly #working = new Map<string, Promise<void>>();

  /** Throws ConsumerFault `two_handlers`, `no_handler`. */
  constructor(handlers: WebhookHandlers, options: WebhookOptions) {
    this.#options = options;
    this.#group = options.group ?? 'default';
    const { inbox, inboxKeepMs, now = Date.now } = options;
    this.#marks = inbox === undefined ? undefined : new InboxMarks(inbox, this.#group, inboxKeepMs, now);
    this.#all = typeof handlers === 'function' ? handlers : undefined;
    for (const handling of typeof handlers === 'function' ? [] : handlers) {
      const { type } = handling.token;
      if (this.#hands.has(type))
        throw new ConsumerFault('two_handlers', `two handlers for ${type}: a type has one handler in a receiver`);
      this.#hands.set(type, { handling, resolve: resolverOf(handling.token) });
    }
    if (this.#all === undefined && this.#hands.size === 0)
      throw new ConsumerFault('no_handler', 'a receiver of webhooks needs at least one handler: onEvent(token, …)');
  }

  get tokens(): readonly EventToken[] {
    return [...this.#hands.values()].map(({ handling }) => handling.token);
  }

  /** Resolves when every event is handled, or with the first that is not: those behind it are not begun. */
  async handle(request: Verified, signal: AbortSignal): Promise<Failed | undefined> {
    const { events } = request;
    for (let at = 0; at < events.length;) {
      const hand = this.#hands.get(events[at]!.event.type);
      const run = hand !== undefined && 'batch' in hand.handling ? runOf(events, at, hand.handling) : 1;
      const failed = await this.#begin(hand, events.slice(at, at + run), request, signal);
      if (failed !== undefined) return failed;
      at += run;
    }
    return undefined;
  }

  async #begin(
    hand: Hand | undefined,
    batch: readonly ReceivedEvent[],
    request: Verified,
    signal: AbortSignal,
  ): Promise<Failed | undefined> {
    const [{ event }] = batch as [ReceivedEvent];
    try {
      if (hand === undefined && this.#all === undefined) {
        if (this.#options.others === 'ignore') return undefined;
        throw new NoHandler(event.type);
      }
      const name = batch.map((one) => `${one.event.source}\n${one.event.id}\n${one.event.digest ?? ''}`).join('\n');
      let work = this.#working.get(name);
      if (work === undefined) {
        work = this.#work(hand, batch, request, signal).finally(() => this.#working.delete(name));
        this.#working.set(name, work);
      }
      await orAborted(work, signal);
      return undefined;
    } catch (cause) {
      return { event, cause, retryable: hand?.handling.options.retryable?.(cause) ?? true };
    }
  }

  async #work(
    hand: Hand | undefined,
    batch: readonly ReceivedEvent[],
    request: Verified,
    signal: AbortSignal,
  ): Promise<void> {
    if (hand !== undefined && 'batch' in hand.handling) {
      const events = batch.map((received) => hand.resolve(received));
      const { idempotent: _, ...context } = contextOf(this.#options.inbox, this.#group, events[0]!, request, signal);
      const inBatch: BatchContext = {
        ...context,
        idempotent: (event, effect) => onceIn(this.#options.inbox, this.#group, event, effect),
      };
      await hand.handling.batch(events, inBatch);
      return;
    }
    const [received] = batch as [ReceivedEvent];
    const event = hand === undefined ? received.event : hand.resolve(received);
    const context = contextOf(this.#options.inbox, this.#group, event, request, signal);
    const run = async (): Promise<void> => {
      if (hand === undefined) await this.#all!(event, context);
      else if ('each' in hand.handling) await hand.handling.each(event, context);
    };
    await (this.#marks === undefined ? run() : this.#marks.once(event, run));
  }
}

function contextOf(
  inbox: Inbox | undefined,
  group: string,
  event: ReadEvent,
  { id, subscription, try: attempt }: Verified,
  signal: AbortSignal,
): WebhookHandlerContext {
  return {
    ...{ feed: subscription, subscription, group, attempt, signal, webhookId: id, position: event.position },
    idempotent: (effect) => onceIn(inbox, group, event, effect),
  };
}

function onceIn<Tx>(
  inbox: Inbox | undefined,
  group: string,
  event: ReadEvent,
  effect: (tx: Tx) => unknown,
): Promise<boolean> {
  if (inbox === undefined)
    return Promise.reject(
      new ConsumerFault(
        'no_inbox',
        'idempotent() needs the option `inbox`: sqliteInbox(db), pgInbox(pool) or an Inbox of your own',
      ),
    );
  return (inbox as Inbox<Tx>).once(group, event, effect);
}

/** How many events from here on go to the batch handler together. */
function runOf(events: readonly ReceivedEvent[], from: number, { token, options }: Handling): number {
  const size = 'size' in options && typeof options.size === 'number' ? options.size : 500;
  let run = 1;
  while (run < size && events[from + run]?.event.type === token.type) run++;
  return run;
}

/** Of a handler that does not end, the request is answered all the same. */
function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new HandlerSlow());
    if (signal.aborted) return late();
    signal.addEventListener('abort', late, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', late));
  });
}

class NoHandler extends Error {
  override readonly name = 'NoHandler';
  constructor(type: string) {
    super(`no handler for ${type}`);
  }
}

class HandlerSlow extends Error {
  override readonly name = 'HandlerSlow';
  constructor() {
    super('the handler has not ended in its time');
  }
}
