import { sourceOf } from '#access';
import { STATED_BY } from '#event';
import type { DecodedEvent } from '#registry';
import type { CompiledView } from './compile.js';
import type { Stored } from './entry.js';

/** The part of the hub that states again an event that a steward has accepted. */
export const STEWARD = 'steward';

const SOURCE = sourceOf({ owner: 'hub', system: STEWARD });

/** Whether a steward has accepted the event although the entry belonged to somebody else (R5.12): the entry begins anew with it. */
export const isAccepted = ({ envelope }: DecodedEvent): boolean => envelope.source === SOURCE;

/** Who states the event: its source, or the one that stated it first. */
export const statingSource = ({ envelope }: DecodedEvent): string =>
  envelope.source === SOURCE ? (envelope.extensions[STATED_BY] ?? SOURCE) : envelope.source;

/**
 * What of an entry an event goes on from. After an accepted event only what other streams wrote stays: their order to it is open, so a rebuild could drop
 * it or not (R5.3).
 */
export function goesOnFrom(view: CompiledView, stored: Stored | undefined, event: DecodedEvent): Stored | undefined {
  if (stored === undefined || !isAccepted(event)) return stored;
  const stream = event.type.stream;
  const foreign = view.sources.filter((s) => s.stream !== stream);
  if (foreign.length === 0) return undefined;
  const names = new Set(foreign.flatMap((s) => s.set.map(([name]) => name)));
  const indexes = new Set(foreign.map((s) => String(s.index)));
  const kept = <T>(all: Readonly<Record<string, T>> | undefined, wanted: ReadonlySet<string>): Record<string, T> =>
    Object.fromEntries(Object.entries(all ?? {}).filter(([name]) => wanted.has(name)));
  return { v: kept(stored.v, names), e: kept(stored.e as Record<string, never>, indexes), w: kept(stored.w, names) };
}
