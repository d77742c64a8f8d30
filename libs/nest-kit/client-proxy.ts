import type { EventToken } from '#sdk';
import { Injectable } from '@nestjs/common';
import { ClientProxy, type ReadPacket } from '@nestjs/microservices';
import type { SimpulPublisher } from './publisher.js';
import type { Tokens } from './tokens.js';

/** `client.emit(token, data)` or `client.emit(type, data)`: as other clients of Nest; the observable completes with the receipt of the hub. */
@Injectable()
export class SimpulClientProxy extends ClientProxy {
  readonly #publisher: SimpulPublisher;
  readonly #tokens: Tokens;

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
    return (await this.#publisher.publish(token, data as object)) as T;
  }
}
