import { Module, type DynamicModule } from '@nestjs/common';

/** Root module of the process. */
@Module({})
export class HubModule {
  static of(imports: DynamicModule[]): DynamicModule {
    return { module: HubModule, imports };
  }
}
