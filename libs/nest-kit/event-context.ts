import { isTestEvent, type BatchContext, type HandlerContext } from '#consuming';
import type { ReadEvent } from '#sdk';
import { BaseRpcContext } from '@nestjs/microservices';

/** What guards, interceptors, pipes and filters get by `switchToRpc().getContext()`, and handlers by `@Ctx()`. */
export class EventContext extends BaseRpcContext<[event: ReadEvent | readonly ReadEvent[]]> {
  readonly #context: HandlerContext | BatchContext;
  readonly #batch: boolean;

  constructor(events: ReadEvent | readonly ReadEvent[], context: HandlerContext | BatchContext, batch: boolean) {
    super([events]);
    this.#context = context;
    this.#batch = batch;
  }

  /** The event; of a batch the list of its events. */
  get event(): ReadEvent | readonly ReadEvent[] {
    return this.args[0];
  }

  get type(): string {
    const { event } = this;
    return Array.isArray(event) ? (event as readonly ReadEvent[])[0]!.type : (event as ReadEvent).type;
  }

  /** A test event (option `testEvents` of the module): nobody has stated it. A batch has either test events or none. */
  get test(): boolean {
    const { event } = this;
    return isTestEvent(Array.isArray(event) ? (event as readonly ReadEvent[])[0]! : (event as ReadEvent));
  }

  get feed(): string {
    return this.#context.feed;
  }

  get group(): string {
    return this.#context.group;
  }

  /** 1 for the first attempt in this process. */
  get attempt(): number {
    return this.#context.attempt;
  }

  /** Aborts when the time of the attempt is over, or when the event is given to another process. */
  get signal(): AbortSignal {
    return this.#context.signal;
  }

  /**
   * Runs an effect once for this event, in one transaction with the mark in the inbox (option `inbox` of the module). false: it was done before. Of a batch: name the
   * event.
   */
  idempotent<Tx = unknown>(effect: (tx: Tx) => unknown, event?: ReadEvent): Promise<boolean> {
    if (!this.#batch) return (this.#context as HandlerContext).idempotent(effect);
    if (event === undefined)
      return Promise.reject(new Error('idempotent() of a batch needs the event: idempotent(effect, event)'));
    return (this.#context as BatchContext).idempotent(event, effect);
  }
}
