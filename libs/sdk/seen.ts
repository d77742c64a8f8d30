interface Identity {
  readonly source: string;
  readonly id: string;
  readonly digest?: string;
}

/**
 * Which events were handed out: a copy has the same source, id and (where told) digest (R2).
 * Remembers the newest `size` events.
 */
export class Seen {
  readonly #known = new Map<string, string | undefined>();
  readonly #size: number;

  constructor(size = 50_000) {
    this.#size = size;
  }

  /** true the first time. Other content under a used id is an event of its own (R2.5). */
  first(e: Identity): boolean {
    const key = `${e.source}\n${e.id}`;
    if (this.#known.has(key)) {
      const digest = this.#known.get(key);
      if (digest === e.digest || digest === undefined || e.digest === undefined) return false;
      return this.first({ source: key, id: e.digest, digest: e.digest });
    }
    this.#known.set(key, e.digest);
    if (this.#known.size > this.#size) this.#known.delete(this.#known.keys().next().value!);
    return true;
  }
}
