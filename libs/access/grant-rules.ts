import { parseSource } from '#event';
import type { Problem } from '#faults';
import type { Consumer } from '#registry';
import { UNIT_CHANGED, type Units } from '#units';
import { isHubAdmin, type Caller, type Role } from './access.js';
import type { KeySpec } from './key-rules.js';
import { matches, sourceOf } from './publish-right.js';
import { namesOwner } from './read-level.js';
import { texts } from './texts.js';

/** What an admin of a unit may give, to its own unit and to units below it. The other roles reach the whole hub, whichever unit their key belongs to. */
const UNIT_ROLES: ReadonlySet<Role> = new Set(['publisher', 'reader', 'admin']);

/** The part of an event type that says who may read it although it is restricted (R12.2), and who publishes it. */
export interface RestrictedType {
  readonly restricted: boolean;
  readonly consumers: readonly Consumer[];
  readonly type?: string;
  readonly publishers?: readonly string[];
}

export interface GrantRules {
  readonly units: Units;
  /** The event types that are registered now. */
  readonly types: () => readonly RestrictedType[];
}

/** The event types that make a key powerful: all others decide nothing here. */
export function powerTypes(types: readonly RestrictedType[]): readonly RestrictedType[] {
  return types.filter(({ restricted, type }) => restricted || type === UNIT_CHANGED);
}

/** Whether a caller has one of the roles; `hub-admin` is the role admin of a key of the hub (isHubAdmin). */
export function hasRole(caller: Pick<Caller, 'owner' | 'roles'>, role: Role | 'hub-admin'): boolean {
  return role === 'hub-admin' ? isHubAdmin(caller) : caller.roles.has(role);
}

/** Whether the keys of `owner` belong to the tree of this administrator: its own, those of units below it on either line; of the hub: all. */
export function isInTree(administrator: string, owner: string, units: Units): boolean {
  return administrator === 'hub' || owner === administrator || units.above(owner).has(administrator);
}

/** Whether a restricted type names this owner as a consumer: its keys read what no other key may read, such as those of ES1-ITJEN. */
function readsRestricted(owner: string, { units, types }: GrantRules): boolean {
  return types().some(({ restricted, consumers }) => restricted && namesOwner(consumers, owner, units));
}

/**
 * Whether a key of this spec publishes changes of units. All rights follow the tree of units (R10.2): whoever moves a unit below its own has its keys.
 */
function changesUnits({ owner, roles }: Pick<KeySpec, 'owner' | 'roles'>, { units, types }: GrantRules): boolean {
  const source = roles.includes('publisher') ? parseSource(sourceOf({ owner, system: 'x' })) : undefined;
  if (source === undefined) return false;
  return types().some(
    ({ type, publishers = [] }) =>
      type === UNIT_CHANGED && publishers.some((pattern) => matches(pattern, source, {}, units)),
  );
}

/** The part of the hub whose events take entries from their owners (R5.12). */
const STEWARD = 'steward';

/**
 * Keys with the greatest power: admin of the hub, steward, what publishes as the steward of the hub or publishes changes of units, and keys of owners that a
 * restricted type names.
 */
export function isPowerful(
  spec: Pick<KeySpec, 'owner' | 'roles'> & { readonly system?: string },
  rules: GrantRules,
): boolean {
  const actsAsSteward = spec.owner === 'hub' && spec.system === STEWARD && spec.roles.includes('publisher');
  const hasRole = isHubAdmin(spec) || spec.roles.includes('steward');
  return actsAsSteward || hasRole || changesUnits(spec, rules) || readsRestricted(spec.owner, rules);
}

/**
 * Why an administrator of this owner may not give (or take back) this key; none: it may. The hub may give every key; an admin of a unit or party only
 * `publisher`, `reader` and `admin`, to its own unit and units below it, and never a powerful key (R11.5). `at` is the prefix of the pointers.
 */
export function grantProblems(
  administrator: string,
  spec: Pick<KeySpec, 'owner' | 'roles'>,
  rules: GrantRules,
  at = '',
): readonly Problem[] {
  if (administrator === 'hub') return [];
  const problems: Problem[] = [];
  if (!isInTree(administrator, spec.owner, rules.units))
    problems.push({ pointer: `${at}/unit`, reason: texts.outside_tree(), expected: texts.own_unit_or_below() });
  else if (readsRestricted(spec.owner, rules))
    problems.push({ pointer: `${at}/unit`, reason: texts.reads_restricted(), expected: texts.ask_hub_admin() });
  else if (changesUnits(spec, rules))
    problems.push({ pointer: `${at}/roles`, reason: texts.changes_units(), expected: texts.ask_hub_admin() });
  if (spec.roles.some((role) => !UNIT_ROLES.has(role)))
    problems.push({ pointer: `${at}/roles`, reason: texts.role_of_whole_hub(), expected: texts.roles_of_unit_admin() });
  return problems;
}
