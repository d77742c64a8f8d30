import { parseSource } from '#event';
import type { Units } from '#units';
import { isHubAdmin, type Caller } from './access.js';
import type { AuditRecord } from './audit.js';
import { isInTree } from './grant-rules.js';
import { matches, sourceOf, type PublishableType } from './publish-right.js';
import { mayKnowType, ownsSource, type ReadableType } from './read-level.js';

/** Whether a caller may see what belongs to any owner: an admin key of the hub, and the roles operator and steward. Pure. */
export function maySeeAllOwners(caller: Caller): boolean {
  const { roles } = caller;
  return roles.has('operator') || isHubAdmin(caller) || roles.has('steward');
}

/**
 * Whether a caller may see the refusals of an owner (`SU…`, `EXT-…` or `hub`, as in a Caller): the owner itself, a unit above it on either parent
 * line, an admin key of the hub, and the roles operator and steward. Pure; uses the unit tree of today.
 */
export function maySeeOwner(caller: Caller, owner: string, units: Units): boolean {
  const isOperator = maySeeAllOwners(caller);
  const isOwner = caller.owner === owner;
  const isAbove = owner.startsWith('SU') && units.above(owner).has(caller.owner);
  return isOperator || isOwner || isAbove;
}

/**
 * The same for refusals of one type: those of a restricted type only its owner and the named consumers of the type may see (R12.2). `type` undefined: the
 * refused events named no type that is registered.
 */
export function maySeeRefusals(caller: Caller, owner: string, type: ReadableType | undefined, units: Units): boolean {
  const mayKnow = type === undefined || caller.owner === owner || mayKnowType(caller, type, units);
  return maySeeOwner(caller, owner, units) && mayKnow;
}

/**
 * The same for refusals whose type is no longer known, because they were summarised: they may be of every type that the owner publishes, restricted ones too.
 */
export function maySeeSummarised(
  caller: Caller,
  owner: string,
  types: readonly (ReadableType & PublishableType)[],
  units: Units,
): boolean {
  const source = parseSource(sourceOf({ owner, system: 'x' }));
  const isPublished = ({ publishers }: PublishableType): boolean =>
    source !== undefined && publishers.some((p) => p.startsWith('field:') || matches(p, source, {}, units));
  const restricted = types.filter((type) => type.restricted && isPublished(type));
  return [undefined, ...restricted].every((type) => maySeeRefusals(caller, owner, type, units));
}

/**
 * Whether events of this source are the caller's own, whatever its roles: a publisher may ask what became of what it sent. Of the hub: for the key alone that
 * publishes as this part of it; the hub states events of others too.
 */
export function isOwnSource(caller: Caller, source: string): boolean {
  const parsed = parseSource(source);
  if (!ownsSource(caller.owner, parsed)) return false;
  return parsed?.kind !== 'hub' || (caller.roles.has('publisher') && caller.system === parsed.role);
}

/**
 * Whether a caller may see an audit record: an admin key of the hub and the roles operator and steward see all of them; an admin of a unit those whose actor is
 * in its tree, and those about keys of its tree only.
 */
export function maySeeAct(caller: Caller, record: AuditRecord, units: Units): boolean {
  if (maySeeAllOwners(caller)) return true;
  const concerned = [record.before, record.after].flat().map(ownerOf);
  const isAbout = concerned.some((owner) => owner !== undefined);
  return (
    isInTree(caller.owner, record.who.owner, units) ||
    (isAbout && concerned.every((owner) => owner === undefined || isInTree(caller.owner, owner, units)))
  );
}

function ownerOf(value: unknown): string | undefined {
  const owner = (value as { owner?: unknown } | null | undefined)?.owner;
  return typeof owner === 'string' ? owner : undefined;
}
