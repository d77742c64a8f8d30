import type { ReadEvent } from '#sdk';
import type { Entry, Feed } from './feed.js';
import { ConsumerFault } from './fault.js';
import type { Hand } from './hand.js';
import type { BatchContext, HandlerContext } from './handler.js';
import type { Inbox } from './inbox.js';

export interface WorkDeps {
  readonly group: string;
  readonly inbox: Inbox | undefined;
}

/** One attempt: an event, or a batch. It is also the context that its handler gets. */
export class Work {
  readonly #deps: WorkDeps;
  readonly entries: readonly Entry[];
  readonly attempt: number;
  readonly beganAt = performance.now();
  /** When its time was over. */
  overAt: number | undefined;
  #event: ReadEvent | undefined;
  #abort: AbortController | undefined;
  #aborted: Error | undefined;

  constructor(deps: WorkDeps, entries: readonly Entry[], attempt: number) {
    this.#deps = deps;
    this.entries = entries;
    this.attempt = attempt;
  }

  get hand(): Hand {
    return this.entries[0]!.hand;
  }

  get of(): Feed {
    return this.entries[0]!.feed;
  }

  /** Calls the handler. Throws what a handler of one event throws at once. */
  begin(): unknown {
    const { hand } = this;
    if (hand.each !== undefined) {
      this.#event = hand.resolve(this.entries[0]!.received);
      return hand.each(this.#event, this as HandlerContext);
    }
    const context: BatchContext = {
      feed: this.feed,
      group: this.group,
      attempt: this.attempt,
      signal: this.signal,
      idempotent: (event, effect) => this.#once(event, effect as (tx: unknown) => unknown),
    };
    return hand.batch!(
      this.entries.map((e) => hand.resolve(e.received)),
      context,
    );
  }

  get feed(): string {
    return this.of.name;
  }

  get group(): string {
    return this.#deps.group;
  }

  /** Made when a handler asks for it: most do not, and a signal costs microseconds. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#aborted) this.#abort.abort(this.#aborted);
    }
    return this.#abort.signal;
  }

  abort(why: Error): void {
    this.#aborted ??= why;
    this.#abort?.abort(why);
  }

  idempotent<Tx>(effect: (tx: Tx) => unknown): Promise<boolean> {
    return this.#once(this.#event!, effect as (tx: unknown) => unknown);
  }

  #once(event: ReadEvent, effect: (tx: unknown) => unknown): Promise<boolean> {
    const { inbox, group } = this.#deps;
    if (inbox === undefined)
      return Promise.reject(
        new ConsumerFault(
          'no_inbox',
          'idempotent() needs the option `inbox`: sqliteInbox(db), pgInbox(pool) or an Inbox of your own',
        ),
      );
    return inbox.once(group, event, effect);
  }
}
