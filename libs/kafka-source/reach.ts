/** How long Kafka may fail before it is told: an election of a leader takes less. */
const LOST_MS = 1_000;

/**
 * Tells once that Kafka cannot be read, and once that it can again, whatever client of the source notices it. A part (a client) that fails is away until it gets an
 * answer.
 */
export class Reach {
  readonly #tell: { readonly lost: (cause: unknown) => void; readonly back: () => void };
  readonly #away = new Map<string, unknown>();
  #timer: NodeJS.Timeout | undefined;
  #told = false;

  constructor(tell: { readonly lost: (cause: unknown) => void; readonly back: () => void }) {
    this.#tell = tell;
  }

  failed(part: string, cause: unknown): void {
    this.#away.set(part, cause);
    if (this.#told) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#told = true;
      this.#tell.lost([...this.#away.values()].at(-1));
    }, LOST_MS);
  }

  answered(part: string): void {
    if (!this.#away.delete(part) || this.#away.size > 0) return;
    this.close();
    if (this.#told) this.#tell.back();
    this.#told = false;
  }

  /** Tells nothing of what has failed until now. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
