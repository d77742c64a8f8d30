import { TEST_DOUBLE } from '#nest-kit';
import type { KeyOwner } from '#sdk';
import { startTestHub, type TestHub, type TestHubOptions } from '#testing';
import { Module, type DynamicModule } from '@nestjs/common';
import { SimpulMemory } from './memory.js';
import { SimpulTest } from './with-hub.js';

/** Who the app under test is. */
export interface TestedApp {
  /** Its unit: `SU…`. */
  readonly unit: string;
  /** @default uji */
  readonly system?: string;
  /** Roles of its key. @default publisher and reader */
  readonly roles?: readonly string[];
}

export interface SimpulTestingOptions extends TestedApp, TestHubOptions {
  /** A hub that runs already and stays: one for all apps of a file of tests. @default one of its own, which ends with the app */
  readonly hub?: TestHub;
  /** Where the streams of the handlers begin: `latest` leaves out what earlier tests gave to the same hub. @default that of the app, else earliest */
  readonly from?: string;
}

/**
 * The hub of an app under test, for `Test.createTestingModule({ imports: [SimpulTestingModule.forRoot({ unit }), AppModule] })`: the app stays as it is, and its
 * `SimpulModule.forRoot` gets the address and the key of the hub for tests in the place of its own; `places` and `source` are those of the test. Every other option is that of the app.
 */
@Module({})
export class SimpulTestingModule {
  /** A real hub. Provides `SimpulTest`. The start rejects with `TestHubFault` when the hub does not start. */
  static forRoot({
    hub,
    unit,
    system = 'uji',
    roles = ['publisher', 'reader'],
    from,
    ...own
  }: SimpulTestingOptions): DynamicModule {
    return {
      module: SimpulTestingModule,
      global: true,
      providers: [
        {
          provide: SimpulTest,
          useFactory: async () => {
            const used = hub ?? (await startTestHub(own));
            return new SimpulTest({
              hub: used,
              key: await used.key(unit, roles, system),
              from,
              ownsHub: hub === undefined,
            });
          },
        },
        { provide: TEST_DOUBLE, inject: [SimpulTest], useFactory: ({ double }: SimpulTest) => double },
      ],
      exports: [SimpulTest, TEST_DOUBLE],
    };
  }

  /** No hub: the test itself gives events to the handlers, and what the app publishes is recorded. Starts in milliseconds. Provides `SimpulMemory`. */
  static inMemory({ unit, system = 'uji', roles = ['publisher', 'reader'] }: TestedApp): DynamicModule {
    const source = `urn:simpul:unit:${unit}:${system}`;
    const owner: KeyOwner = { keyId: 'uji', unit, system, source, roles, today: new Date().toISOString().slice(0, 10) };
    return {
      module: SimpulTestingModule,
      global: true,
      providers: [
        { provide: SimpulMemory, useFactory: () => new SimpulMemory(owner) },
        { provide: TEST_DOUBLE, inject: [SimpulMemory], useFactory: ({ double }: SimpulMemory) => double },
      ],
      exports: [SimpulMemory, TEST_DOUBLE],
    };
  }
}
