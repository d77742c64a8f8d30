import { Fault, verbatim, type Problem } from '#faults';
import type { Units } from '#units';
import type { Role } from './access.js';
import { expiryOf, type KeyLives } from './key-expiry.js';
import { texts } from './texts.js';

export const ROLES: readonly Role[] = ['publisher', 'reader', 'operator', 'data-team', 'steward', 'admin'];
const SYSTEM = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** A key as it is stored: everything but its text. */
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
  /** Id of the key that created it; `hub` when the hub itself did. */
  readonly createdBy: string;
  readonly revokedAt?: string;
  readonly revokedBy?: string;
  /** From then on the key is refused. Absent: it has no expiry, as keys of earlier versions. */
  readonly expiresAt?: string;
  /** The key was, or is, a wish that a second admin of the hub decides about (R11.6). */
  readonly wish?: Wish;
}

/** What a new key is checked by. */
export interface KeyRules {
  readonly units: Units;
  /** Codes of external parties that keys may be bound to. */
  readonly parties: ReadonlySet<string>;
  readonly lives: KeyLives;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface Wish {
  readonly state: 'open' | 'approved' | 'refused';
  /** Until then it can be approved. */
  readonly until: string;
  readonly decidedAt?: string;
  /** Id of the key of the admin who decided. */
  readonly decidedBy?: string;
}

/** What a new key is for. */
export interface KeySpec {
  readonly owner: string;
  readonly system: string;
  readonly roles: readonly Role[];
  /** `90d`, a day `YYYY-MM-DD`, or an RFC 3339 time. @default the default life of a key */
  readonly expires?: string | undefined;
}

/**
 * Fault `invalid_request`: an unknown owner, an invalid system name, no or unknown roles, a key of the hub that could publish, or an expiry that no
 * key may have. Otherwise answers when the key expires, ms since 1970. `at` is the prefix of the pointers.
 */
export function checkKeySpec(spec: KeySpec, rules: KeyRules, at = ''): number {
  const { units, parties, lives, now } = rules;
  const problems: Problem[] = [];
  const { owner, system, roles } = spec;
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
  // Only the process of the hub itself publishes in the name of the hub, never a key.
  if (owner === 'hub' && roles.includes('publisher'))
    problems.push({
      pointer: `${at}/roles`,
      reason: texts.hub_key_may_not_publish(),
      expected: texts.key_of_unit_or_party(),
    });
  const expiresMs = expiryOf(spec.expires, units.get(owner)?.tz, now, lives);
  if (expiresMs === undefined)
    problems.push({
      pointer: `${at}/expires`,
      reason: texts.expiry_wrong(),
      expected: texts.expiry_form({ days: lives.maxDays }),
    });
  if (expiresMs === undefined || problems.length > 0) throw new Fault('invalid_request', { problems });
  return expiresMs;
}

/** The key row in the JSON text of the record with this key; undefined when it has another shape. Throws SyntaxError when it is no JSON. */
export function parseKeyRow(json: string, id: string): KeyRow | undefined {
  const v = JSON.parse(json) as Partial<Record<keyof KeyRow, unknown>> | null;
  if (v?.id !== id || typeof v.sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(v.sha256)) return undefined;
  const texts =
    [v.prefix, v.owner].every((t) => typeof t === 'string') &&
    isTextOrAbsent(v.revokedAt) &&
    // An expiry that cannot be read must not make a key valid for ever.
    (v.expiresAt === undefined || Number.isFinite(Date.parse(String(v.expiresAt))));
  const roles = Array.isArray(v.roles) && v.roles.every((r) => typeof r === 'string');
  return texts && roles ? (v as unknown as KeyRow) : undefined;
}

const isTextOrAbsent = (value: unknown): boolean => value === undefined || typeof value === 'string';
