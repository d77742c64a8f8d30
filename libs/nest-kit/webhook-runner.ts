import { ConsumerFault } from '#consuming';
import {
  middlewareOf,
  pluginOf,
  WebhookDoor,
  type DoorRequest,
  type FastifyScope,
  type WebhookAnswer,
  type WebhookMiddleware,
} from '#receiving';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DiscoveryService, HttpAdapterHost, MetadataScanner, ModulesContainer } from '@nestjs/core';
import { forgottenBeside } from './decorators.js';
import { findHandlers } from './handlers.js';
import { Lines } from './lines.js';
import { StartFault } from './start-fault.js';
import type { TestDouble } from './test-double.js';
import type { SimpulWebhookOptions } from './webhook-options.js';

const DEFAULT_PATH = '/webhooks/simpul';

/** Puts the door of the webhook before the body parsers of the app, and gives it the handlers when they are there. */
@Injectable()
export class WebhookRunner implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #lines = new Lines();
  readonly #options: SimpulWebhookOptions;
  #installed = false;
  #door: WebhookDoor | undefined;
  #working = 0;
  #idle: (() => void) | undefined;
  #closing = false;

  constructor(
    options: SimpulWebhookOptions | undefined,
    host: HttpAdapterHost,
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly modules: ModulesContainer,
    private readonly double?: TestDouble,
  ) {
    this.#options = checked(options);
    // Before app.init(), which adds the body parsers: what they have read has no bytes any more. A testing module gets its adapter later.
    if (host.httpAdapter) this.#install(host);
    else host.init$.subscribe(() => this.#install(host));
  }

  onApplicationBootstrap(): void {
    if (this.discovery.getProviders().filter(({ token }) => token === WebhookRunner).length > 1)
      throw new StartFault(
        'two_modules',
        'SimpulWebhookModule.forRoot is imported twice: import it once, in the root module; give it the secrets of all subscriptions that send to this app',
      );
    const found = findHandlers(this.discovery, this.scanner, this.modules);
    this.#lines.forgotten(forgottenBeside(found.map(({ method }) => method)));
    if (this.double?.handlers !== undefined) {
      this.double.handlers(found.map(({ handling }) => handling));
      return;
    }
    if (!this.#installed)
      throw new StartFault(
        'no_http',
        'SimpulWebhookModule receives HTTP requests, and this app has no HTTP server of Express or Fastify: start it with NestFactory.create(AppModule) or NestFactory.create(AppModule, new FastifyAdapter())',
      );
    try {
      this.#door = new WebhookDoor(
        found.map(({ handling }) => handling),
        { ...this.#options, report: { ...this.#lines.webhook(), ...this.#options.report } },
      );
    } catch (cause) {
      if (cause instanceof TypeError) throw noSecret(cause.message);
      if (!(cause instanceof ConsumerFault)) throw cause;
      throw new StartFault(
        'no_handler',
        'SimpulWebhookModule has no handler to give events to: write a method with @OnEvent(Token) in a provider of the app',
        cause,
      );
    }
  }

  /** Handlers end before the providers that they use; the hub brings the rest to the next process. */
  async onModuleDestroy(): Promise<void> {
    this.#closing = true;
    if (this.#working > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  async answer(request: DoorRequest): Promise<WebhookAnswer> {
    if (this.#door === undefined || this.#closing)
      return { status: 503, headers: { 'retry-after': '1' }, body: '{"code":"starting_or_ending"}' };
    this.#working++;
    try {
      return await this.#door.answer(request);
    } finally {
      this.#working--;
      if (this.#working === 0) this.#idle?.();
    }
  }

  #install({ httpAdapter }: HttpAdapterHost): void {
    const type = (httpAdapter as typeof httpAdapter | null)?.getType();
    const { path = DEFAULT_PATH } = this.#options;
    if (type === 'express')
      httpAdapter
        .getInstance<{ all(path: string, middleware: WebhookMiddleware): void }>()
        .all(path, middlewareOf(this));
    else if (type === 'fastify')
      void httpAdapter
        .getInstance<{ register(plugin: (scope: FastifyScope) => Promise<void>): unknown }>()
        .register(pluginOf(this, path));
    else return;
    this.#installed = true;
  }
}

function checked(options: SimpulWebhookOptions | undefined): SimpulWebhookOptions {
  const { secrets, path = DEFAULT_PATH } = options ?? ({} as Partial<SimpulWebhookOptions>);
  if (secrets === undefined || secrets.length === 0) throw noSecret('there is none');
  if (typeof path !== 'string' || !/^\/[A-Za-z0-9/_.~-]*$/.test(path))
    throw new StartFault(
      'no_path',
      `path of SimpulWebhookModule is the path of the URL of the subscription, such as ${DEFAULT_PATH}, not ${JSON.stringify(path)}`,
    );
  return options!;
}

const noSecret = (why: string): StartFault =>
  new StartFault(
    'no_secret',
    `SimpulWebhookModule needs the secret of the subscription (${why}): forRoot({ secrets: 'whsec_…' }). The hub shows it once, when the subscription is made; keep it in the environment, not in the code`,
  );
