import { Logger, type INestApplication } from '@nestjs/common';
import { BaseRpcContext, Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import type { EventSource } from './event-source.js';
import { SIMPUL_TRANSPORT } from './on-event.js';

/** What a handler gets beside its batch. */
export class SimpulContext extends BaseRpcContext<[type: string, signal: AbortSignal]> {
  get type(): string {
    return this.args[0];
  }

  /** Aborts when the batch was given to another consumer: work that is done after that has no effect. */
  get signal(): AbortSignal {
    return this.args[1];
  }
}

export interface SimpulServerOptions {
  readonly source: EventSource;
  readonly report?: SimpulServerReport;
}

export interface SimpulServerReport {
  /**
   * The source has ended, with an error or without one, and reads no more: the app must end its process, or start the source again. Without this function
   * the transport logs one line and ends the process itself: SIGTERM for the shutdown hooks, exit code 1.
   */
  ended?(cause: unknown): void;
  /**
   * A handler failed, or a type has none; called for each delivery. Without this function the transport logs a line, at most once a minute for the same
   * type and cause.
   */
  handlerFailed?(type: string, cause: unknown): void;
}

const SAME_FAILURE_MS = 60_000;

/** The last failure of a type that was logged, and how often it came again since. */
interface LoggedFailure {
  readonly text: string;
  readonly atMs: number;
  again: number;
}

/**
 * A Nest transport whose batches come from an EventSource. An event type has one handler (Error at start for a second one); the answer of the
 * handler is the answer to the source; without a handler, or when the handler throws, delivery is rejected and the position does not move.
 *
 * An app with HTTP is started by `SimpulServer.start(app, options)`. An app without HTTP takes an instance as its strategy:
 * `NestFactory.createMicroservice(AppModule, { strategy: new SimpulServer(options) })`.
 */
export class SimpulServer extends Server implements CustomTransportStrategy {
  override readonly transportId = SIMPUL_TRANSPORT;
  // Otherwise Nest logs the failure of a handler and reports success.
  override readonly propagatesEventHandlerErrors = true;
  readonly #source: EventSource;
  readonly #report: SimpulServerReport | undefined;
  readonly #log = new Logger(SimpulServer.name);
  readonly #failures = new Map<string, LoggedFailure>();
  #running: Promise<void> | undefined;
  #closing = false;

  constructor(options: SimpulServerOptions) {
    super();
    this.#source = options.source;
    this.#report = options.report;
  }

  /** Connects an app to the source and starts it. The app is initialised before the first batch, so handlers find their providers ready. */
  static async start(app: INestApplication, options: SimpulServerOptions): Promise<SimpulServer> {
    const strategy = new SimpulServer(options);
    app.connectMicroservice({ strategy });
    await app.init();
    await app.startAllMicroservices();
    return strategy;
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
      .then(() => Promise.reject(new Error('the source ended without an error')))
      .catch((cause: unknown) => this.#ended(cause));
    ready();
  }

  /** Gives a batch to the handler of its type and waits for its answer. Rejects when there is no handler, and with what the handler throws. */
  async deliver(type: string, batch: unknown, signal: AbortSignal): Promise<unknown> {
    try {
      return await this.#handle(type, batch, signal);
    } catch (cause) {
      if (!signal.aborted && !this.#closing) this.#failed(type, cause);
      throw cause;
    }
  }

  async #handle(type: string, batch: unknown, signal: AbortSignal): Promise<unknown> {
    const handler = this.getHandlerByPattern(type);
    if (!handler) throw new Error(`no handler for ${type}`);
    const answer: unknown = await handler(batch, new SimpulContext([type, signal]));
    return isObservable(answer) ? lastValueFrom(answer, { defaultValue: undefined }) : answer;
  }

  /** KeepErrors gives the error to the source instead of Nest, so Nest logs none: a batch that fails for ever would be delivered again in silence. */
  #failed(type: string, cause: unknown): void {
    if (this.#report?.handlerFailed) {
      this.#report.handlerFailed(type, cause);
      return;
    }
    const text = textOf(cause);
    const last = this.#failures.get(type);
    const now = Date.now();
    if (last?.text === text && now - last.atMs < SAME_FAILURE_MS) {
      last.again++;
      return;
    }
    const times = last?.text === text && last.again > 0 ? ` (and ${last.again} times since the last line)` : '';
    this.#failures.set(type, { text, atMs: now, again: 0 });
    this.#log.error(`the handler of ${type} failed, its batch stays undelivered: ${text}${times}`, stackOf(cause));
  }

  #ended(cause: unknown): void {
    if (this.#closing) return;
    if (this.#report?.ended) {
      this.#report.ended(cause);
      return;
    }
    this.#log.error(`the event source ended, so the process ends: ${textOf(cause)}`);
    process.exitCode = 1;
    process.kill(process.pid, 'SIGTERM');
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#source.stop();
    await this.#running;
  }

  /** Part of Nest's Server: this transport has no connection whose events an app could listen to. */
  on(): void {}

  unwrap<T>(): T {
    return this.#source as T;
  }
}

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
const stackOf = (cause: unknown): string | undefined => (cause instanceof Error ? cause.stack : undefined);
