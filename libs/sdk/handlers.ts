import { eventAs } from './codec.js';
import type { ReadEvent } from './reader.js';
import type { EventOf, EventToken } from './token.js';

/** A type of events: its name, a pattern, or its token. */
export type TypeName = string | EventToken;

/** The event of a type: of a token with its data, of a name as the hub shows it. */
export type EventOfType<Type> = Type extends EventToken<infer T> ? EventOf<T> : ReadEvent;

/** Beside the event, for a handler. */
export interface HandlerContext {
  /** `stream/partition/offset`: the same when an event comes again. What has this mark was handled: keep it with the effect. */
  readonly position: string;
  /** Aborts when close() was called or the lease is over: later work may be repeated by somebody else. */
  readonly signal: AbortSignal;
}

/**
 * Handles one event; it is committed after the handler has resolved. A rejection counts as a failed try (R8); its `code`, if it has one, becomes the cause of what is parked. An
 * error named `Refuse` parks the event at once.
 */
export type EventHandler<Event = ReadEvent> = (event: Event, context: HandlerContext) => void | Promise<void>;

/** The handler of one type. Made by `on`. */
export interface TypedHandler {
  readonly token: EventToken;
  readonly handle: EventHandler;
}

/** Handles the events of a token, with data in its version: unknown fields are dropped, missing ones have their default. What cannot be read so is a failed try, `incompatible_schema`, and is parked at once. */
export function on<T extends object>(token: EventToken<T>, handle: EventHandler<EventOf<T>>): TypedHandler {
  return { token, handle: handle as unknown as EventHandler };
}

/** Which handler gets an event, and in what form. */
export class Handlers {
  /** What the subscription is for. */
  readonly types: readonly TypeName[];
  readonly #tokens = new Map<string, EventToken>();
  readonly #byType = new Map<string, EventHandler>();
  readonly #other: EventHandler | undefined;

  /** Throws TypeError: two handlers for a type, or no type at all. */
  constructor(
    types: readonly TypeName[] | undefined,
    handlers: readonly TypedHandler[] | Readonly<Record<string, EventHandler>> = {},
    other?: EventHandler,
  ) {
    this.#other = other;
    for (const type of types ?? []) if (typeof type !== 'string') this.#tokens.set(type.type, type);
    const typed = isList(handlers) ? handlers : [];
    for (const { token, handle } of typed) {
      if (this.#byType.has(token.type)) throw new TypeError(`two handlers for ${token.type}: a type has one`);
      this.#tokens.set(token.type, token);
      this.#byType.set(token.type, handle);
    }
    if (!isList(handlers)) for (const [type, handle] of Object.entries(handlers)) this.#byType.set(type, handle);
    this.types = types ?? typed.map(({ token }) => token);
    if (this.types.length === 0) throw new TypeError('subscribe() needs types, or handlers: [on(Token, …)]');
  }

  async handle(event: ReadEvent, context: HandlerContext): Promise<void> {
    const handle = this.#byType.get(event.type) ?? this.#other;
    if (handle === undefined) throw new Error(`no handler of ${event.type}`);
    const token = this.#tokens.get(event.type);
    await handle(token === undefined ? event : (eventAs(token, event) as unknown as ReadEvent), context);
  }
}

const isList = (
  handlers: readonly TypedHandler[] | Readonly<Record<string, EventHandler>>,
): handlers is readonly TypedHandler[] => Array.isArray(handlers);
