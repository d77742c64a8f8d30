import { parseSource } from '#event';
import type { DecodedEvent } from '#registry';
import { isAccepted, statingSource } from './accepted.js';
import type { Contribution, Stored } from './entry.js';
import type { OwnerRule } from './view.js';

/** Compiled OwnerRule. undefined: any-with-right. */
export type Ownership = { readonly kind: 'first' } | { readonly kind: 'field'; readonly fields: readonly string[] };

export function ownershipOf(rule: OwnerRule | undefined): Ownership | undefined {
  if (rule === undefined || rule === 'any-with-right') return undefined;
  if (rule === 'first') return { kind: 'first' };
  return { kind: 'field', fields: [rule].flat().map((f) => f.slice('field:'.length)) };
}

/** The unit or party that a source names; undefined: the hub, which owns nothing and may change everything that its role publishes. */
export function officeOf(source: string): string | undefined {
  const parsed = parseSource(source);
  return parsed?.kind === 'unit' ? parsed.unit : parsed?.kind === 'party' ? parsed.party : undefined;
}

/** Whom a source belongs to: its unit or party with all its systems; of the hub the source itself. A unit has as many systems as it likes, so bounds go by this. */
export const senderOf = (source: string): string => officeOf(source) ?? source;

const named = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** Who may change an entry; undefined: nobody owns it, so whoever comes next with the right may. */
export function ownerOf(ownership: Ownership, stored: Stored): string | undefined {
  if (ownership.kind === 'first') return stored.o ?? witnessed(stored);
  for (const field of ownership.fields) {
    const owner = named(stored.v[field]);
    if (owner !== undefined) return owner;
  }
  return undefined;
}

/** An entry of an older release does not name its owner: it is the office that wrote it, the first in the order of the view file. */
function witnessed({ e, m }: Stored): string | undefined {
  for (const [source] of Object.values(e ?? {})) {
    const office = officeOf(source);
    if (office !== undefined) return office;
  }
  return m?.map(([, source]) => officeOf(source)).find((office) => office !== undefined);
}

/** Who owns what a subject counts after this event: the office that the event names, or, with `first`, the one before or the source. */
export function ownerAfter(
  ownership: Ownership,
  before: Contribution | undefined,
  event: DecodedEvent,
): string | undefined {
  if (ownership.kind === 'first') return (isAccepted(event) ? undefined : before?.o) ?? officeOf(statingSource(event));
  return named(event.data[ownership.fields[0]!]) ?? before?.o;
}
