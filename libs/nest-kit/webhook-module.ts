import { Module } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, HttpAdapterHost, MetadataScanner, ModulesContainer } from '@nestjs/core';
import { FOR_ROOT } from './decorators.js';
import { TEST_DOUBLE } from './test-double.js';
import { ConfigurableWebhookModule, WEBHOOK_OPTIONS } from './webhook-options.js';
import { WebhookRunner } from './webhook-runner.js';

/**
 * Receives the webhooks of a subscription: `SimpulWebhookModule.forRoot({ secrets, path })` in the root module of an app on Express or Fastify. The handlers are the methods with `@OnEvent` and `@OnBatch`, with
 * their guards, interceptors, pipes and filters; a request is answered when they have ended. The path stands as it is, without global prefix and version, and before body parsers and middleware (with `cors` on Fastify, the plug-in of CORS answers `OPTIONS` first).
 * With `SimpulModule` in the same app, that one publishes and reads, and handlers get events from the webhook only. A wrong wiring ends the start with one `StartFault`.
 */
@Module({
  imports: [DiscoveryModule],
  providers: [
    { provide: FOR_ROOT, useValue: true },
    {
      provide: WebhookRunner,
      inject: [
        { token: WEBHOOK_OPTIONS, optional: true },
        HttpAdapterHost,
        DiscoveryService,
        MetadataScanner,
        ModulesContainer,
        { token: TEST_DOUBLE, optional: true },
      ],
      useFactory: (...deps: ConstructorParameters<typeof WebhookRunner>) => new WebhookRunner(...deps),
    },
  ],
  exports: [FOR_ROOT],
})
export class SimpulWebhookModule extends ConfigurableWebhookModule {}
