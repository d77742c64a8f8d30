import {
  createPublisher,
  dataschemaOf,
  decodeAs,
  encodeEvent,
  type EventToken,
  type NewEvent,
  type Outcome,
  type Publisher,
  type Receipt,
  type ToPublish,
} from '#sdk';
import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import type { Hub } from './hub.js';
import type { SimpulOptions } from './options.js';

/** What may be given beside type and data. */
export type PublishOptions = Omit<NewEvent, 'type' | 'data' | 'dataschema'>;

/** Publishes events of the system of the key. */
@Injectable()
export class SimpulPublisher implements BeforeApplicationShutdown {
  readonly #publisher: Publisher;
  readonly #language: 'id' | 'en';

  constructor(hub: Hub, { key, publisher, language }: SimpulOptions) {
    const { unit, system } = hub.owner;
    this.#publisher = createPublisher({ ...publisher, connection: hub.connection, key, owner: unit, system });
    this.#language = language ?? 'id';
  }

  /** The CloudEvents source of the events: `urn:simpul:unit:<unit>:<system>`. */
  get source(): string {
    return this.#publisher.source;
  }

  /**
   * Resolves with the receipt of the hub: the event is durable. The data is encoded with the schema of the token and sent as Avro: wrong data rejects with the
   * `SdkFault` that the hub would answer, with the pointer to the field. Retries while the outcome is uncertain; order per subject as `Publisher.publish`.
   */
  async publish<T extends object>(
    token: EventToken<T>,
    data: ToPublish<T>,
    options: PublishOptions = {},
  ): Promise<Receipt> {
    const { event, avro } = this.#eventOf(token, data, options);
    return this.#publisher.publish(event, avro);
  }

  /** Publishes a list. Outcomes in the order of the list; wrong data rejects, and then nothing is sent. */
  async publishBatch<T extends object>(
    token: EventToken<T>,
    list: readonly { readonly data: ToPublish<T>; readonly options?: PublishOptions }[],
  ): Promise<Outcome[]> {
    return this.#publisher.publishBatch(
      list.map(({ data, options }) => this.#eventOf(token, data, options ?? {}).event),
    );
  }

  /** Publishes an event that has no token: the hub alone checks it. */
  publishUntyped(event: NewEvent): Promise<Receipt> {
    return this.#publisher.publish(event);
  }

  /** Resolves when every event has its outcome. */
  flush(): Promise<void> {
    return this.#publisher.flush();
  }

  /** Handlers have ended by now; what they publish has its outcome before the app ends. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.#publisher.close();
  }

  #eventOf<T extends object>(
    token: EventToken<T>,
    data: ToPublish<T>,
    options: PublishOptions,
  ): { readonly event: NewEvent; readonly avro: Uint8Array } {
    const language = { language: this.#language };
    const avro = encodeEvent(token, data, language);
    const { longs, ...plain } = token;
    // JSON has no bigint: the hub takes longs beyond 2^53 as text.
    const json: unknown = longs === undefined ? data : decodeAs(plain as EventToken<T>, token.schema, avro, language);
    const event = { ...options, type: token.type, dataschema: dataschemaOf(token), data: json as NewEvent['data'] };
    return { event, avro };
  }
}
