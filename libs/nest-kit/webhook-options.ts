import type { WebhookPluginOptions } from '#receiving';
import { ConfigurableModuleBuilder } from '@nestjs/common';

/** Handlers are those of the app (`@OnEvent`, `@OnBatch`); of their options `retryable` and `size` hold, the rest (attempts, waits, parking) is the hub's. */
export type SimpulWebhookOptions = WebhookPluginOptions;

export const { ConfigurableModuleClass: ConfigurableWebhookModule, MODULE_OPTIONS_TOKEN: WEBHOOK_OPTIONS } =
  new ConfigurableModuleBuilder<SimpulWebhookOptions>({ moduleName: 'SimpulWebhook' })
    .setClassMethodName('forRoot')
    // Classes with handlers in any module depend on what it exports.
    .setExtras({ isGlobal: true }, (definition, { isGlobal }) => ({ ...definition, global: isGlobal }))
    .build();
