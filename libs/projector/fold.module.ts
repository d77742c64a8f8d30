import { Batch, OnEvent, SimpulContext } from '#nest-kit';
import { FOLD_PATTERN, type FoldBatch, type FoldOutcome } from '#projection';
import { Controller, Inject, Module, type DynamicModule } from '@nestjs/common';
import { Ctx } from '@nestjs/microservices';
import type { ProjectorRole } from './projector.js';

const PROJECTOR = Symbol('projector');

/** The hub's own handler on the transport that units use: one batch in, where to read on out. */
@Controller()
export class FoldController {
  constructor(@Inject(PROJECTOR) private readonly projector: Pick<ProjectorRole, 'fold'>) {}

  @OnEvent(FOLD_PATTERN)
  fold(@Batch() work: FoldBatch, @Ctx() context: SimpulContext): Promise<FoldOutcome> {
    return this.projector.fold(work, context.signal);
  }
}

@Module({})
export class FoldModule {
  static of(projector: Pick<ProjectorRole, 'fold'>): DynamicModule {
    return {
      module: FoldModule,
      controllers: [FoldController],
      providers: [{ provide: PROJECTOR, useValue: projector }],
    };
  }
}
