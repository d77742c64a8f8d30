import { onBatch, onEvent, type BatchOptions, type HandlerOptions, type Handling } from '#consuming';
import type { ReadEvent } from '#sdk';
import type { DiscoveryService, MetadataScanner, ModulesContainer } from '@nestjs/core';
// By their files: `@nestjs/core/internal` exists from Nest 12 on only.
import { GuardsConsumer } from '@nestjs/core/guards/guards-consumer.js';
import { GuardsContextCreator } from '@nestjs/core/guards/guards-context-creator.js';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { InterceptorsConsumer } from '@nestjs/core/interceptors/interceptors-consumer.js';
import { InterceptorsContextCreator } from '@nestjs/core/interceptors/interceptors-context-creator.js';
import { PipesConsumer } from '@nestjs/core/pipes/pipes-consumer.js';
import { PipesContextCreator } from '@nestjs/core/pipes/pipes-context-creator.js';
import { ApplicationConfig, type NestContainer } from '@nestjs/core';
import { ExceptionFiltersContext } from '@nestjs/microservices/context/exception-filters-context.js';
import { RpcContextCreator } from '@nestjs/microservices/context/rpc-context-creator.js';
import type { RpcProxy } from '@nestjs/microservices/context/rpc-proxy.js';
import type { RpcExceptionsHandler } from '@nestjs/microservices/exceptions/rpc-exceptions-handler.js';
import { isObservable, lastValueFrom, type Observable } from 'rxjs';
import { HANDLER, takesEvent, type HandlerMetadata } from './decorators.js';
import { EventContext } from './event-context.js';
import { StartFault } from './start-fault.js';

type Call = (data: unknown, context: EventContext) => Promise<unknown>;

/** A handler that was found: `Class.method`. */
export interface FoundHandler {
  readonly name: string;
  readonly method: object;
  readonly handling: Handling;
}

/**
 * Every method with `@OnEvent` or `@OnBatch` of the providers and controllers of the app, wrapped with the guards, pipes, interceptors and filters of its method and
 * class, as Nest does it for handlers of a microservice (context type `rpc`). Throws StartFault: `two_handlers`, `scoped_handler`, `no_handler`.
 */
export function findHandlers(
  discovery: DiscoveryService,
  scanner: MetadataScanner,
  modules: ModulesContainer,
): FoundHandler[] {
  const creator = contextCreator(modules);
  const found = new Map<string, FoundHandler>();
  const seen = new Set<object>();
  for (const wrapper of [...discovery.getProviders(), ...discovery.getControllers()]) {
    const prototype = prototypeOf(wrapper);
    if (prototype === undefined) continue;
    for (const method of scanner.getAllMethodNames(prototype)) {
      const metadata = metadataOf(prototype, method);
      const name = `${prototype.constructor.name}.${method}`;
      if (metadata === undefined) {
        if (takesEvent(prototype, method))
          throw new StartFault('no_handler', `${name} has @Event() and no @OnEvent(token): it would never be called`);
        continue;
      }
      if (!wrapper.isDependencyTreeStatic())
        throw new StartFault(
          'scoped_handler',
          `${name} handles events in a class of request scope: an event has no request. Use the default scope`,
        );
      const instance = wrapper.instance as object;
      if (seen.has(instance)) continue;
      const former = found.get(metadata.token.type);
      if (former !== undefined)
        throw new StartFault(
          'two_handlers',
          `two handlers for ${metadata.token.type}: ${former.name} and ${name}. A type has one handler in an app; let it call both`,
        );
      const callback = (instance as Record<string, (...args: unknown[]) => Observable<unknown>>)[method]!;
      const call = creator.create(instance, callback, wrapper.host?.token ?? '', method) as unknown as Call;
      found.set(metadata.token.type, {
        name,
        method: methodOf(prototype, method)!,
        handling: handlingOf(metadata, call),
      });
    }
    if (typeof wrapper.instance === 'object' && wrapper.instance !== null) seen.add(wrapper.instance as object);
  }
  return [...found.values()];
}

function prototypeOf(wrapper: InstanceWrapper): object | undefined {
  const instance: unknown = wrapper.instance;
  if (typeof instance === 'object' && instance !== null) return Object.getPrototypeOf(instance) as object | undefined;
  return typeof wrapper.metatype === 'function' ? (wrapper.metatype.prototype as object | undefined) : undefined;
}

function metadataOf(prototype: object, method: string): HandlerMetadata | undefined {
  const value = methodOf(prototype, method);
  return value === undefined ? undefined : (Reflect.getMetadata(HANDLER, value) as HandlerMetadata | undefined);
}

function methodOf(prototype: object, method: string): object | undefined {
  const value: unknown =
    Object.getOwnPropertyDescriptor(prototype, method)?.value ?? (prototype as Record<string, unknown>)[method];
  return typeof value === 'function' ? value : undefined;
}

function handlingOf({ token, kind, options }: HandlerMetadata, call: Call): Handling {
  if (kind === 'batch')
    return onBatch(
      token,
      (events, context) => call(events, new EventContext(events as unknown as readonly ReadEvent[], context, true)),
      options as BatchOptions,
    );
  return onEvent(
    token,
    (event, context) => call(event.data, new EventContext(event as unknown as ReadEvent, context, false)),
    options as HandlerOptions,
  );
}

/** Without the global enhancers of the app, as Nest does it for a microservice of an app that also serves HTTP: a global guard would look for a request. */
function contextCreator(modules: ModulesContainer): RpcContextCreator {
  const container = { getModules: () => modules } as unknown as NestContainer;
  const config = new ApplicationConfig();
  return new RpcContextCreator(
    { create: keepErrors } as unknown as RpcProxy,
    new ExceptionFiltersContext(container, config),
    new PipesContextCreator(container, config),
    new PipesConsumer(),
    new GuardsContextCreator(container, config),
    new GuardsConsumer(),
    new InterceptorsContextCreator(container, config),
    new InterceptorsConsumer(),
    config,
  );
}

/** What no filter of the app takes is thrown on as it is: the consumer must see what failed, where Nest would say `Internal server error`. */
function keepErrors(target: (...args: unknown[]) => Promise<unknown>, handler: RpcExceptionsHandler) {
  return async (...args: unknown[]): Promise<unknown> => {
    try {
      return await settled(await target(...args));
    } catch (cause) {
      const host = new ExecutionContextHost(args);
      host.setType('rpc');
      const filtered = handler.invokeCustomFilters(cause as object, host);
      if (filtered === null) throw cause;
      return settled(filtered);
    }
  };
}

const settled = (result: unknown): unknown =>
  isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
