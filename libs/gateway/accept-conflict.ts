import { audited, sourceOf } from '#access';
import { hubCaller, ownEvent, type Core } from '#core';
import { Fault, verbatim } from '#faults';
import type { ConflictsDoorDeps } from '#http';
import { TEST_EVENTS } from '#log';
import { STATED_BY, STEWARD, type ConflictReader } from '#projection';
import type { Publishing, Receipt } from '#publishing';
import type { Reading } from '#reading';
import type { Catalogue } from '#registry';
import { texts } from './texts.js';

const HUB = hubCaller(STEWARD);

export interface AcceptDeps extends Pick<Core, 'log' | 'now'> {
  readonly reading: Pick<Reading, 'stream' | 'readOne'>;
  readonly publishing: Pick<Publishing, 'publish' | 'receipt'>;
  readonly conflicts: Pick<ConflictReader, 'refusalOf'>;
  readonly catalogue: Pick<Catalogue, 'newest'>;
}

/**
 * States a refused event again in the name of the hub, so that each view makes the entry anew for the office that stated it first (R5.12). On record before
 * and after. The same position again: the same receipt, and nothing new. Faults: not_found (no such event, or the steward does not see it in full),
 * type_not_yours (its contract lets no steward state it) and conflict (no view has refused it: stated again, it would take the place of what is newer), with
 * which nothing was done and nothing is on record; view_behind, those of a publish, not_durable.
 */
export async function acceptConflict(
  { log, now, reading, publishing, conflicts, catalogue }: AcceptDeps,
  ...[place, by, why]: Parameters<ConflictsDoorDeps['accept']>
): Promise<Receipt> {
  const { stream: name, partition, offset } = place;
  // A test event is no fact that anybody could state again.
  if (name === TEST_EVENTS.name) throw new Fault('not_found');
  const { stream } = reading.stream(by, name);
  const event = await reading.readOne(by, stream, partition, offset);
  if (event?.level !== 'full' || event.envelope.source.startsWith('urn:simpul:hub:')) throw new Fault('not_found');
  const { position, type, envelope, data } = event;
  if (catalogue.newest(type.type)?.publishers.includes(`hub:${STEWARD}`) !== true)
    throw new Fault('type_not_yours', {
      problems: [
        {
          pointer: '/position',
          reason: texts.steward_may_not_state({ type: type.type }),
          expected: verbatim(`publishers: hub:${STEWARD}`),
        },
      ],
    });
  const id = `accepted/${position}`;
  const refusal = await conflicts.refusalOf(place, envelope.source);
  if (refusal === 'behind') throw new Fault('view_behind', { retryAfterMs: 1_000 });
  if (refusal === 'none') {
    // It may have been accepted before, by a view file that refused it.
    const earlier = await publishing.receipt(sourceOf(HUB), id);
    if (earlier !== undefined) return earlier;
    throw new Fault('conflict', {
      problems: [{ pointer: '/position', reason: texts.not_refused(), expected: verbatim('/v1/conflicts') }],
    });
  }
  const again = ownEvent(HUB, { id, type: type.type, time: envelope.time, data });
  if (again.kind !== 'event') throw new Fault('internal');
  const offered = {
    ...again,
    given: { ...again.given, [STATED_BY]: envelope.source, dataschema: envelope.dataschema },
  };
  return audited(
    { log, now },
    { who: by, what: 'conflict.accept', target: position, why },
    async () => {
      const [outcome] = await publishing.publish([offered], { caller: HUB, partial: true });
      if (outcome === undefined || !('receipt' in outcome)) throw outcome?.fault ?? new Fault('internal');
      return outcome.receipt;
    },
    (receipt) => ({ position: receipt.position }),
  );
}
