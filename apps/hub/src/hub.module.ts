import { CoreModule } from '#core';
import { CourierModule } from '#courier';
import { GatewayModule } from '#gateway';
import { ProjectorModule } from '#projector';
import { WatchDoorModule, WatchModule } from '#watch';
import { Module } from '@nestjs/common';

/** The whole hub in one process: every role. */
@Module({
  imports: [
    CoreModule.forRoot({ name: 'hub' }),
    GatewayModule,
    ProjectorModule,
    CourierModule,
    WatchModule,
    WatchDoorModule,
  ],
})
export class HubModule {}
