import type { EventToken } from '#sdk';
import { Module, type DynamicModule } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, MetadataScanner, ModulesContainer } from '@nestjs/core';
import { SimpulClientProxy } from './client-proxy.js';
import { SimpulConsumer } from './consumer.js';
import { FOR_ROOT } from './decorators.js';
import { SimpulHealth } from './health.js';
import { Hub, openHub } from './hub.js';
import { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, type SimpulOptions } from './options.js';
import { SimpulPublisher } from './publisher.js';
import { SimpulReader } from './reader.js';
import { Runner } from './runner.js';
import { StartFault } from './start-fault.js';
import { OPTIONS, TEST_DOUBLE, type TestDouble } from './test-double.js';
import { checkToken, Tokens } from './tokens.js';

const DOUBLE = { token: TEST_DOUBLE, optional: true };

/**
 * Connects an app to the hub: `SimpulModule.forRoot({ url, key })` in the root module. Provides SimpulPublisher, SimpulReader, SimpulConsumer, SimpulHealth and SimpulClientProxy, and
 * runs the handlers of `@OnEvent` and `@OnBatch` from the end of the start (`app.listen()`, `app.init()`, `createApplicationContext`) to the end of the app, also when it
 * is ended by SIGTERM without `enableShutdownHooks()`. A wrong wiring, key, address or type ends the start with one `StartFault`.
 */
@Module({
  imports: [DiscoveryModule],
  providers: [
    Tokens,
    { provide: FOR_ROOT, useValue: true },
    {
      provide: OPTIONS,
      inject: [MODULE_OPTIONS_TOKEN, DOUBLE],
      useFactory: (own: SimpulOptions, double?: TestDouble) => double?.options(own) ?? own,
    },
    {
      provide: Hub,
      inject: [OPTIONS, DOUBLE],
      useFactory: (options: SimpulOptions, double?: TestDouble) => openHub(options, double?.connection),
    },
    {
      provide: SimpulPublisher,
      inject: [Hub, OPTIONS],
      useFactory: (hub: Hub, options: SimpulOptions) => new SimpulPublisher(hub, options),
    },
    { provide: SimpulReader, inject: [Hub], useFactory: (hub: Hub) => new SimpulReader(hub.reader, hub.owner) },
    {
      provide: SimpulClientProxy,
      inject: [SimpulPublisher, Tokens],
      useFactory: (publisher: SimpulPublisher, tokens: Tokens) => new SimpulClientProxy(publisher, tokens),
    },
    {
      provide: Runner,
      inject: [OPTIONS, Hub, SimpulPublisher, Tokens, DiscoveryService, MetadataScanner, ModulesContainer, DOUBLE],
      useFactory: (...deps: ConstructorParameters<typeof Runner>) => new Runner(...deps),
    },
    { provide: SimpulConsumer, inject: [Runner], useFactory: (runner: Runner) => new SimpulConsumer(runner) },
    {
      provide: SimpulHealth,
      inject: [Hub, Runner],
      useFactory: (hub: Hub, runner: Runner) => new SimpulHealth(hub, runner),
    },
  ],
  exports: [SimpulPublisher, SimpulReader, SimpulClientProxy, SimpulConsumer, SimpulHealth, Tokens, FOR_ROOT],
})
export class SimpulModule extends ConfigurableModuleClass {
  /** Tokens that an app publishes by name: `client.emit('imigrasi.paspor.diterbitkan', data)` is then checked by the schema of the token. */
  static forFeature(tokens: readonly EventToken[]): DynamicModule {
    for (const token of tokens) checkToken(token, 'SimpulModule.forFeature([…])');
    const given = Symbol('simpul.feature');
    return {
      module: FeatureModule,
      providers: [
        {
          provide: given,
          inject: [{ token: Tokens, optional: true }],
          useFactory: (all: Tokens | undefined) => {
            if (all === undefined)
              throw new StartFault(
                'no_module',
                'SimpulModule.forFeature needs SimpulModule.forRoot({ url, key }) in the root module',
              );
            return all.add(tokens);
          },
        },
      ],
    };
  }
}

@Module({})
class FeatureModule {}
