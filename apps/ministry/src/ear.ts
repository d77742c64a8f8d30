import type { Deliver, EventSource } from '#nest-kit';
import { isSdkFault, type ReadEvent } from '#sdk';
import type { Office } from './office.js';

export interface Wish {
  readonly office: Office;
  readonly stream: string;
  readonly types: readonly string[];
  /** Only events that concern the office itself. */
  readonly own?: boolean;
  /** Ask for new events every so many ms instead of holding a live stream: for streams where much passes by that is not for this office. */
  readonly everyMs?: number;
}

/** An event as one office has read it. */
export interface Heard {
  readonly event: ReadEvent;
  readonly office: Office;
}

const AGAIN_MS = 500;

/**
 * The event source of the Nest transport: each wish is a live stream (or a regular pull with a cursor) of its own through the hub, under the
 * office's own key, resumed after every cut. An event whose handler fails is handed over again before the stream goes on.
 * `from`: recorded time at which the day began, so that a cut before the first event loses nothing.
 */
export class Ear implements EventSource {
  readonly #stop = new AbortController();
  readonly #from: string;
  readonly #onFault: (text: string) => void;
  readonly #following: Promise<void>[] = [];
  readonly #wishes: Wish[] = [];
  #deliver: Deliver | undefined;

  constructor(from: string, onFault: (text: string) => void) {
    this.#from = from;
    this.#onFault = onFault;
  }

  listen(wish: Wish): void {
    this.#wishes.push(wish);
    if (this.#deliver !== undefined) this.#following.push(this.#follow(wish, this.#deliver));
  }

  async run(deliver: Deliver): Promise<void> {
    this.#deliver = deliver;
    for (const wish of this.#wishes) this.#following.push(this.#follow(wish, deliver));
    await new Promise<void>((done) => {
      if (this.#stop.signal.aborted) done();
      this.#stop.signal.addEventListener('abort', () => done(), { once: true });
    });
    await Promise.allSettled(this.#following);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#following);
  }

  async #follow(wish: Wish, deliver: Deliver): Promise<void> {
    const { office, stream } = wish;
    try {
      const events = wish.everyMs === undefined ? this.#live(wish) : this.#pull(wish, wish.everyMs);
      for await (const event of events) await this.#hand({ event, office }, deliver);
    } catch (e) {
      if (this.#stop.signal.aborted) return;
      this.#onFault(`${office.name}: ${stream}: ${isSdkFault(e) ? e.message : String(e)}`);
    }
  }

  #live({ office, stream, types, own }: Wish): AsyncIterable<ReadEvent> {
    return office.reader.live(stream, {
      from: this.#from,
      type: types,
      ...(own === true ? { unit: office.owner } : {}),
      signal: this.#stop.signal,
      onGap: () => this.#onFault(`${office.name}: ${stream}: gap`),
    });
  }

  async *#pull({ office, stream, types, own }: Wish, everyMs: number): AsyncGenerator<ReadEvent> {
    const signal = this.#stop.signal;
    let at: { from: string } | { cursor: string } = { from: this.#from };
    for (;;) {
      const pages = office.reader.pages(stream, {
        ...at,
        type: types,
        ...(own === true ? { unit: office.owner } : {}),
        limit: 500,
        signal,
      });
      for await (const page of pages) {
        yield* page.events;
        at = { cursor: page.next };
      }
      await office.connection.pause(everyMs * (0.75 + Math.random() / 2), signal);
    }
  }

  async #hand(heard: Heard, deliver: Deliver): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await deliver(heard.event.type, [heard], this.#stop.signal);
        return;
      } catch (e) {
        this.#onFault(`${heard.office.name}: ${heard.event.type}: ${String(e)}`);
        await heard.office.connection.pause(AGAIN_MS, this.#stop.signal).catch(() => undefined);
      }
    }
  }
}
