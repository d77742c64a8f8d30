import { CoreModule } from '#core';
import { ProjectorModule } from '#projector';
import { Module } from '@nestjs/common';

/** A process with the role projector only. It serves health and metrics, no API. */
@Module({ imports: [CoreModule.forRoot({ name: 'projector' }), ProjectorModule] })
export class ProjectorAppModule {}
