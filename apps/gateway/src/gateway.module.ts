import { Module, type DynamicModule } from '@nestjs/common';

/** Root module of the process. */
@Module({})
export class GatewayModule {
  static of(imports: DynamicModule[]): DynamicModule {
    return { module: GatewayModule, imports };
  }
}
