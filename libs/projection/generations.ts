/** The generation of a view that readers read (`serving`), and one that is folded beside it (`building`). */
export interface GenerationRow {
  readonly serving: number;
  readonly building?: number;
  /** Fingerprint of the definition that the serving generation is folded with. */
  readonly fingerprint: string;
}

/**
 * Rows `view/<name>` of `_simpul.meta`, shared by every process.
 * change() calls `decide` with the newest row and writes what it answers; undefined writes nothing.
 */
export interface Generations {
  row(view: string): GenerationRow | undefined;
  change(
    view: string,
    decide: (row: GenerationRow | undefined) => GenerationRow | undefined,
  ): Promise<GenerationRow | undefined>;
  onChange(listener: (view: string) => void): () => void;
}

export const storageOf = (view: string, generation: number): string => `${view}~${generation}`;
