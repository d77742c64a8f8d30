import { SubscriptionDoorsModule } from '#subscription-doors';
import { Module } from '@nestjs/common';
import { CourierRunner } from './courier-runner.js';

/** The role courier: delivers events to the subscriptions of the partitions that it owns (R9). It has the doors of subscriptions, because gateways send requests on to it. */
@Module({ imports: [SubscriptionDoorsModule], providers: [CourierRunner] })
export class CourierModule {}
