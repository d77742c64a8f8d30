import type { EventToken, Receipt } from '#sdk';
import { Injectable } from '@nestjs/common';
import { ClientProxy, type ReadPacket } from '@nestjs/microservices';
import { Observable } from 'rxjs';
import { Lines } from './lines.js';
import type { SimpulPublisher } from './publisher.js';
import { checkToken, type Tokens } from './tokens.js';

/**
 * `client.emit(token, data)` or `client.emit(type, data)`: as other clients of Nest, it sends at once; the observable completes with the receipt of the hub. A refusal goes to those who are
 * subscribed; where nobody is, it is a line of the log.
 */
@Injectable()
export class SimpulClientProxy extends ClientProxy {
  readonly #publisher: SimpulPublisher;
  readonly #tokens: Tokens;
  readonly #lines = new Lines();

  constructor(publisher: SimpulPublisher, tokens: Tokens) {
    super();
    this.#publisher = publisher;
    this.#tokens = tokens;
  }

  connect(): Promise<void> {
    return Promise.resolve();
  }

  /** The module closes the publisher. */
  close(): void {}

  /** Nest gives an error to nobody when nobody is subscribed: the event would be missing in silence. */
  override emit<TResult = Receipt, TInput = unknown>(pattern: unknown, data: TInput): Observable<TResult> {
    const outcome = super.emit<TResult, TInput>(pattern, data);
    let awaited = false;
    const refused = (cause: unknown): void => {
      if (!awaited) this.#lines.notPublished(nameOf(pattern), cause);
    };
    // Data that is missing is refused before emit() has returned, so before anybody can subscribe.
    outcome.subscribe({ error: (cause: unknown) => queueMicrotask(() => refused(cause)) });
    return new Observable((subscriber) => {
      awaited = true;
      return outcome.subscribe(subscriber);
    });
  }

  unwrap<T>(): T {
    return this.#publisher as T;
  }

  protected publish(): never {
    throw new Error('the hub has events and no requests: use emit(), not send()');
  }

  protected async dispatchEvent<T>({ pattern, data }: ReadPacket): Promise<T> {
    const token = typeof pattern === 'string' ? this.#tokens.get(pattern) : (pattern as EventToken);
    if (token === undefined)
      return (await this.#publisher.publishUntyped({
        type: pattern as string,
        data: data as Record<string, unknown>,
      })) as T;
    checkToken(token, 'emit()');
    return (await this.#publisher.publish(token, data as object)) as T;
  }
}

function nameOf(pattern: unknown): string {
  if (typeof pattern === 'string') return pattern;
  return (pattern as Partial<EventToken> | undefined)?.type ?? 'without a type';
}
