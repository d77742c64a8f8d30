import { CORE, type Core } from '#core';
import { Courier, Feed, Hosts, leaseKey, PullMemory, type CourierReport, type DeliveryReport } from '#delivery';
import { innermostMessage, isFault, OnceAMinute } from '#faults';
import { SubscriptionHome } from '#subscription-doors';
import { MatchIndex, webhookSealKey, type CompiledSubscription } from '#subscriptions';
import { WebhookSender } from '#webhooks';
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { setDeliveryGauges } from './gauges.js';
import { WebhookPush } from './webhook-push.js';

/** Delivers to the subscriptions of the partitions that this process owns. */
@Injectable()
export class CourierRunner implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  #courier: Courier | undefined;
  #feed: Feed<CompiledSubscription> | undefined;
  #joined: () => void = () => undefined;
  #unlisten: () => void = () => undefined;

  constructor(
    @Inject(CORE) private readonly core: Core,
    private readonly home: SubscriptionHome,
    private readonly sender: WebhookSender,
  ) {}

  onModuleInit(): void {
    const { log, metrics, reading, registry, units, pseudonymKey, now, settings, limits } = this.core;
    const { catalogue } = registry;
    const sealKey = webhookSealKey(pseudonymKey);
    const feed = new Feed<CompiledSubscription>({
      reading,
      makeMatches: () => new MatchIndex(units.units),
      // Who catches up does not hold up requests, and takes its turn among all the work of its unit (R16.5).
      work: (unit) => limits.workOf({ unit, key: 'courier' }, 'batch'),
      interrupted: (stream, cause) => this.#failed(cause, { stream }),
    });
    this.#feed = feed;
    this.#courier = new Courier({
      log,
      reading,
      catalogue,
      units: units.units,
      feed,
      now,
      sealKey,
      subscriptions: this.home.tables,
      owners: this.home.owners,
      address: settings.address,
      // Only one process at a time has an embedded engine, wherever it listens.
      holder: settings.engine === 'embedded' ? settings.engine : settings.address,
      leaseKey: leaseKey(pseudonymKey),
      push: new WebhookPush(this.sender, sealKey, now, settings.webhookOrigin),
      hosts: new Hosts(),
      pullMemory: new PullMemory(),
      policy: settings.delivery,
      random: Math.random,
      report: this.#report(),
      courierReport: this.#courierReport(),
    });
    this.home.serve((partition) => this.#courier?.desk(partition));
    metrics.beforeScrape(() => this.#courier && setDeliveryGauges(metrics, this.#courier));
    this.#joined = this.core.readiness.expect('courier');
    this.#unlisten = registry.onRegistered(() => this.#courier?.catalogueChanged());
  }

  /** Not awaited: joining a Kafka group takes seconds. */
  onApplicationBootstrap(): void {
    this.#courier?.join().then(
      () => this.#joined(),
      (cause: unknown) => this.core.processEnd.fail('courier', cause),
    );
  }

  async onApplicationShutdown(): Promise<void> {
    this.#unlisten();
    await this.#courier?.close();
    this.#feed?.close();
  }

  #report(): DeliveryReport {
    const { metrics, logger, tableReport } = this.core;
    return {
      alarm: (code, facts) => {
        metrics.alarms.inc({ code });
        logger.warn({ code, ...facts }, 'delivery alarm');
      },
      damaged: (subscription, position) => {
        metrics.alarms.inc({ code: 'corrupt_record' });
        logger.error({ subscription, position }, 'a subscription came past a damaged record');
      },
      failed: (cause) => this.#failed(cause),
      attempted: ({ outcome, ms }) => {
        metrics.deliveries.inc({ outcome });
        metrics.deliverySeconds.observe(ms / 1_000);
      },
      table: tableReport,
    };
  }

  #courierReport(): CourierReport {
    const { metrics, logger } = this.core;
    const alarm = (code: string, facts: object): void => {
      metrics.alarms.inc({ code });
      logger.error({ code, ...facts }, 'courier alarm');
    };
    return {
      failed: (cause) => this.#failed(cause),
      disputed: (partition, times) => alarm('ownership_disputed', { partition, times }),
      epochsRaised: ({ partition, stored, epoch }) =>
        alarm('owners_mismatch', { partition, stored: String(stored), epoch: String(epoch) }),
      epochUnbelievable: ({ partition, stored, epoch }) =>
        alarm('owners_mismatch', { partition, stored: String(stored), epoch: String(epoch) }),
    };
  }

  readonly #once = new OnceAMinute(() => this.core.now());

  /** A log that does not answer is one line a minute, not one for each try. */
  #failed(cause: unknown, facts: object = {}): void {
    const code = isFault(cause) ? cause.code : 'internal';
    if (!this.#once.first(code)) return;
    this.core.logger.warn({ code, cause: innermostMessage(cause), ...facts }, 'delivery step failed, retried');
  }
}
