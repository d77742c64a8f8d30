export type Role = 'publisher' | 'reader' | 'operator' | 'data-team' | 'steward' | 'admin';

/** Who calls: the unit or party and system that a key is bound to. `owner` is `SU…`, `EXT-…` or `hub` (the deployment's own admin key). */
export interface Caller {
  readonly keyId: string;
  readonly owner: string;
  readonly system: string;
  readonly roles: ReadonlySet<Role>;
}

/** How much of an event a caller may see (R12). `none` looks missing. */
export type ReadLevel = 'full' | 'masked' | 'none';
