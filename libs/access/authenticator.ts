import type { Caller } from './access.js';
import { storedExpiry } from './key-expiry.js';
import { hashOf, parseBearer, sameHash } from './key-text.js';
import type { KeyRow } from './key-rules.js';

/** Hash that a key with an unknown prefix is compared with, so that the answer takes as long as for a known prefix (timing attack). */
const NO_HASH = '0'.repeat(64);
/** What a text that is no key has instead of a row. */
const NEVER = { createdAt: '' };

/**
 * Finds the caller of a key, in memory. A valid header is cached: the next request with it is one look-up. Any other header costs one SHA-256 and one
 * comparison in constant time, whether its prefix is known or not. A changed or revoked key leaves the cache at once; an expired key is refused.
 */
export class Authenticator {
  readonly #byPrefix = new Map<string, KeyRow>();
  readonly #callers = new Map<string, Caller>();
  readonly #headers = new Map<string, string>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

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
    if (seen) return seen.expiry !== undefined && this.#now() >= seen.expiry.atMs ? undefined : seen;
    const given = parseBearer(header);
    if (!given) return undefined;
    const row = this.#rowOf(given);
    if (row === undefined) return undefined;
    const expiry = storedExpiry(row);
    if (expiry !== undefined && this.#now() >= expiry.atMs) return undefined;
    const caller: Caller = {
      keyId: row.id,
      owner: row.owner,
      system: row.system,
      roles: new Set(row.roles),
      ...(expiry === undefined ? {} : { expiry }),
    };
    // Cache only the canonical spelling: other spellings of the same header ("bearer", more blanks) would let a client fill the memory.
    if (header === `Bearer ${given.text}`) {
      this.#callers.set(header, caller);
      this.#headers.set(row.id, header);
    }
    return caller;
  }
  /** Whether this is the whole text of a key that is refused for its age alone. Only the owner of the secret can learn it. */
  isExpired(header: string | undefined): boolean {
    const given = parseBearer(header);
    const expiry = given && storedExpiry(this.#rowOf(given) ?? NEVER);
    return expiry !== undefined && this.#now() >= expiry.atMs;
  }

  /** The row of this key text, unless it is revoked. Takes the same time for every text. */
  #rowOf(given: { readonly prefix: string; readonly text: string }): KeyRow | undefined {
    const row = this.#byPrefix.get(given.prefix);
    const same = sameHash(hashOf(given.text), row?.sha256 ?? NO_HASH);
    return row && same && row.revokedAt === undefined ? row : undefined;
  }
}
