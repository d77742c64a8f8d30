import { deferred } from '#concurrency';
import {
  HubSource,
  type EventSource,
  type FeedBatch,
  type HubSourceReport,
  type Interest,
  type Places,
  type Sink,
} from '#consuming';
import type { Reader, ReadEvent } from '#sdk';
import { streamOf } from '#event';

/** An event that its handler gave up, as the hub would park it, and the code of the cause. */
export interface ParkedEvent {
  readonly event: ReadEvent;
  readonly code: string;
}

export interface CountedSourceOptions {
  readonly reader: Reader;
  /** Where reading begins: `earliest`, `latest`, a time, a position. */
  readonly from: string;
  readonly report: HubSourceReport;
  /** As in operation the app is given the events of a subscription. */
  readonly ofSubscription: boolean;
}

/** The hub as a source of an app under test. It knows how many events it has given, and how many of the same types the hub has. Its places are forgotten with it. */
export class CountedSource implements EventSource {
  /** Handlers have the defaults, and the bounds, that they have with a subscription of the hub. */
  readonly keepsAccount: boolean;
  readonly #options: CountedSourceOptions;
  readonly #places = new Map<string, string>();
  readonly #types = new Map<string, string[]>();
  readonly #given = new Map<string, number>();
  /** How far `missing` has read each stream, and how many events it has seen. */
  readonly #seen = new Map<string, { cursor: string | undefined; count: number }>();
  readonly #ready = deferred<void>();
  readonly #standing = new Set<string>();
  /** With `ofSubscription`. What follows them of their subject is given to nobody. */
  readonly parked: ParkedEvent[] = [];
  #source: HubSource | undefined;
  #stopped = false;

  constructor(options: CountedSourceOptions) {
    this.#options = options;
    this.keepsAccount = options.ofSubscription;
  }

  async run(sink: Sink, interest: Interest): Promise<void> {
    const { reader, from, report } = this.#options;
    for (const type of interest.types) {
      const stream = streamOf(type);
      this.#types.set(stream, [...(this.#types.get(stream) ?? []), type]);
    }
    if (from === 'latest')
      for (const [stream, type] of this.#types)
        for await (const { next } of reader.pages(stream, { from, type })) this.#places.set(stream, next);
    for (const [stream] of this.#types) this.#seen.set(stream, { cursor: this.#places.get(stream), count: 0 });
    this.#ready.resolve();
    if (this.#stopped) return;
    const places: Places = {
      load: (feed) => this.#places.get(feed),
      save: (feed, place) => void this.#places.set(feed, place),
    };
    this.#source = new HubSource({ reader, places, from, report });
    await this.#source.run(
      {
        deliver: (batch) => {
          const taken = sink.deliver(this.#options.ofSubscription ? this.#asSubscription(batch) : batch);
          this.#given.set(batch.feed, (this.#given.get(batch.feed) ?? 0) + batch.events.length);
          return taken;
        },
        revoke: (feed, withinMs) => sink.revoke(feed, withinMs),
      },
      interest,
    );
  }

  /** The hub would give an event that was given up again later; a test does not wait for that. */
  #asSubscription(batch: FeedBatch): FeedBatch {
    const laneOf = ({ subject }: ReadEvent): string => `${batch.feed}\n${subject}`;
    return {
      ...batch,
      events: batch.events.filter(({ event }) => !this.#standing.has(laneOf(event))),
      account: {
        mayBegin: () => true,
        wasHandled: (event) => this.#standing.has(laneOf(event)),
        finished: () => undefined,
        givenBack: (event, failure) => {
          this.#standing.add(laneOf(event));
          if (failure !== undefined) this.parked.push({ event, code: failure.code });
        },
      },
    };
  }

  /** Resolves when it is known where reading begins: what is published from then on is given to the app. */
  ready(): Promise<void> {
    return this.#ready.promise;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#source?.stop();
  }

  /** Reads what the hub has by now. */
  async look(): Promise<void> {
    const { reader, from } = this.#options;
    await this.ready();
    for (const [stream, seen] of this.#seen) {
      const at = seen.cursor === undefined ? { from } : { cursor: seen.cursor };
      const type = this.#types.get(stream)!;
      for await (const page of reader.pages(stream, { ...at, type, limit: 1_000 })) {
        seen.count += page.events.length;
        seen.cursor = page.next;
      }
    }
  }

  /** Streams of which the app has not been given everything that `look` has seen. */
  missing(): string[] {
    return [...this.#seen].filter(([s, { count }]) => (this.#given.get(s) ?? 0) < count).map(([s]) => s);
  }
}
