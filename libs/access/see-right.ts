import { parseSource } from '#event';
import type { Units } from '#units';
import type { Caller } from './access.js';

/**
 * Whether a caller may see the refusals of an owner (`SU…`, `EXT-…` or `hub`, as in a Caller): the owner itself, a unit above it on either parent
 * line, and the roles operator, admin and steward. Pure; uses the unit tree of today.
 */
export function maySeeOwner(caller: Caller, owner: string, units: Units): boolean {
  const { roles } = caller;
  const isOperator = roles.has('operator') || roles.has('admin') || roles.has('steward');
  const isOwner = caller.owner === owner;
  const isAbove = owner.startsWith('SU') && units.above(owner).has(caller.owner);
  return isOperator || isOwner || isAbove;
}

/** Whether a caller may ask for the receipts of a source: as `maySeeOwner` for the owner of the source; a source that cannot be parsed belongs to the hub. */
export function maySeeSource(caller: Caller, source: string, units: Units): boolean {
  const parsed = parseSource(source);
  const owner = parsed?.kind === 'unit' ? parsed.unit : parsed?.kind === 'party' ? parsed.party : 'hub';
  return maySeeOwner(caller, owner, units);
}
