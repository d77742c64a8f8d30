import { CoreModule } from '#core';
import { ProjectorModule } from '#projector';
import { WatchModule } from '#watch';
import { Module } from '@nestjs/common';

/** A process with the role projector only. It serves health and metrics, no API. */
@Module({ imports: [CoreModule.forRoot({ name: 'projector' }), ProjectorModule, WatchModule] })
export class ProjectorAppModule {}
