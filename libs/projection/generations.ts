/** Which generation of a view is read, and which one is being folded beside it. */
export interface GenerationRow {
  readonly serving: number;
  readonly building?: number;
  /** Of the definition that the serving generation was folded with. */
  readonly fingerprint: string;
}

/**
 * Rows `view/<name>` of `_simpul.meta`, shared by every process.
 * change() reads the newest row, lets `decide` choose, and writes once; a `decide` that answers undefined writes nothing.
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
