import { jittered, pause } from '#concurrency';
import type { Feed } from './feed.js';

/** For how long the place of a feed may fail to be stored. */
const PATIENCE_MS = 60_000;

export interface PlaceWriterOptions {
  readonly placeMs: number;
  readonly failed: (cause: unknown) => void;
  /** The place could not be stored for a minute. */
  readonly gaveUp: (cause: unknown) => void;
}

/** Stores the place of a feed: one write at a time, each with everything that has finished until then. */
export class PlaceWriter {
  readonly #feed: Feed;
  readonly #options: PlaceWriterOptions;
  #dirty = false;
  #running: Promise<void> | undefined;
  #last: { batch: unknown; count: number; above: string | undefined } | undefined;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #failingSince: number | undefined;
  #failures = 0;
  readonly #hurry = new AbortController();

  constructor(feed: Feed, options: PlaceWriterOptions) {
    this.#feed = feed;
    this.#options = options;
  }

  moved(): void {
    this.#dirty = true;
    this.#running ??= this.#run();
  }

  /** Resolves when everything that has finished is stored, or the feed is dead. */
  async flush(): Promise<void> {
    this.#hurry.abort();
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    const { placeMs, failed, gaveUp } = this.#options;
    while (this.#dirty && !this.#feed.dead) {
      const wait = this.#writtenAt + placeMs - performance.now();
      await pause(Math.max(0, wait), this.#hurry.signal);
      this.#dirty = false;
      const place = this.#feed.place();
      if (place === undefined || this.#feed.dead || this.#isStored(place)) continue;
      this.#writtenAt = performance.now();
      try {
        await place.batch.commit(place.count, place.above);
        this.#last = place;
        this.#failingSince = undefined;
        this.#failures = 0;
      } catch (cause) {
        this.#dirty = true;
        this.#failingSince ??= performance.now();
        failed(cause);
        if (performance.now() - this.#failingSince > PATIENCE_MS) {
          gaveUp(cause);
          this.#failingSince = undefined;
        }
        await pause(jittered(Math.min(2_000, 20 * 2 ** Math.min(++this.#failures, 10))));
      }
    }
    this.#running = undefined;
  }

  #isStored(place: { batch: unknown; count: number; above: string | undefined }): boolean {
    const last = this.#last;
    return last !== undefined && last.batch === place.batch && last.count === place.count && last.above === place.above;
  }
}
