import { mayPublish } from '#access';
import { parseSource } from '#event';
import { Fault } from '#faults';
import { Appender } from '#log';
import type { IdConflict } from '#projection';
import { Publishing, type Appends, type Offered } from '#publishing';
import type { Core } from './core.js';
import { hubCaller, ownEvent } from './own-event.js';

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
    const { results } = await publishing.publish(found.map(offer), { caller: CALLER, partial: true });
    let certain = true;
    for (const result of results) {
      const fault = result !== undefined && 'fault' in result ? result.fault : undefined;
      if (fault?.row.class === 'retryable') certain = false;
      // Other content under this id: it was told when the index still named another first.
      else if (fault !== undefined && fault.code !== 'idempotency_mismatch') onRefused(fault.message);
    }
    if (!certain) throw new Fault('not_durable', { detail: 'an id conflict is not published yet' });
  };
}

/** The way of every event to the log, for a process that has no door. */
export function hubPublishing(core: Core, appends: Appends = new Appender(core.engine.log)): Publishing {
  const { engine, registry, settled, units } = core;
  return new Publishing({
    log: engine.log,
    appends,
    state: engine.state,
    settled,
    catalogue: registry.catalogue,
    units: units.units,
    mayPublish,
    pseudonymKey: core.pseudonymKey,
    refusals: { count: () => undefined },
    now: Date.now,
  });
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
  return ownEvent({ id: position, source: `urn:simpul:hub:${CALLER.system}`, type: ID_CONFLICT, time, data });
}
