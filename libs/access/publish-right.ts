import { parseSource, type Source } from '#event';
import { Fault, verbatim, type Problem } from '#faults';
import type { EventType } from '#registry';
import type { Units } from '#units';
import type { Caller } from './access.js';
import { idsIn, ownsSource } from './read-level.js';
import { texts } from './texts.js';

export type PublishableType = Pick<EventType, 'type' | 'publishers'>;

/** Why a caller may not publish an event. */
export interface PublishRefusal {
  readonly code: 'type_not_yours' | 'source_not_yours' | 'unit_not_yours';
  /** Pointers into the event: `/source`, `/type`, `/data/<field>`. */
  readonly problems: readonly Problem[];
}

/**
 * Whether a caller may publish this event; undefined = yes. The source must be the one of the key, the key must have the role publisher, and a publisher
 * pattern of the type must match the source. Pure.
 * Patterns: `any` (every unit) · `type:<unit type>` · `unit:SU…` · `party:EXT-…` (`party:*`: every party) · `field:<unit field>` (the unit or party named in
 * that field of the data) · `hub:<role>` (a role of the hub itself, source `urn:simpul:hub:<role>`).
 */
export function mayPublish(
  caller: Caller,
  type: PublishableType,
  sourceText: string,
  data: Readonly<Record<string, unknown>>,
  units: Units,
): PublishRefusal | undefined {
  const source = parseSource(sourceText);
  const system = source?.kind === 'hub' ? source.role : source?.system;
  if (source === undefined || !ownsSource(caller.owner, source) || system !== caller.system) {
    return {
      code: 'source_not_yours',
      problems: [{ pointer: '/source', reason: texts.source_of_another_key(), expected: verbatim(sourceOf(caller)) }],
    };
  }
  if (!caller.roles.has('publisher')) return { code: 'type_not_yours', problems: [noRole()] };
  let near: string | undefined;
  for (const pattern of type.publishers) {
    if (matches(pattern, source, data, units)) return undefined;
    if (pattern.startsWith('field:')) near = pattern.slice(6);
  }
  const expected = verbatim(type.publishers.join(', '));
  const problem: Problem =
    near !== undefined && idsIn(data, near).length > 0
      ? { pointer: `/data/${near}`, reason: texts.only_named_unit_may_publish(), expected: verbatim(caller.owner) }
      : { pointer: '/type', reason: texts.unit_is_no_publisher(), expected };
  return { code: 'type_not_yours', problems: [problem] };
}

/** Why a key without the role publisher publishes nothing, whatever the event: known before the event is read. */
export function notAPublisher(): Fault {
  return new Fault('type_not_yours', { problems: [noRole()] });
}

function noRole(): Problem {
  return { pointer: '/type', reason: texts.no_role_publisher(), expected: texts.key_with_role_publisher() };
}

/** The one source that events of a key must have. */
export function sourceOf(caller: Pick<Caller, 'owner' | 'system'>): string {
  if (caller.owner === 'hub') return `urn:simpul:hub:${caller.system}`;
  const kind = caller.owner.startsWith('EXT-') ? 'party' : 'unit';
  return `urn:simpul:${kind}:${caller.owner}:${caller.system}`;
}

/** Whether a publisher pattern names this source. */
export function matches(
  pattern: string,
  source: Source,
  data: Readonly<Record<string, unknown>>,
  units: Units,
): boolean {
  const colon = pattern.indexOf(':');
  const kind = colon < 0 ? pattern : pattern.slice(0, colon);
  const what = pattern.slice(colon + 1);
  if (source.kind === 'hub') return kind === 'hub' && what === source.role;
  if (source.kind === 'party')
    return (
      (kind === 'party' && (what === '*' || what === source.party)) ||
      (kind === 'field' && idsIn(data, what).includes(source.party))
    );
  switch (kind) {
    case 'any':
      return units.get(source.unit) !== undefined;
    case 'type':
      return units.get(source.unit)?.type === what;
    case 'unit':
      return what === source.unit;
    case 'field':
      return idsIn(data, what).includes(source.unit);
    default:
      return false;
  }
}
