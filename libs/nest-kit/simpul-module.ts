import { Module, type DynamicModule, type FactoryProvider, type ModuleMetadata } from '@nestjs/common';

/** Inject the client (publisher and reader) by this token. */
export const SIMPUL_CLIENT = Symbol.for('simpul.client');

/** What the module hands out and closes: the connection of an app to the hub, usually made of `connect`, `createPublisher`, `createReader` of the SDK. */
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

/** The hub for a Nest app: one client, closed with the app. */
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
