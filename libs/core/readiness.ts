/** What must have happened once before a process says that it is ready. A role names it while its module opens. */
export class Readiness {
  readonly #open = new Set<string>();

  /** The process is not ready before the answered function was called. */
  expect(what: string): () => void {
    this.#open.add(what);
    return () => void this.#open.delete(what);
  }

  get ready(): boolean {
    return this.#open.size === 0;
  }
}
