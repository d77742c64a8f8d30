import type { EventToken } from '#sdk';

/** Tokens by type: those of `forFeature` and of the handlers. */
export class Tokens {
  readonly #byType = new Map<string, EventToken>();

  add(tokens: readonly EventToken[]): this {
    for (const token of tokens) if (!this.#byType.has(token.type)) this.#byType.set(token.type, token);
    return this;
  }

  get(type: string): EventToken | undefined {
    return this.#byType.get(type);
  }
}
