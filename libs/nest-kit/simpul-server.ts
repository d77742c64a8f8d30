import { BaseRpcContext, Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import type { EventSource } from './event-source.js';

/** What a handler gets beside its batch. */
export class SimpulContext extends BaseRpcContext<[type: string, signal: AbortSignal]> {
  get type(): string {
    return this.args[0];
  }

  /** Aborts when the batch was taken away: what is done after that counts for nothing. */
  get signal(): AbortSignal {
    return this.args[1];
  }
}

export interface SimpulServerOptions {
  readonly source: EventSource;
  /** The source ended with an error: the process should end. */
  readonly onEnd?: (cause: unknown) => void;
}

/**
 * A Nest transport whose batches come from an EventSource. One handler a type (a second one is refused at start); the answer of the handler is
 * the answer to the source; an event type without a handler, or a handler that throws, never moves the position.
 * Connect with `{ inheritAppConfig: true }` and call `app.init()` before `startAllMicroservices()`.
 */
export class SimpulServer extends Server implements CustomTransportStrategy {
  // Otherwise Nest logs a failure and reports success.
  override readonly propagatesEventHandlerErrors = true;
  readonly #source: EventSource;
  readonly #onEnd: ((cause: unknown) => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(options: SimpulServerOptions) {
    super();
    this.#source = options.source;
    this.#onEnd = options.onEnd;
  }

  /** Event types that have a handler. */
  types(): readonly string[] {
    return [...this.messageHandlers.keys()];
  }

  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, unknown> = {},
  ): void {
    const type = this.normalizePattern(pattern as string);
    if (this.messageHandlers.has(type)) throw new Error(`two handlers for ${type}: an event has one handler in an app`);
    super.addHandler(pattern, callback, isEventHandler, extras);
  }

  listen(ready: (cause?: unknown) => void): void {
    this.#running = this.#source
      .run((type, batch, signal) => this.deliver(type, batch, signal))
      .catch((cause: unknown) => this.#onEnd?.(cause));
    ready();
  }

  /** Hands a batch to the handler of its type and waits for its answer. Rejects without one. */
  async deliver(type: string, batch: unknown, signal: AbortSignal): Promise<unknown> {
    const handler = this.getHandlerByPattern(type);
    if (!handler) throw new Error(`no handler for ${type}`);
    const answer: unknown = await handler(batch, new SimpulContext([type, signal]));
    return isObservable(answer) ? lastValueFrom(answer, { defaultValue: undefined }) : answer;
  }

  async close(): Promise<void> {
    await this.#source.stop();
    await this.#running;
  }

  /** There is no connection of its own to listen to. */
  on(): void {}

  unwrap<T>(): T {
    return this.#source as T;
  }
}
