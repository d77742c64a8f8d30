import { CORE, HOT_DOORS, type Core } from '#core';
import { AttemptStream } from '#delivery';
import {
  ATTEMPTS_DOOR,
  AttemptsController,
  type AttemptsDoorDeps,
  Forwarder,
  READERS,
  type ReadersDeps,
  SubscriptionActsController,
  SubscriptionFailuresController,
  SUBSCRIPTIONS_DOOR,
  SubscriptionsController,
  subscriptionPullDoor,
  type SubscriptionsDoorDeps,
} from '#http';
import { eventText } from '#reading';
import { preview, publicKeysOf, readSpecWithUrl, webhookSealKey } from '#subscriptions';
import { WebhookSender } from '#webhooks';
import { Module, type OnApplicationShutdown } from '@nestjs/common';
import { SubscriptionHome } from './subscription-home.js';

/** The doors of subscriptions, for every process that answers requests: what it does not own itself, it sends on to the owner. */
@Module({
  controllers: [
    AttemptsController,
    SubscriptionsController,
    SubscriptionActsController,
    SubscriptionFailuresController,
  ],
  providers: [
    SubscriptionHome,
    {
      provide: Forwarder,
      inject: [CORE],
      useFactory: ({ settings }: Core) => new Forwarder({ address: settings.address }),
    },
    {
      provide: WebhookSender,
      inject: [CORE],
      useFactory: ({ settings, units }: Core) =>
        new WebhookSender({ allow: settings.webhookAllow, above: (unit) => units.units.above(unit) }),
    },
    {
      provide: READERS,
      inject: [CORE, SubscriptionHome, Forwarder],
      useFactory: ({ units }: Core, desks: SubscriptionHome, forwarder: Forwarder): ReadersDeps => ({
        desks,
        forwarder,
        units: units.units,
      }),
    },
    { provide: SUBSCRIPTIONS_DOOR, inject: [CORE, SubscriptionHome, Forwarder, WebhookSender], useFactory: doorOf },
    {
      provide: ATTEMPTS_DOOR,
      inject: [CORE, SubscriptionHome],
      useFactory: ({ limits, log, registry, units }: Core, home: SubscriptionHome): AttemptsDoorDeps => ({
        limits,
        attempts: new AttemptStream(log),
        list: listOf(home),
        catalogue: registry.catalogue,
        units: units.units,
      }),
    },
    {
      provide: HOT_DOORS,
      inject: [SUBSCRIPTIONS_DOOR],
      useFactory: (deps: SubscriptionsDoorDeps) => [subscriptionPullDoor(deps)],
    },
  ],
  exports: [SubscriptionHome, WebhookSender, READERS],
})
export class SubscriptionDoorsModule implements OnApplicationShutdown {
  constructor(
    private readonly forwarder: Forwarder,
    private readonly sender: WebhookSender,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    await this.sender.close();
    await this.forwarder.close();
  }
}

const listOf = (home: SubscriptionHome): SubscriptionsDoorDeps['list'] => ({
  get: (id) => home.tables.get(id),
  all: () => home.tables.all(),
});

function doorOf(
  core: Core,
  home: SubscriptionHome,
  forwarder: Forwarder,
  sender: WebhookSender,
): SubscriptionsDoorDeps {
  const { registry, units, limits, log, now, reading, settings } = core;
  const sealKey = webhookSealKey(core.pseudonymKey);
  const { catalogue } = registry;
  return {
    limits,
    units: units.units,
    list: listOf(home),
    desks: home,
    forwarder,
    most: settings.subscriptionsPerUnit,
    problemsOf: async (spec, { owner, system }) => {
      const rules = { owner, system, catalogue, units: units.units };
      const read = await readSpecWithUrl(spec, rules, (url) => sender.checkUrl(url, owner));
      return read.ok ? [] : read.problems;
    },
    preview: async (spec, { owner, system }, work) => {
      const { examples, ...found } = await preview(
        { ...spec, owner, system },
        { reading, catalogue, units: units.units, now },
        work,
      );
      return { ...found, examples: examples.map((event) => JSON.parse(eventText(event, 'json')) as object) };
    },
    publicKeys: (subscription) => publicKeysOf(subscription, sealKey, now()),
    log,
    now,
  };
}
