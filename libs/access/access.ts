import type { KeyExpiry } from './key-expiry.js';

export type Role = 'publisher' | 'reader' | 'operator' | 'data-team' | 'steward' | 'admin';

/** Who calls: the unit or party and the system that a key is bound to. `owner` is `SU…`, `EXT-…` or `hub` (the admin key of the deployment). */
export interface Caller {
  readonly keyId: string;
  readonly owner: string;
  readonly system: string;
  readonly roles: ReadonlySet<Role>;
  /** Absent: the key has no expiry. */
  readonly expiry?: KeyExpiry;
}

/** How much of an event a caller may see (R12.3). `none`: the event is answered like one that does not exist (R12.4). */
export type ReadLevel = 'full' | 'masked' | 'none';

/** A key of the hub itself with the role admin: it administers the whole hub. An admin key of a unit or party administers its own tree only (R11.5). */
export function isHubAdmin({ owner, roles }: { readonly owner: string; readonly roles: Iterable<Role> }): boolean {
  return owner === 'hub' && [...roles].includes('admin');
}
