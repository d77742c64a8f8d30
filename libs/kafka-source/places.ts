import { Coalescer } from '#concurrency';
import { partitionKey } from '#event';

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

const keyOf = ({ topic, partition }: Place): string => partitionKey(topic, partition);

/** Stores the places of all partitions, one request at a time: what comes while one is under way shares the next one (coalesced). */
export class Places {
  readonly #writes: Coalescer<Place, boolean>;

  constructor(store: (places: readonly Place[]) => Promise<void>) {
    this.#writes = new Coalescer({
      run: async (places) => {
        const last = new Map(places.map((place) => [keyOf(place), place]));
        for (const [key, place] of last) if (!place.isOwn()) last.delete(key);
        if (last.size > 0) await store([...last.values()]);
        return places.map((place) => last.has(keyOf(place)));
      },
    });
  }

  /** Resolves when this place, or a later one of its partition, is stored. Rejects with the error of the request. */
  async store(place: Place): Promise<void> {
    if (!(await this.#writes.add(place))) throw new Error('the partition has another owner');
  }
}
