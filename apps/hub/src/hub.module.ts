import type { HubParts } from '#hub';
import { Module, type DynamicModule } from '@nestjs/common';

/** Root module of the process: its life cycle; doors and folds are wired in libs/hub. */
@Module({})
export class HubModule {
  static of({ life, folds }: HubParts): DynamicModule {
    return { module: HubModule, imports: folds ? [life, folds] : [life] };
  }
}
