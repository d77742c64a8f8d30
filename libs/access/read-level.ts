import { parseSource, type Source } from '#event';
import type { EventType } from '#registry';
import type { Units } from '#units';
import type { Caller, ReadLevel } from './access.js';

/** What of a type decides who may read its events. */
export type ReadableType = Pick<EventType, 'consumers' | 'unitFields' | 'restricted'>;
/** What of an event decides it. */
export interface ReadableEvent {
  readonly source: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const NOTHING: readonly string[] = [];

/** The unit ids or party codes that a field of the data holds: one, a list, or none. */
export function idsIn(data: Readonly<Record<string, unknown>>, field: string): readonly string[] {
  const v = data[field];
  if (typeof v === 'string') return [v];
  return Array.isArray(v) ? v.filter((x): x is string => typeof x === 'string') : NOTHING;
}

/** Whether a source is spoken by this owner, whatever the system. */
export function speaksFor(owner: string, source: Source | undefined): boolean {
  switch (source?.kind) {
    case 'unit':
      return source.unit === owner;
    case 'party':
      return source.party === owner;
    case 'hub':
      return owner === 'hub';
    default:
      return false;
  }
}

/** R12 (c). `above:<field>` names every unit above the one in that field, on either line; `word:…` names people, so no key. */
function names(code: string, owner: string, data: ReadableEvent['data'], units: Units): boolean {
  const colon = code.indexOf(':');
  const kind = colon < 0 ? code : code.slice(0, colon);
  const what = code.slice(colon + 1);
  switch (kind) {
    case 'any':
      return owner.startsWith('SU');
    case 'unit':
      return what === owner;
    case 'party':
      // `party:*`: the parties concerned, which stand in the event by their code; never all of them.
      return what === '*'
        ? owner.startsWith('EXT-') && Object.keys(data).some((f) => idsIn(data, f).includes(owner))
        : what === owner;
    case 'type':
      return units.get(owner)?.type === what;
    case 'field':
      return idsIn(data, what).includes(owner);
    case 'above':
      return idsIn(data, what).some((id) => units.above(id).has(owner));
    case 'hub':
      return owner === 'hub';
    default:
      return false;
  }
}

/**
 * How much of an event a caller may see: rule R12, by the tree of today, and the only place where it stands. Pure.
 *
 * A key with the role reader reads what (a) its unit sent or stands above the sender on either line, (b) names its unit, or a unit below it, in a
 * unit field, (c) names it among the consumers of the type. Roles data-team, operator and admin read every type masked, steward in full.
 * (c), the source and stewards see all; everyone else who may read sees it masked.
 * A restricted type ("ES1-ITJEN only") is a prohibition for everyone but its named consumers: (a), (b) and roles give nothing.
 * Every condition is looked at each time, so that the answer takes the same path for what exists and what may not be seen.
 */
export function readLevel(caller: Caller, type: ReadableType, event: ReadableEvent, units: Units): ReadLevel {
  const { owner, roles } = caller;
  const source = parseSource(event.source);
  const reads =
    roles.has('reader') ||
    roles.has('operator') ||
    roles.has('data-team') ||
    roles.has('steward') ||
    roles.has('admin');
  const isSource = speaksFor(owner, source);
  const aboveSource = source?.kind === 'unit' && units.above(source.unit).has(owner);
  let inField = false;
  for (const field of type.unitFields)
    for (const id of idsIn(event.data, field)) if (id === owner || units.above(id).has(owner)) inField = true;
  let named = false;
  for (const c of type.consumers) if (names(c.code, owner, event.data, units)) named = true;
  const steward = roles.has('steward');
  const seesMasked = roles.has('data-team') || roles.has('operator') || roles.has('admin');
  const open = !type.restricted;
  const full = reads && (named || (open && (isSource || steward)));
  const masked = reads && open && (aboveSource || inField || seesMasked);
  return full ? 'full' : masked ? 'masked' : 'none';
}
