import { CoreModule } from '#core';
import { SubscriptionDoorsModule } from '#courier';
import { GatewayModule } from '#gateway';
import { Module } from '@nestjs/common';

/** A process with the role gateway only; it needs a projector in another process. */
@Module({ imports: [CoreModule.forRoot({ name: 'gateway' }), GatewayModule, SubscriptionDoorsModule] })
export class GatewayAppModule {}
