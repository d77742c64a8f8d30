import 'reflect-metadata';
import type { BatchOptions, HandlerOptions } from '#consuming';
import type { EventOf, EventToken } from '#sdk';
import { createParamDecorator, Inject } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { PARAM_ARGS_METADATA } from '@nestjs/microservices/constants.js';
import type { EventContext } from './event-context.js';
import { StartFault } from './start-fault.js';
import { checkToken } from './tokens.js';

/** What a decorated method handles. */
export interface HandlerMetadata {
  readonly token: EventToken;
  readonly kind: 'each' | 'batch';
  readonly options: HandlerOptions | BatchOptions;
}

export const HANDLER = Symbol('simpul.handler');
const EVENT = Symbol('simpul.event');
/** Provided by SimpulModule.forRoot. A class with handlers depends on it, so that Nest refuses to start without the module. */
export const FOR_ROOT = Symbol('SimpulModule.forRoot({ url, key })');

/** Methods that no app of this process has had as a handler yet, and what a line says of them. */
const unused = new Map<object, string>();

/** The methods with `@OnEvent` or `@OnBatch` beside `used` that no app of this process has; each is named once. */
export function forgottenBeside(used: readonly object[]): readonly string[] {
  for (const method of used) unused.delete(method);
  const names = [...unused.values()];
  unused.clear();
  return names;
}

type Method<First> = <M extends (first: First, ...rest: never[]) => unknown>(
  target: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void;

/**
 * Marks the method that handles the events of a type. Its first parameter is the data, in the version of the token; `@Event()` gives the whole event, `@Ctx()` or an
 * undecorated second parameter the `EventContext`. At-least-once, one after another for each subject; what the method returns is awaited, and when it throws, the
 * attempt has failed: see `HandlerOptions`. Works in every provider and controller; a class may have several, an app one for each type.
 */
export const OnEvent =
  <T extends object>(token: EventToken<T>, options: HandlerOptions = {}): Method<T & EventOf<T>> =>
  (target, name, descriptor) =>
    mark(target, name, descriptor.value!, { token, kind: 'each', options });

/** Marks the method that handles batches of events of a type: its first parameter is a list of whole events, in the order of the feed. See `BatchOptions`. */
export const OnBatch =
  <T extends object>(token: EventToken<T>, options: BatchOptions = {}): Method<EventOf<T>[]> =>
  (target, name, descriptor) =>
    mark(target, name, descriptor.value!, { token, kind: 'batch', options });

/** The whole event: subject, source, time, position and data. */
export const Event = (): ParameterDecorator => (target, name, index) => {
  Reflect.defineMetadata(EVENT, true, target, name!);
  whole()(target, name, index);
};
const whole = createParamDecorator((_data: unknown, context) => context.switchToRpc().getContext<EventContext>().event);

function mark(target: object, name: string | symbol, method: object, metadata: HandlerMetadata): void {
  const where = `${target.constructor.name}.${String(name)}`;
  checkToken(metadata.token, `${metadata.kind === 'each' ? '@OnEvent' : '@OnBatch'} of ${where}`);
  const former = Reflect.getOwnMetadata(HANDLER, method) as HandlerMetadata | undefined;
  if (former !== undefined)
    throw new StartFault(
      'two_types',
      `${where} handles ${former.token.type} and ${metadata.token.type}: a method handles one type. Write a method for each; let both call a third`,
    );
  Reflect.defineMetadata(HANDLER, metadata, method);
  unused.set(method, `${where} (${metadata.token.type})`);
  const decorated = Object.values(
    (Reflect.getMetadata(PARAM_ARGS_METADATA, target.constructor, name) ?? {}) as Record<string, { index: number }>,
  ).map(({ index }) => index);
  const count = (method as { length: number }).length;
  // Parameters without a decorator are what a reader expects: the data, then the context.
  if (count > 0 && !decorated.includes(0)) Payload()(target, name, 0);
  if (count > 1 && !decorated.includes(1)) Ctx()(target, name, 1);
  Inject(FOR_ROOT)(target, 'simpulModule');
}

/** Whether a method has a parameter `@Event()`. */
export const takesEvent = (prototype: object, name: string): boolean =>
  Reflect.getMetadata(EVENT, prototype, name) === true;
