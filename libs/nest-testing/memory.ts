import { randomUUID } from 'node:crypto';
import type { Handling, Inbox, ReceivedEvent } from '#consuming';
import type { TestDouble } from '#nest-kit';
import {
  dataAs,
  dataschemaOf,
  encodeEvent,
  newEvent,
  type EventOf,
  type EventToken,
  type KeyOwner,
  type ReadEvent,
  type Step,
  type ToPublish,
} from '#sdk';
import { SimpulTestFault } from './fault.js';
import { handOver } from './hand-over.js';
import { memoryHub } from './memory-hub.js';

/** What an event that is delivered has beside type and data. */
export interface Delivered {
  /** @default one of its own */
  readonly id?: string;
  /** @default urn:simpul:unit:SU00000:uji */
  readonly source?: string;
  /** @default uji */
  readonly subject?: string;
  /** ISO 8601. @default now */
  readonly time?: string;
  /** CloudEvents extensions. */
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/**
 * An app under test without a hub: events go to its handlers when the test says so, and what it publishes is recorded. Data is checked by the schema of its token in both
 * directions. What only a hub knows does not exist here: rights, masks, subjects, order across requests, views; `SimpulTestingModule.forRoot` has them.
 */
export class SimpulMemory {
  readonly double: TestDouble;
  readonly #owner: KeyOwner;
  readonly #published: ReadEvent[] = [];
  readonly #handlings = new Map<string, Handling>();
  #inbox: Inbox | undefined;
  #group: string;
  #serial = 0;

  constructor(owner: KeyOwner) {
    this.#owner = owner;
    this.#group = owner.system;
    this.double = {
      options: (own) => {
        this.#inbox = own.inbox;
        this.#group = own.group ?? owner.system;
        const step = (s: Step): void => {
          this.#record(s);
          own.publisher?.report?.step?.(s);
        };
        return { ...own, url: 'http://127.0.0.1', key: 'uji', publisher: { ...own.publisher, report: { step } } };
      },
      connection: memoryHub(owner),
      handlers: (found) => {
        for (const handling of found) this.#handlings.set(handling.token.type, handling);
      },
    };
  }

  /**
   * Gives one event to the handler of its type, with its guards, pipes, interceptors and filters; resolves when the handler has finished it. Rejects with what the handler
   * threw (it is called once, whatever its `attempts` say), with the `SdkFault` of data that does not fit the token, or with `no_handler`.
   */
  deliver<T extends object>(token: EventToken<T>, data: ToPublish<T>, event: Delivered = {}): Promise<void> {
    return this.#deliver(token, [data], event);
  }

  /** As `deliver`, for several events in this order: to `@OnBatch` as one batch (of at most its `size`), to `@OnEvent` one after another. */
  deliverAll<T extends object>(
    token: EventToken<T>,
    list: readonly ToPublish<T>[],
    event: Omit<Delivered, 'id'> = {},
  ): Promise<void> {
    return this.#deliver(token, list, event);
  }

  async #deliver<T extends object>(
    token: EventToken<T>,
    list: readonly ToPublish<T>[],
    event: Delivered,
  ): Promise<void> {
    const handling = this.#handlings.get(token.type);
    if (handling === undefined) throw new SimpulTestFault('no_handler', token.type);
    if (list.length === 0) return;
    const events = list.map((data) => this.#received(token, data, event));
    await handOver(handling, events, { group: this.#group, inbox: this.#inbox });
  }

  /** What the app has published, in the order in which it was recorded; of one type, with data in the form of its token. */
  published(): ReadEvent[];
  published<T extends object>(token: EventToken<T>): EventOf<T>[];
  published<T extends object>(token?: EventToken<T>): (ReadEvent | EventOf<T>)[] {
    if (token === undefined) return [...this.#published];
    return this.#published
      .filter((e) => e.type === token.type)
      .map((e) => ({ ...e, data: dataAs(token, e.data) }) as unknown as EventOf<T>);
  }

  /** Forgets what was published. */
  clear(): void {
    this.#published.length = 0;
  }

  #received<T extends object>(token: EventToken<T>, data: ToPublish<T>, event: Delivered): ReceivedEvent {
    const { id, source = 'urn:simpul:unit:SU00000:uji', subject = 'uji', extensions } = event;
    const offset = this.#serial++;
    const now = new Date().toISOString();
    const { version, schema } = token;
    return {
      event: {
        ...extensions,
        ...{ specversion: '1.0', id: id ?? randomUUID(), source, type: token.type, subject, time: event.time ?? now },
        ...{ dataschema: dataschemaOf(token), recordedtime: now, position: `${token.stream}/0/${offset}` },
        data: newEvent(token, data).data,
      },
      writer: { version, schema, bytes: encodeEvent(token, data) },
    };
  }

  #record(step: Step): void {
    if (step.kind !== 'ok' || step.receipt.duplicate) return;
    const { orderingKey: _key, extensions, subject = '', dataschema = '', data, ...attributes } = step.event;
    const { position, recordedtime } = step.receipt;
    this.#published.push({
      ...extensions,
      ...attributes,
      ...{ specversion: '1.0', subject, dataschema, position, recordedtime, data },
    });
  }

  /** Whose the key of the app is said to be. */
  get owner(): KeyOwner {
    return this.#owner;
  }
}
