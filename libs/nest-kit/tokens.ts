import type { EventToken } from '#sdk';
import { StartFault } from './start-fault.js';

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

/** What a compiler does not see: an import that is undefined while its file is being loaded, or JavaScript. Throws StartFault `no_token`. */
export function checkToken(token: unknown, where: string): void {
  const { type, schema } = (token ?? {}) as Partial<EventToken>;
  if (typeof type === 'string' && typeof schema === 'string') return;
  const given =
    typeof token === 'object' && token !== null ? 'another object' : (JSON.stringify(token) ?? typeof token);
  const why = token === undefined ? ': the name is wrong, or files import each other in a circle' : '';
  throw new StartFault(
    'no_token',
    `${where} needs a token, not ${given}${why}. \`simpul type gen\` writes the tokens of event types`,
  );
}
