import { pause } from '#concurrency';
import { reasonOf, type Consumer } from '#consuming';
import type { SourceParts, TestDouble } from '#nest-kit';
import type { EventOf, EventToken, ReadEvent, Receipt, Step } from '#sdk';
import type { GivenEvent, TestHub } from '#testing';
import type { OnApplicationShutdown } from '@nestjs/common';
import { CountedSource, type ParkedEvent } from './counted-source.js';
import { SimpulTestFault } from './fault.js';

export interface WithHub {
  readonly hub: TestHub;
  readonly key: string;
  readonly from: string | undefined;
  /** Whether the hub ends with the app. */
  readonly ownsHub: boolean;
}

const SETTLE_MS = 10_000;

/** An app under test at a hub of its own (`startTestHub`). */
export class SimpulTest implements OnApplicationShutdown {
  readonly hub: TestHub;
  /** The API key of the app. */
  readonly key: string;
  readonly double: TestDouble;
  readonly #ownsHub: boolean;
  #consumer: Consumer | undefined;
  #source: CountedSource | undefined;
  #sent = 0;
  #unsent = 0;
  #ended: unknown;

  constructor({ hub, key, from, ownsHub }: WithHub) {
    this.hub = hub;
    this.key = key;
    this.#ownsHub = ownsHub;
    this.double = {
      options: ({ places: _places, ...own }) => ({
        ...own,
        ...{ url: hub.url, key, placeMs: 5 },
        source: ({ reader, report }: SourceParts) =>
          (this.#source = new CountedSource({
            ...{ reader, report, from: from ?? own.from ?? 'earliest' },
            ofSubscription: (own.source ?? 'hub') === 'hub',
          })),
        ended: (fault) => {
          this.#ended = fault;
          own.ended?.(fault);
        },
        publisher: {
          ...own.publisher,
          report: {
            step: (step) => {
              this.#step(step);
              own.publisher?.report?.step?.(step);
            },
          },
        },
      }),
      consumer: (consumer) => (this.#consumer = consumer),
    };
  }

  /** Publishes the events as their units, as `TestHub.given` does; resolves when also the app has handled them (`settled`). */
  async given(events: readonly GivenEvent[], options: { readonly deadlineMs?: number } = {}): Promise<Receipt[]> {
    const receipts = await this.hub.given(events);
    await this.settled(options);
    return receipts;
  }

  /** All events of a type that the hub has recorded, by whomever, when the app has settled. See `TestHub.published`. */
  published<T extends object>(type: EventToken<T>): Promise<EventOf<T>[]>;
  published(type: string): Promise<ReadEvent[]>;
  async published<T extends object>(type: EventToken<T> | string): Promise<(EventOf<T> | ReadEvent)[]> {
    await this.settled();
    return typeof type === 'string' ? this.hub.published(type) : this.hub.published(type);
  }

  /**
   * Resolves when the handlers of the app have finished every event that the hub has, also those that they published themselves meanwhile, and readers and views have all of
   * them. An event is finished when its handler has ended, when it is a dead letter, or when it is parked. Rejects with `app_ended` when the app handles no events any
   * more, its cause being the fault, and with `app_not_settled` at the deadline. @default 10 s
   */
  async settled({ deadlineMs = SETTLE_MS }: { readonly deadlineMs?: number } = {}): Promise<void> {
    const until = performance.now() + deadlineMs;
    const wait = async (open: () => string): Promise<void> => {
      for (;;) {
        if (this.#ended !== undefined) throw new SimpulTestFault('app_ended', reasonOf(this.#ended), this.#ended);
        const what = open();
        if (what === '') return;
        if (performance.now() > until) throw new SimpulTestFault('app_not_settled', what);
        await pause(2);
      }
    };
    for (;;) {
      const sent = this.#sent;
      await wait(() => (this.#unsent > 0 ? `${this.#unsent} events to publish` : ''));
      await this.hub.settled({ deadlineMs: Math.max(1, until - performance.now()) });
      await this.#source?.look();
      await wait(() => this.#open());
      if (this.#unsent === 0 && this.#sent === sent) return;
    }
  }

  /**
   * Events that a handler of the app has given up, with the code of what it threw: at a hub in operation they come again, and are parked in the end. What follows them of their subject
   * is not given to the app, as there.
   */
  parked(): readonly ParkedEvent[] {
    return [...(this.#source?.parked ?? [])];
  }

  /** What the app has not finished. */
  #open(): string {
    const missing = this.#source?.missing() ?? [];
    const feeds = this.#consumer?.status().feeds.filter(({ open, parked }) => open > parked) ?? [];
    return [...missing, ...feeds.map(({ feed, open }) => `${feed} (${open})`)].join(', ');
  }

  #step({ kind }: Step): void {
    if (kind === 'invoke') {
      this.#sent++;
      this.#unsent++;
    } else if (kind !== 'info') this.#unsent--;
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.#ownsHub) await this.hub.stop();
  }
}
