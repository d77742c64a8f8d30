import { Fault, type Problem } from '#faults';
import type { Units } from '#units';
import type { Role } from './access.js';

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
      reason: 'no such unit or party',
      expected: 'an id SU… of GET /v1/units, or EXT-…',
    });
  if (!SYSTEM.test(system))
    problems.push({
      pointer: `${at}/system`,
      reason: 'not a name of a system',
      expected: 'a-z, 0-9, . _ -, at most 63, e.g. simkim',
    });
  if (roles.length === 0 || roles.some((r) => !ROLES.includes(r)) || new Set(roles).size !== roles.length)
    problems.push({ pointer: `${at}/roles`, reason: 'none, twice, or unknown', expected: ROLES.join(', ') });
  // Nobody but the hub itself, inside its process, speaks for the hub.
  if (owner === 'hub' && roles.includes('publisher'))
    problems.push({
      pointer: `${at}/roles`,
      reason: 'a key of the hub may not publish',
      expected: 'a key of a unit or party',
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
