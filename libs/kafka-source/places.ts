export interface Place {
  readonly topic: string;
  readonly partition: number;
  /** Next offset to read. */
  readonly offset: number;
  /** What is finished behind the place: the metadata of the offset. */
  readonly above?: string | undefined;
  /** Whether the partition still belongs to this member: asked right before the request. */
  isOwn(): boolean;
}

interface Storing {
  place: Place;
  readonly waiters: { resolve(): void; reject(error: unknown): void }[];
}

/** Stores the places of all partitions, one request at a time: what comes while one is under way shares the next one (coalesced). */
export class Places {
  readonly #store: (places: readonly Place[]) => Promise<void>;
  #waiting = new Map<string, Storing>();
  #running = false;

  constructor(store: (places: readonly Place[]) => Promise<void>) {
    this.#store = store;
  }

  /** Resolves when this place, or a later one of its partition, is stored. Rejects with the error of the request. */
  store(place: Place): Promise<void> {
    const key = `${place.topic}/${place.partition}`;
    const storing = this.#waiting.get(key) ?? { place, waiters: [] };
    this.#waiting.set(key, storing);
    storing.place = place;
    return new Promise((resolve, reject) => {
      storing.waiters.push({ resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Calls of the same turn share the first request too.
    await Promise.resolve();
    while (this.#waiting.size > 0) {
      const all: Storing[] = [];
      for (const storing of this.#waiting.values())
        if (storing.place.isOwn()) all.push(storing);
        else for (const w of storing.waiters) w.reject(new Error('the partition has another owner'));
      this.#waiting = new Map();
      if (all.length === 0) continue;
      try {
        await this.#store(all.map(({ place }) => place));
        for (const { waiters } of all) for (const w of waiters) w.resolve();
      } catch (error) {
        for (const { waiters } of all) for (const w of waiters) w.reject(error);
      }
    }
    this.#running = false;
  }
}
