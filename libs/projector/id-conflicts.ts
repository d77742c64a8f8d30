import { hubCaller, ownEvent, toldOf } from '#core';
import { parseSource } from '#event';
import { Fault } from '#faults';
import type { IdConflict } from '#duplicates';
import type { Offered, Publishing } from '#publishing';

export const ID_CONFLICT = 'simpul.pengawasan.konflik-id';
const CALLER = hubCaller('watch');

export interface TellerDeps {
  readonly publishing: Pick<Publishing, 'publish'>;
  /** What could not be published, now or ever. */
  readonly onRefused: (cause: string) => void;
}

/**
 * The hub's own publisher of `simpul.pengawasan.konflik-id` (R2.5). Resolves when the events are durable; Fault `not_durable` or of the log: tell again.
 * Once in effect: the id is the position of the later record and nothing else changes from one telling to the next.
 */
export function idConflictTeller({ publishing, onRefused }: TellerDeps) {
  return async (found: readonly IdConflict[]): Promise<void> => {
    const told = toldOf(await publishing.publish(found.map(offer), { caller: CALLER, partial: true }));
    for (const one of told) if (one !== 'told' && one !== 'again') onRefused(one.message);
    if (told.includes('again')) throw new Fault('not_durable', { detail: 'an id conflict is not published yet' });
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
