import { CoreModule } from '#core';
import { GatewayModule } from '#gateway';
import { WatchDoorModule } from '#watch';
import { Module } from '@nestjs/common';

/** A process with the role gateway only; it needs a projector in another process. */
@Module({ imports: [CoreModule.forRoot({ name: 'gateway' }), GatewayModule, WatchDoorModule] })
export class GatewayAppModule {}
