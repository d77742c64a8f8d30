import { pause } from '#concurrency';
import { legacy } from '#nest-kit';
import { isSdkFault, type EventPage, type Reader, type ReadEvent, type ReadOptions } from '#sdk';
import type { Office } from './office.js';

/** Events that one office follows. */
export interface Subscription {
  readonly office: Office;
  /** Event types of one stream. */
  readonly types: readonly string[];
  /** Only events that concern the office itself. */
  readonly own?: boolean;
  /** Poll at this interval instead of a live stream: for streams with many events of other offices, where an open live stream costs more. */
  readonly pollMs?: number;
}

/** An event as one office received it. */
export interface ReceivedEvent {
  readonly event: ReadEvent;
  readonly office: Office;
}

export interface SubscriptionsReport {
  /** A subscription ended with an error, its live stream has a gap, or a handler failed. */
  fault?(text: string): void;
}

const RETRY_MS = 500;
/** The day starts at `from` and is not continued after a restart, so no cursor is stored. */
const NO_PLACES = { load: () => undefined, save: () => undefined };

/**
 * The event source of the Nest app: one StreamSource for each subscription, under the key of the office that subscribes. Handlers get
 * `ReceivedEvent[]`. A failed batch is delivered again after 500 ms and holds back its own subscription only; a subscription that the hub refuses ends
 * alone. Subscriptions may be added before and after `run`.
 */
export class Subscriptions implements legacy.EventSource {
  readonly #from: string;
  readonly #report: SubscriptionsReport;
  readonly #stopped = Promise.withResolvers<void>();
  readonly #waiting: Subscription[] = [];
  readonly #sources: legacy.StreamSource[] = [];
  readonly #running: Promise<void>[] = [];
  #deliver: legacy.Deliver | undefined;

  /** `from`: append time at which the day starts, so that a connection that is cut before the first event loses nothing. */
  constructor(from: string, report: SubscriptionsReport = {}) {
    this.#from = from;
    this.#report = report;
  }

  add(subscription: Subscription): void {
    if (this.#deliver === undefined) this.#waiting.push(subscription);
    else this.#running.push(this.#start(subscription, this.#deliver));
  }

  async run(deliver: legacy.Deliver): Promise<void> {
    this.#deliver = deliver;
    for (const subscription of this.#waiting.splice(0)) this.add(subscription);
    await this.#stopped.promise;
    await Promise.all(this.#running);
  }

  async stop(): Promise<void> {
    this.#stopped.resolve();
    await Promise.all(this.#sources.map((source) => source.stop()));
    await Promise.all(this.#running);
  }

  async #start(subscription: Subscription, deliver: legacy.Deliver): Promise<void> {
    const { office, types } = subscription;
    const fault = (text: string): void => this.#report.fault?.(`${office.name}: ${text}`);
    const source = new legacy.StreamSource({
      reader: readerOf(subscription, fault),
      types,
      places: NO_PLACES,
      from: this.#from,
      retryMs: RETRY_MS,
      report: { handlerFailed: (type, cause) => fault(`${type}: ${String(cause)}`) },
    });
    this.#sources.push(source);
    const deliverReceived: legacy.Deliver = (type, batch, signal) =>
      deliver(
        type,
        (batch as ReadEvent[]).map((event): ReceivedEvent => ({ event, office })),
        signal,
      );
    try {
      await source.run(deliverReceived);
    } catch (e) {
      fault(`${types.join(', ')}: ${isSdkFault(e) ? e.message : String(e)}`);
    }
  }
}

/** The pages of one subscription, from a live stream or by polling. */
function readerOf(subscription: Subscription, fault: (text: string) => void): Pick<Reader, 'pages'> {
  const { office, own, pollMs } = subscription;
  const unit = own === true ? { unit: office.owner } : {};
  return {
    pages: (stream, options = {}) =>
      pollMs === undefined
        ? livePages(office.reader, stream, { ...options, ...unit }, () => fault(`${stream}: gap`))
        : polledPages(office.reader, stream, { ...options, ...unit }, pollMs),
  };
}

async function* livePages(
  reader: Reader,
  stream: string,
  { from, type, unit, signal }: ReadOptions,
  gap: () => void,
): AsyncGenerator<EventPage> {
  const options = {
    ...(from === undefined ? {} : { from }),
    ...(type === undefined ? {} : { type }),
    ...(unit === undefined ? {} : { unit }),
    ...(signal === undefined ? {} : { signal }),
  };
  for await (const event of reader.live(stream, { ...options, report: { gap } }))
    yield { events: [event], next: event.position };
}

/** Reads to the end of the stream, waits about `pollMs` (with jitter, so that offices do not poll together), and goes on at the cursor. */
async function* polledPages(
  reader: Reader,
  stream: string,
  { from = 'earliest', follow: _follow, ...options }: ReadOptions,
  pollMs: number,
): AsyncGenerator<EventPage> {
  let at: { from: string } | { cursor: string } = { from };
  while (options.signal?.aborted !== true) {
    for await (const page of reader.pages(stream, { ...options, ...at, limit: 500 })) {
      yield page;
      at = { cursor: page.next };
    }
    await pause(pollMs * (0.75 + Math.random() / 2), options.signal);
  }
}
