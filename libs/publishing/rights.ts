import { parseSource } from '#event';
import type { Caller } from '#access';
import type { Units } from '#units';

/** Whether a caller may see receipts and refusals of a source: its owner, units above it on either line, and operators, admins and stewards. */
export function maySeeSource(caller: Caller, source: string, units: Units): boolean {
  const parsed = parseSource(source);
  const owner = parsed?.kind === 'unit' ? parsed.unit : parsed?.kind === 'party' ? parsed.party : 'hub';
  return maySeeOwner(caller, owner, units);
}

/** As maySeeSource, for an owner as in a Caller: `SU…`, `EXT-…` or `hub`. */
export function maySeeOwner(caller: Caller, owner: string, units: Units): boolean {
  const runs = caller.roles.has('operator') || caller.roles.has('admin') || caller.roles.has('steward');
  const own = caller.owner === owner;
  const above = owner.startsWith('SU') && units.above(owner).has(caller.owner);
  return runs || own || above;
}
