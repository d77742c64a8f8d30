import type { ConsumerReport, DeadLetters, EventSource, HubSourceReport, Inbox, Limits, Places } from '#consuming';
import type { Connection, PublisherOptions, Reader, SubscriptionWish } from '#sdk';
import { ConfigurableModuleBuilder } from '@nestjs/common';

/** What a factory of a source gets. */
export interface SourceParts {
  readonly group: string;
  readonly reader: Reader;
  readonly connection: Connection;
  readonly places: Places;
  readonly report: HubSourceReport;
}

/** The subscription of an app, with the source `hub`. */
export interface AppSubscription extends Pick<SubscriptionWish, 'filters' | 'units'> {
  /** One of the unit: lower-case letters, digits, `-`. @default the group, with `-` for other characters and a mark behind */
  readonly name?: string;
  /** When the hub has a subscription of this name with other types, filters or units: `stop` ends the start with `subscription_changed`, `update` changes it. @default stop */
  readonly onChange?: 'stop' | 'update';
  /** How long the hub keeps events for this process, ms, at most 60,000; after a crash they come again when it is over. @default 30 s, and more when handlers may take longer */
  readonly leaseMs?: number;
}

export interface SimpulOptions {
  /** Address of the hub. */
  readonly url: string;
  /** API key of the app: its unit and system are asked from the hub. */
  readonly key: string;
  /**
   * Where events come from: `hub` (a subscription, pulled; any number of processes share it), `stream` (the streams over HTTP, with places of the app, in one process), or another source,
   * such as `kafka({ … })`. @default hub
   */
  readonly source?: 'hub' | 'stream' | EventSource | ((parts: SourceParts) => EventSource);
  /** With the source `hub`. It is made at the first start, for the types that have a handler, and matched by its name later. */
  readonly subscription?: AppSubscription;
  /** Name of the consumer, in the subscription, places, inbox and dead letters. @default the system of the key */
  readonly group?: string;
  /**
   * Where places are kept, with the source `stream`. With `hub` the places of an earlier version of the app, which read streams: a subscription that is made goes on there. @default the
   * file `simpul-places.json` in the working directory
   */
  readonly places?: Places;
  /** Where a subscription that is made, or a stream without a place, begins: `earliest`, `latest`, a time, a position. @default earliest */
  readonly from?: string;
  /** See HubSourceOptions. @default stop */
  readonly onGap?: 'stop' | 'earliest';
  /** For `idempotent()`: `sqliteInbox(db)`, `pgInbox(pool)`. */
  readonly inbox?: Inbox;
  /** Where events go whose handler has `then: 'dead-letter'`. @default the hub, under `<unit>.<group>` */
  readonly deadLetters?: DeadLetters;
  /**
   * Handlers also get test events (`simpul trigger TYPE`), from the start of the app on, marked by `EventContext.test`. A test event is handled as any other, with all effects of
   * the handler; when it is given up it is no dead letter. For development. @default false
   */
  readonly testEvents?: boolean;
  readonly limits?: Limits;
  /** @default 100 */
  readonly placeMs?: number;
  /** How long the end of the app waits for handlers, ms. @default 25,000 */
  readonly stopMs?: number;
  /** How long the start waits for the hub, ms. @default 30,000 */
  readonly startMs?: number;
  /** Language of refusals. @default id */
  readonly language?: 'id' | 'en';
  readonly publisher?: Pick<PublisherOptions, 'width' | 'deadlineMs' | 'report' | 'sequences'>;
  /** What the consumer tells. @default log lines */
  readonly report?: ConsumerReport & HubSourceReport;
  /** The consumer has ended with a fault, and no event is handled any more. @default one log line, then the process ends with exit code 1 */
  readonly ended?: (fault: unknown) => void;
}

/** `isGlobal`: other modules need no import of it. @default true */
export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<SimpulOptions>({
  moduleName: 'Simpul',
})
  .setClassMethodName('forRoot')
  .setExtras({ isGlobal: true }, (definition, { isGlobal }) => ({ ...definition, global: isGlobal }))
  .build();
