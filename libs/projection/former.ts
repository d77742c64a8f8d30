import { mayRead, type Caller } from '#access';
import type { Units } from '#units';
import type { CompiledView } from './compile.js';
import type { Stored, Witness } from './entry.js';
import { officeOf } from './owner.js';

/** So many offices of each source are remembered, the newest. */
const FORMER = 16;

/** Who may see an entry because of this witness: what a witness holds names units and parties. */
function officesIn([source, data]: Witness): Set<string> {
  const offices = new Set<string>();
  const own = officeOf(source);
  if (own !== undefined) offices.add(own);
  for (const value of Object.values(data)) for (const id of [value].flat()) if (typeof id === 'string') offices.add(id);
  return offices;
}

/**
 * The member `f` of an entry with these witnesses: whom the one before named and this one does not. A function of the events of each source alone, so the
 * order between streams changes nothing (R5.3).
 */
export function formerOf(before: Stored | undefined, now: NonNullable<Stored['e']>, offset: bigint): Pick<Stored, 'f'> {
  const all: NonNullable<Stored['f']> = {};
  for (const index of new Set([...Object.keys(before?.e ?? {}), ...Object.keys(before?.f ?? {})].map(Number))) {
    const [was, is] = [before?.e?.[index], now[index]];
    const known = before?.f?.[index] ?? [];
    if (was === is) {
      if (known.length > 0) all[index] = known;
      continue;
    }
    const present = is === undefined ? new Set<string>() : officesIn(is);
    const lost = was === undefined ? [] : [...officesIn(was)].filter((office) => !present.has(office));
    const again = new Set([...present, ...lost]);
    const former = [
      ...known.filter(([office]) => !again.has(office)),
      ...lost.map((office) => [office, String(offset)] as const),
    ].slice(-FORMER);
    if (former.length > 0) all[index] = former;
  }
  return Object.keys(all).length > 0 ? { f: all } : {};
}

/** Whether a caller that may not see the entry could see it before an event behind the place `since` of its stream. */
export function hasLeft(
  view: CompiledView,
  { f }: Stored,
  { owner, roles }: Caller,
  units: Units,
  since: (stream: string) => bigint,
): boolean {
  if (f === undefined || !mayRead(roles)) return false;
  return Object.entries(f).some(([index, former]) => {
    const place = since(view.sources[Number(index)]!.stream);
    return former.some(([id, offset]) => BigInt(offset) > place && (id === owner || units.above(id).has(owner)));
  });
}
