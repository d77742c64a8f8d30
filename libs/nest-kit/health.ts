import { reasonOf, type ConsumerStatus, type SubscriptionStanding } from '#consuming';
import { Injectable } from '@nestjs/common';
import type { Hub } from './hub.js';
import type { Runner } from './runner.js';

/** The result of a health indicator, as `@nestjs/terminus` expects it. */
export type SimpulHealthResult = Record<
  string,
  {
    readonly status: 'up' | 'down';
    readonly hub: string;
    readonly consumer?: ConsumerStatus['state'];
    /** Events that stand and hold their subjects: at the hub with a subscription, else in this process. */
    readonly parked?: number;
    /** Dead letters of the subscription. */
    readonly dead?: number;
  }
>;

/** For `HealthCheckService.check([() => health.isHealthy('simpul')])` of `@nestjs/terminus`. */
@Injectable()
export class SimpulHealth {
  readonly #hub: Hub;
  readonly #runner: Runner;

  constructor(hub: Hub, runner: Runner) {
    this.#hub = hub;
    this.#runner = runner;
  }

  /** `up`: the hub answers to the key of the app, and the consumer, if the app has handlers, has not ended. Answers within 5 s. */
  async isHealthy(name = 'simpul'): Promise<SimpulHealthResult> {
    let hub = 'up';
    try {
      await this.#hub.reader.me({ deadlineMs: 0, signal: AbortSignal.timeout(5_000) });
    } catch (cause) {
      hub = reasonOf(cause);
    }
    const standing = await this.#standing();
    const status = this.#runner.status();
    const down = hub !== 'up' || (status !== undefined && status.state !== 'running');
    return {
      [name]: {
        status: down ? 'down' : 'up',
        hub,
        ...(status === undefined
          ? {}
          : { consumer: status.state, parked: status.feeds.reduce((sum, feed) => sum + feed.parked, 0) }),
        ...(standing === undefined ? {} : { parked: standing.parked, dead: standing.dead }),
      },
    };
  }

  /** undefined: no subscription, or the hub does not say. */
  async #standing(): Promise<SubscriptionStanding | undefined> {
    return this.#runner.subscription?.standing(AbortSignal.timeout(5_000)).catch(() => undefined);
  }
}
