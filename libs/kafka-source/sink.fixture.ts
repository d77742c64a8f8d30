import type { FeedBatch, ReceivedEvent, Sink } from '#consuming';

/** A consumer for tests: keeps what it gets, stores places behind what its handler has finished. */
export class TestSink implements Sink {
  readonly events: ReceivedEvent[] = [];
  readonly revoked: string[] = [];
  readonly #work = new Map<string, Promise<void>>();
  readonly #listeners = new Set<() => void>();
  /** Handles one event; the default does nothing. */
  handle: ((event: ReceivedEvent, feed: string) => Promise<void> | void) | undefined;
  /** false: places are not stored. */
  commits = true;

  async deliver(batch: FeedBatch): Promise<void> {
    const work = this.#take(batch);
    this.#work.set(batch.feed, work);
    await work;
  }

  async #take(batch: FeedBatch): Promise<void> {
    let done = 0;
    for (const received of batch.events) {
      if (this.revoked.includes(batch.feed) && this.handle !== undefined) break;
      if (this.handle !== undefined) await this.handle(received, batch.feed);
      this.events.push(received);
      done++;
      for (const listener of this.#listeners) listener();
    }
    if (this.commits) await batch.commit(done).catch(() => undefined);
    for (const listener of this.#listeners) listener();
  }

  async revoke(feed: string, withinMs: number): Promise<void> {
    this.revoked.push(feed);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)));
    await Promise.race([this.#work.get(feed), late]);
    clearTimeout(timer);
    this.revoked.splice(this.revoked.indexOf(feed), 1);
  }

  /** Resolves when the condition holds; asked after each event. */
  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!isSo()) return;
        this.#listeners.delete(look);
        resolve();
      };
      this.#listeners.add(look);
      look();
    });
  }
}
