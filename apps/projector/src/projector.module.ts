import { Module, type DynamicModule } from '@nestjs/common';

/** Root module of the process. */
@Module({})
export class ProjectorModule {
  static of(imports: DynamicModule[]): DynamicModule {
    return { module: ProjectorModule, imports };
  }
}
