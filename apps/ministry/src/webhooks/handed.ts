import { deferred } from '#concurrency';
import type { Sink } from '#consuming';
import type { ReadEvent } from '#sdk';

/** Hands events that came to a system of an office to the handlers of the app, each once, and knows when they have ended. */
export class Handed {
  readonly #feed: string;
  /** What came in, by a mark of the event; resolved when it is handled. */
  readonly #works = new Map<string, Promise<void>>();
  readonly #open = new Map<string, () => void>();
  readonly #sink = deferred<Sink>();
  #taking: Promise<void> = Promise.resolve();

  constructor(feed: string) {
    this.#feed = feed;
  }

  /** Events that were handled. */
  get received(): number {
    return this.#works.size - this.#open.size;
  }

  to(sink: Sink): void {
    this.#sink.resolve(sink);
  }

  /** The handler of the app has ended. */
  handled(event: ReadEvent): void {
    this.#open.get(keyOf(event))?.();
  }

  /** Resolves when the event is handled. `first` is called when that happens for the first time. After a crash of the hub an event may come again: it is handled once. */
  async hand(mark: string, event: ReadEvent, first: () => void): Promise<void> {
    let work = this.#works.get(mark);
    if (work === undefined) this.#works.set(mark, (work = this.#hand(event).then(first)));
    await work;
  }

  async #hand(event: ReadEvent): Promise<void> {
    const handled = deferred<void>();
    this.#open.set(keyOf(event), () => handled.resolve());
    // The hub keeps the place and repeats what was not answered, so there is nothing to store here.
    const batch = { feed: this.#feed, events: [{ event }], commit: () => Promise.resolve() };
    // The next batch of a feed comes when the consumer has taken the one before.
    this.#taking = this.#taking.then(async () => (await this.#sink.promise).deliver(batch));
    await this.#taking;
    await handled.promise;
    this.#open.delete(keyOf(event));
  }
}

const keyOf = ({ source, id }: ReadEvent): string => `${source}\n${id}`;
