import type { KeyOwner, Reader } from '#sdk';
import { Injectable } from '@nestjs/common';

/** The reader of the SDK under the key of the app: streams, state, receipts, units, event types. The module closes its connection. */
@Injectable()
export class SimpulReader implements Omit<Reader, 'close'> {
  readonly #reader: Reader;
  /** Whose the key is, as the hub said at the start. */
  readonly owner: KeyOwner;

  constructor(reader: Reader, owner: KeyOwner) {
    this.#reader = reader;
    this.owner = owner;
  }

  readonly read: Reader['read'] = (...args) => this.#reader.read(...args);
  readonly pages: Reader['pages'] = (...args) => this.#reader.pages(...args);
  readonly live: Reader['live'] = (...args) => this.#reader.live(...args);
  readonly subscription: Reader['subscription'] = (...args) => this.#reader.subscription(...args);
  readonly state: Reader['state'] = (...args) => this.#reader.state(...args);
  readonly lookup: Reader['lookup'] = (...args) => this.#reader.lookup(...args);
  readonly states: Reader['states'] = (...args) => this.#reader.states(...args);
  readonly receipt: Reader['receipt'] = (...args) => this.#reader.receipt(...args);
  readonly me: Reader['me'] = (...args) => this.#reader.me(...args);
  readonly units: Reader['units'] = (...args) => this.#reader.units(...args);
  readonly eventTypes: Reader['eventTypes'] = (...args) => this.#reader.eventTypes(...args);
}
