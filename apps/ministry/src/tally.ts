export interface Fact {
  readonly label: string;
  readonly id: string;
  readonly en: string;
}

/** Counts of the day and the last facts for the screen. */
export class Tally {
  accepted = 0;
  refused = 0;
  /** Attempts without a definite answer; the SDK sends these events again. */
  uncertain = 0;
  /** Requests without an outcome yet. */
  open = 0;
  expected = 1;
  lagSeconds: number | undefined;
  readonly #acceptedOf = new Map<string, number>();
  readonly units = new Set<string>();
  unitTotal = 0;
  readonly #facts = new Map<string, Fact>();
  readonly #stories: Fact[] = [];
  #version = 0;

  /** The hub has accepted an event of this type. */
  accept(type: string): void {
    this.accepted++;
    this.#acceptedOf.set(type, this.acceptedOf(type) + 1);
  }

  acceptedOf(type: string): number {
    return this.#acceptedOf.get(type) ?? 0;
  }

  /** Adds a fact. A newer fact with the same `slot` replaces the older one. */
  fact(slot: string, label: string, id: string, en: string): void {
    this.#facts.delete(slot);
    this.#facts.set(slot, { label, id, en });
    if (this.#facts.size > 12) this.#facts.delete(this.#facts.keys().next().value!);
    this.#version++;
  }

  get version(): number {
    return this.#version;
  }

  /** Adds a fact that stays on the screen until two later ones have come: what went wrong in the day, and how it ended. */
  story(label: string, id: string, en: string): void {
    this.#stories.push({ label, id, en });
  }

  /** Newest last; the last two stories first. */
  facts(n: number): Fact[] {
    const stories = this.#stories.slice(-Math.min(2, n));
    return [...stories, ...[...this.#facts.values()].slice(-(n - stories.length))];
  }

  get stories(): readonly Fact[] {
    return this.#stories;
  }

  get progress(): number {
    return Math.min(1, this.accepted / this.expected);
  }
}
