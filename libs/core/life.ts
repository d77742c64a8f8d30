import { Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';

/** What must be closed after the doors have drained, in this order. */
class Life implements OnApplicationShutdown {
  constructor(private readonly closers: readonly (() => Promise<void>)[]) {}

  async onApplicationShutdown(): Promise<void> {
    for (const close of this.closers) await close();
  }
}

@Module({})
export class LifeModule {
  /** Nest calls onApplicationShutdown after HTTP has closed and the strategies have stopped: requests in flight still have their log. */
  static closing(closers: readonly (() => Promise<void>)[]): DynamicModule {
    return { module: LifeModule, providers: [{ provide: Life, useFactory: () => new Life(closers) }] };
  }
}
