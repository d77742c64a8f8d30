interface Identity {
  readonly source: string;
  readonly id: string;
  readonly digest?: string;
}

/**
 * Finds copies among the events that a reader receives: a copy has the same source, id and (where both have one) digest as an earlier event (R2).
 * Remembers the newest `size` events, so an older copy is not found.
 */
export class Deduplicator {
  readonly #known = new Map<string, string | undefined>();
  readonly #size: number;

  constructor(size = 50_000) {
    this.#size = size;
  }

  /** false: the event is a copy. An event with other content under a used id is an event of its own (R2.5). */
  isNew(e: Identity): boolean {
    const key = `${e.source}\n${e.id}`;
    if (this.#known.has(key)) {
      const digest = this.#known.get(key);
      if (digest === e.digest || digest === undefined || e.digest === undefined) return false;
      return this.isNew({ source: key, id: e.digest, digest: e.digest });
    }
    this.#known.set(key, e.digest);
    if (this.#known.size > this.#size) this.#known.delete(this.#known.keys().next().value!);
    return true;
  }
}
