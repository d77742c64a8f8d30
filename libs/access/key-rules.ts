import { Fault, verbatim, type Problem } from '#faults';
import type { Units } from '#units';
import type { Role } from './access.js';
import { texts } from './texts.js';

export const ROLES: readonly Role[] = ['publisher', 'reader', 'operator', 'data-team', 'steward', 'admin'];
const SYSTEM = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** A key as it lies in the table: all but the secret. */
export interface KeyRow {
  readonly id: string;
  readonly prefix: string;
  /** SHA-256 of the whole key, hex. */
  readonly sha256: string;
  /** `SU…`, `EXT-…` or `hub`. */
  readonly owner: string;
  readonly system: string;
  readonly roles: readonly Role[];
  readonly createdAt: string;
  /** Id of the key that made it; `hub` for the deployment itself. */
  readonly createdBy: string;
  readonly revokedAt?: string;
  readonly revokedBy?: string;
}

/** What a key is asked to be. */
export interface KeyWish {
  readonly owner: string;
  readonly system: string;
  readonly roles: readonly Role[];
}

/** Fault invalid_request: the owner is not known, the system has no legal name, the roles are none or not ours, the hub's own key would publish. */
export function checkWish(wish: KeyWish, units: Units, parties: ReadonlySet<string>, at = ''): void {
  const problems: Problem[] = [];
  const { owner, system, roles } = wish;
  const known = owner === 'hub' || (owner.startsWith('EXT-') ? parties.has(owner) : units.get(owner) !== undefined);
  if (!known)
    problems.push({
      pointer: `${at}/unit`,
      reason: texts.unknown_owner(),
      expected: texts.owner_id(),
    });
  if (!SYSTEM.test(system))
    problems.push({
      pointer: `${at}/system`,
      reason: texts.system_name_wrong(),
      expected: texts.system_name(),
    });
  if (roles.length === 0 || roles.some((r) => !ROLES.includes(r)) || new Set(roles).size !== roles.length)
    problems.push({ pointer: `${at}/roles`, reason: texts.roles_wrong(), expected: verbatim(ROLES.join(', ')) });
  // Nobody but the hub itself, inside its process, speaks for the hub.
  if (owner === 'hub' && roles.includes('publisher'))
    problems.push({
      pointer: `${at}/roles`,
      reason: texts.hub_key_may_not_publish(),
      expected: texts.key_of_unit_or_party(),
    });
  if (problems.length > 0) throw new Fault('invalid_request', { problems });
}

export function isActiveAdmin(row: KeyRow): boolean {
  return row.revokedAt === undefined && row.roles.includes('admin');
}

/** undefined for a value that is no key row. */
export function parseKeyRow(json: string): KeyRow | undefined {
  const v = JSON.parse(json) as Partial<KeyRow>;
  const whole = typeof v.id === 'string' && typeof v.prefix === 'string' && /^[0-9a-f]{64}$/.test(v.sha256 ?? '');
  return whole && typeof v.owner === 'string' && Array.isArray(v.roles) ? (v as KeyRow) : undefined;
}
