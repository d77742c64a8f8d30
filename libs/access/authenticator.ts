import type { Caller } from './access.js';
import { hashOf, parseBearer, sameHash } from './key-text.js';
import type { KeyRow } from './key-rules.js';

/** What a wrong key is compared with, so that it takes as long as a right one. */
const NOTHING = '0'.repeat(64);

/**
 * Which caller a key is, in memory. A header seen before is one look-up; one not seen costs one SHA-256 and one comparison, whether its
 * prefix is known or not. Revoked and changed keys are forgotten at once.
 */
export class Authenticator {
  readonly #byPrefix = new Map<string, KeyRow>();
  readonly #callers = new Map<string, Caller>();
  readonly #headers = new Map<string, string>();

  put(row: KeyRow): void {
    this.#byPrefix.set(row.prefix, row);
    this.#forget(row.id);
  }

  /** The row is gone. */
  drop(id: string): void {
    for (const [prefix, row] of this.#byPrefix) if (row.id === id) this.#byPrefix.delete(prefix);
    this.#forget(id);
  }

  #forget(id: string): void {
    const header = this.#headers.get(id);
    if (header === undefined) return;
    this.#headers.delete(id);
    this.#callers.delete(header);
  }

  authenticate(header: string | undefined): Caller | undefined {
    if (header === undefined) return undefined;
    const seen = this.#callers.get(header);
    if (seen) return seen;
    const given = parseBearer(header);
    if (!given) return undefined;
    const row = this.#byPrefix.get(given.prefix);
    const same = sameHash(hashOf(given.text), row?.sha256 ?? NOTHING);
    if (!row || !same || row.revokedAt !== undefined) return undefined;
    const caller: Caller = { keyId: row.id, owner: row.owner, system: row.system, roles: new Set(row.roles) };
    // Spellings of one header ("bearer", blanks) must not fill the memory.
    if (header === `Bearer ${given.text}`) {
      this.#callers.set(header, caller);
      this.#headers.set(row.id, header);
    }
    return caller;
  }
}
