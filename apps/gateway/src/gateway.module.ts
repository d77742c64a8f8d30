import type { HubParts } from '#hub';
import { Module, type DynamicModule } from '@nestjs/common';

/** Root module of the process: its life cycle; doors and folds are wired in libs/hub. */
@Module({})
export class GatewayModule {
  static of({ life }: HubParts): DynamicModule {
    return { module: GatewayModule, imports: [life] };
  }
}
