/** Something that works, and that an operator should change: it is said at every start and stays in `/health/ready`. */
export interface Concern {
  /** What it is about: the name of a topic, or `cluster`. */
  readonly subject: string;
  readonly setting: string;
  readonly actual: string;
  readonly needed: string;
  /** The command that mends it, when there is one. */
  readonly command?: string;
}

/** The concerns of this process, one for each subject and setting, in the order in which they were found. */
export class Concerns {
  readonly #all = new Map<string, Concern>();

  /** Answers whether it is new or has changed. */
  note(concern: Concern): boolean {
    const key = `${concern.subject}\n${concern.setting}`;
    const before = this.#all.get(key);
    this.#all.set(key, concern);
    return before?.actual !== concern.actual;
  }

  /** What the concern was about is mended. */
  settle({ subject, setting }: Pick<Concern, 'subject' | 'setting'>): void {
    this.#all.delete(`${subject}\n${setting}`);
  }

  list(): readonly Concern[] {
    return [...this.#all.values()];
  }
}
