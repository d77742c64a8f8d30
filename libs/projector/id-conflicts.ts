import { hubCaller, ownEvent, ownOutcomes } from '#core';
import { parseSource } from '#event';
import { Fault } from '#faults';
import type { IdConflict } from '#duplicates';
import type { Offered, Publishing } from '#publishing';
import type { Catalogue } from '#registry';

export const ID_CONFLICT = 'simpul.pengawasan.konflik-id';
const CALLER = hubCaller('watch');

export interface IdConflictDeps {
  readonly publishing: Pick<Publishing, 'publish'>;
  readonly catalogue: Pick<Catalogue, 'newest'>;
  readonly report: {
    /** An event can never be published; the index moves on without it. */
    refused(fault: Fault): void;
  };
}

/**
 * Publishes `simpul.pengawasan.konflik-id` (R2.5), but not for restricted types: only their named consumers may know of the event (R12.2). Resolves when the
 * events are durable; rejects with Fault `not_durable`, or with a fault of the log, when the caller must retry. Idempotent: the id is the position of the later
 * record, and no other member depends on the attempt.
 */
export function idConflictPublisher({ publishing, catalogue, report }: IdConflictDeps) {
  return async (found: readonly IdConflict[]): Promise<void> => {
    const open = found.filter(({ event }) => catalogue.newest(event.envelope.type)?.restricted !== true);
    if (open.length === 0) return;
    const outcomes = ownOutcomes(await publishing.publish(open.map(offer), { caller: CALLER, partial: true }));
    for (const outcome of outcomes) if (typeof outcome !== 'string') report.refused(outcome);
    if (outcomes.includes('retry')) throw new Fault('not_durable', { detail: 'an id conflict is not published yet' });
  };
}

function offer({ event: { envelope }, position, firstPosition }: IdConflict): Offered {
  const source = parseSource(envelope.source);
  const data = {
    sumber: envelope.source,
    idKejadian: envelope.id,
    jenis: envelope.type,
    unit: source?.kind === 'unit' ? source.unit : null,
    posisiPertama: firstPosition,
    posisiKedua: position,
    waktu: envelope.recordedtime,
  };
  const time = envelope.recordedtime;
  return ownEvent(CALLER, { id: position, type: ID_CONFLICT, time, data });
}
