import { CoreModule } from '#core';
import { CourierModule } from '#courier';
import { Module } from '@nestjs/common';

/** A process with the role courier only: it delivers to subscriptions, and answers the requests about them that gateways send on to it. */
@Module({ imports: [CoreModule.forRoot({ name: 'courier' }), CourierModule] })
export class CourierAppModule {}
