import { parseSource } from '#event';
import type { Caller } from '#access';
import type { Units } from '#units';

/** Receipts and refusals of a source: for its owner, units above it on either line, and those who run the hub. */
export function maySeeSource(caller: Caller, source: string, units: Units): boolean {
  const parsed = parseSource(source);
  const owner = parsed?.kind === 'unit' ? parsed.unit : parsed?.kind === 'party' ? parsed.party : 'hub';
  return maySeeOwner(caller, owner, units);
}

/** `owner` as in a Caller: `SU…`, `EXT-…` or `hub`. */
export function maySeeOwner(caller: Caller, owner: string, units: Units): boolean {
  const runs = caller.roles.has('operator') || caller.roles.has('admin') || caller.roles.has('steward');
  const own = caller.owner === owner;
  const above = owner.startsWith('SU') && units.above(owner).has(caller.owner);
  return runs || own || above;
}
