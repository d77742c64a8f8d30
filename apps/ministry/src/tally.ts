export interface Fact {
  readonly label: string;
  readonly id: string;
  readonly en: string;
}

/** What the screen shows: counts, and the last facts in plain words. */
export class Tally {
  accepted = 0;
  refused = 0;
  unknown = 0;
  /** Publications without an outcome yet. */
  open = 0;
  expected = 1;
  lagSeconds: number | undefined;
  readonly units = new Set<string>();
  unitTotal = 0;
  readonly #facts = new Map<string, Fact>();
  #version = 0;

  /** `slot`: a newer fact of the same slot takes the place of the older. */
  fact(slot: string, label: string, id: string, en: string): void {
    this.#facts.delete(slot);
    this.#facts.set(slot, { label, id, en });
    if (this.#facts.size > 12) this.#facts.delete(this.#facts.keys().next().value!);
    this.#version++;
  }

  get version(): number {
    return this.#version;
  }

  /** Newest last. */
  facts(n: number): Fact[] {
    return [...this.#facts.values()].slice(-n);
  }

  get progress(): number {
    return Math.min(1, this.accepted / this.expected);
  }
}
