import type { Caller } from './access.js';
import { hashOf, parseBearer, sameHash } from './key-text.js';
import type { KeyRow } from './key-rules.js';

/** Hash that a key with an unknown prefix is compared with, so that the answer takes as long as for a known prefix (timing attack). */
const NO_HASH = '0'.repeat(64);

/**
 * Finds the caller of a key, in memory. A valid header is cached: the next request with it is one look-up. Any other header costs one SHA-256 and one
 * comparison in constant time, whether its prefix is known or not. A changed or revoked key leaves the cache at once.
 */
export class Authenticator {
  readonly #byPrefix = new Map<string, KeyRow>();
  readonly #callers = new Map<string, Caller>();
  readonly #headers = new Map<string, string>();

  put(row: KeyRow): void {
    this.#byPrefix.set(row.prefix, row);
    this.#uncache(row.id);
  }

  drop(id: string): void {
    for (const [prefix, row] of this.#byPrefix) if (row.id === id) this.#byPrefix.delete(prefix);
    this.#uncache(id);
  }

  #uncache(id: string): void {
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
    const same = sameHash(hashOf(given.text), row?.sha256 ?? NO_HASH);
    if (!row || !same || row.revokedAt !== undefined) return undefined;
    const caller: Caller = { keyId: row.id, owner: row.owner, system: row.system, roles: new Set(row.roles) };
    // Cache only the canonical spelling: other spellings of the same header ("bearer", more blanks) would let a client fill the memory.
    if (header === `Bearer ${given.text}`) {
      this.#callers.set(header, caller);
      this.#headers.set(row.id, header);
    }
    return caller;
  }
}
