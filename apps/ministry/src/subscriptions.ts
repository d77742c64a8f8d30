import { HubSource, reasonOf, SourceSet, type ConsumerReport } from '#consuming';
import type { EventToken } from '#sdk';
import type { Directorates } from './directorates.js';
import type { Office } from './office.js';

/** Events that one office follows. */
export interface Subscription {
  readonly office: Office;
  /** Event types of one stream. */
  readonly types: readonly EventToken[];
  /** Only events that concern the office itself. */
  readonly own?: boolean;
  /** Look at this interval instead of following live: for streams with many events of other offices, where an open live stream costs more. */
  readonly pollMs?: number;
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

  /**
   * `from`: append time at which the day starts, so that a connection that is cut before the first event loses nothing. `directorates`: those that read from Kafka
   * instead.
   */
  constructor(from: string, report: SubscriptionsReport = {}, directorates?: Directorates) {
    this.#from = from;
    this.#directorates = directorates;
    this.#fault = (text) => report.fault?.(text);
    this.source = new SourceSet([], {
      failed: (owner, fault) => this.#fault(`${this.#names.get(owner) ?? owner}: ${reasonOf(fault)}`),
    });
  }

  /** Also while the app runs. */
  add({ office, types, own, pollMs }: Subscription): void {
    this.#names.set(office.owner, office.name);
    if (this.#directorates?.has(office) === true) {
      this.#directorates.follow(office, types);
      return;
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
  }

  /** All subscriptions of the day are added. */
  planned(): void {
    this.#directorates?.open(this.source);
  }

  /** What the consumer of the app tells. */
  readonly report: ConsumerReport = {
    failed: ({ type, cause }) => this.#fault(`${type}: ${reasonOf(cause)}`),
  };
}
