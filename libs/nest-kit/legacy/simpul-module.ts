import { Module, type DynamicModule, type FactoryProvider, type ModuleMetadata } from '@nestjs/common';

/** Inject the client (publisher and reader) by this token. */
export const SIMPUL_CLIENT = Symbol.for('simpul.client');

/** What the module provides and closes: the connection of an app to the hub, usually made of `connect`, `createPublisher` and `createReader` of the SDK. */
export interface SimpulClient {
  close?(): Promise<void> | void;
}

export interface SimpulModuleOptions<C extends SimpulClient> extends Pick<ModuleMetadata, 'imports'> {
  readonly inject?: FactoryProvider<C>['inject'];
  readonly useFactory: (...deps: never[]) => C | Promise<C>;
}

class ClientLife {
  constructor(private readonly client: SimpulClient) {}

  async onApplicationShutdown(): Promise<void> {
    await this.client.close?.();
  }
}

/** Provides one client of the hub under SIMPUL_CLIENT and closes it in `onApplicationShutdown`. */
@Module({})
export class SimpulModule {
  static forRootAsync<C extends SimpulClient>(options: SimpulModuleOptions<C>): DynamicModule {
    return {
      module: SimpulModule,
      imports: options.imports ?? [],
      providers: [
        {
          provide: SIMPUL_CLIENT,
          inject: options.inject ?? [],
          useFactory: options.useFactory as FactoryProvider<C>['useFactory'],
        },
        { provide: ClientLife, inject: [SIMPUL_CLIENT], useFactory: (c: SimpulClient) => new ClientLife(c) },
      ],
      exports: [SIMPUL_CLIENT],
    };
  }
}
