import { HubSource, reasonOf, SourceSet, type ConsumerReport } from '#consuming';
import type { EventToken } from '#sdk';
import type { Directorates } from './directorates.js';
import type { Office } from './office.js';
import type { PullKind, Pulls } from './pulls/pulls.js';
import type { ExactFilter } from './webhooks/subscription-door.js';
import type { WebhookOffice, Webhooks } from './webhooks/webhooks.js';

/** Events that one office follows. */
export interface Subscription {
  readonly office: Office;
  /** Event types of one stream. */
  readonly types: readonly EventToken[];
  /** Only events that concern the office itself. */
  readonly own?: boolean;
  /** Look at this interval instead of following live: for streams with many events of other offices, where an open live stream costs more. */
  readonly pollMs?: number;
  /** The hub sends the events to the office, by a subscription with these filters; a directorate that reads from Kafka goes on reading there. */
  readonly webhook?: { readonly filters?: readonly ExactFilter[] };
  /** The office pulls the events of a subscription with these filters. */
  readonly pull?: { readonly kind: PullKind; readonly filters?: readonly ExactFilter[] };
}

export interface SubscriptionsReport {
  /** A subscription ended with an error, events are missing, or a handler failed. */
  fault?(text: string): void;
}

/** The day starts at `from` and is not continued after a restart, so no place is stored. */
const NO_PLACES = { load: () => undefined, save: () => undefined };

/** What the offices of the day follow: one source of the Nest app for each subscription, under the key of the office and named after it. A subscription that the hub refuses ends alone. */
export class Subscriptions {
  /** The source of the Nest app: feeds `<owner>/<stream>`. */
  readonly source: SourceSet;
  readonly #from: string;
  readonly #fault: (text: string) => void;
  readonly #names = new Map<string, string>();
  readonly #directorates: Directorates | undefined;
  readonly #webhooks: Webhooks | undefined;
  readonly #pulls: Pulls | undefined;

  /**
   * `from`: append time at which the day starts, so that a connection that is cut before the first event loses nothing. `directorates`: those that read from Kafka
   * instead. `webhooks`: those that the hub sends events to. `pulls`: those that pull them.
   */
  constructor(
    from: string,
    report: SubscriptionsReport = {},
    directorates?: Directorates,
    webhooks?: Webhooks,
    pulls?: Pulls,
  ) {
    this.#from = from;
    this.#directorates = directorates;
    this.#webhooks = webhooks;
    this.#pulls = pulls;
    this.#fault = (text) => report.fault?.(text);
    this.source = new SourceSet([], {
      failed: (owner, fault) => this.#fault(`${this.#names.get(owner) ?? owner}: ${reasonOf(fault)}`),
    });
  }

  /** Also while the app runs, but for offices that get webhooks or pull: those have all to be there before planned(). */
  add({ office, types, own, pollMs, webhook, pull }: Subscription): WebhookOffice | undefined {
    this.#names.set(office.owner, office.name);
    if (this.#directorates?.has(office) === true) {
      this.#directorates.follow(office, types);
      return undefined;
    }
    if (webhook !== undefined && this.#webhooks !== undefined)
      return this.#webhooks.follow(office, types, webhook.filters ?? []);
    if (pull !== undefined && this.#pulls !== undefined) {
      this.#pulls.follow(pull.kind, office, types, pull.filters ?? []);
      return undefined;
    }
    const tell = (stream: string, what: string): void => this.#fault(`${office.name}: ${stream}: ${what}`);
    const source = new HubSource({
      reader: office.reader,
      places: NO_PLACES,
      from: this.#from,
      ...(own === true ? { unit: office.owner } : {}),
      ...(pollMs === undefined ? { live: true } : { pollMs }),
      report: {
        damaged: (stream, positions) => tell(stream, `corrupt_record ${positions.join(', ')}`),
        gap: (stream, code) => tell(stream, code),
      },
    });
    this.source.add({ name: office.owner, source, types: types.map(({ type }) => type) });
    return undefined;
  }

  /** All subscriptions of the day are added. Resolves when the hub has those with webhooks and those that are pulled. */
  async planned(): Promise<void> {
    this.#directorates?.open(this.source);
    await Promise.all([this.#webhooks?.open(this.source), this.#pulls?.open(this.source)]);
  }

  /** What the consumer of the app tells. */
  readonly report: ConsumerReport = {
    failed: ({ type, cause }) => this.#fault(`${type}: ${reasonOf(cause)}`),
  };
}
