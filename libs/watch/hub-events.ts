import { hubCaller, ownEvent, ownOutcomes } from '#core';
import type { Fault } from '#faults';
import type { Offered, Publishing } from '#publishing';
import type { Catalogue } from '#registry';
import { isoOf, type Finding, type FindingKind } from './finding.js';
import type { Told } from './watch.js';

export const FINDING_BEGAN = 'simpul.pemantauan.temuan-muncul';
export const FINDING_ENDED = 'simpul.pemantauan.temuan-selesai';
const CALLER = hubCaller('watch');
/** The duplicate index knows events of 8 days, so an event that is offered again within 7 is a duplicate. */
const PUBLISHED_FOR_MS = 7 * 24 * 3_600_000;
const KINDS: Readonly<Record<FindingKind, string>> = {
  silent: 'senyap',
  gap: 'nomor_hilang',
  skew: 'jam_salah',
  storm: 'kirim_ulang',
};

export interface FindingEventsDeps {
  readonly publishing: Pick<Publishing, 'publish'>;
  readonly catalogue: Pick<Catalogue, 'types'>;
  readonly now: () => number;
  readonly report: {
    /** An event can never be published. */
    refused(fault: Fault): void;
  };
}

interface Offer extends Told {
  readonly offered: Offered | undefined;
}

/**
 * Publishes one event when a finding begins and one when it ends; answers what needs no further try. Not of restricted streams, whose events only their consumers may know of
 * (R12.2), and not of what is older than 7 days. Idempotent: the id is that of the finding. Rejects with a fault of the log.
 */
export function findingEvents({ publishing, catalogue, now, report }: FindingEventsDeps) {
  return async (findings: readonly Finding[]): Promise<readonly Told[]> => {
    const since = now() - PUBLISHED_FOR_MS;
    const restricted = new Set(catalogue.types().flatMap((t) => (t.restricted ? [t.stream] : [])));
    const offers = findings.flatMap((finding): readonly Offer[] => {
      const isOpen = (ms: number): boolean => ms >= since && !restricted.has(finding.stream);
      const begin: Offer = {
        finding,
        told: 'begin',
        offered: isOpen(finding.sinceMs) ? eventOf(finding, 'begin') : undefined,
      };
      const { untilMs } = finding;
      const end: Offer | undefined =
        untilMs === undefined
          ? undefined
          : { finding, told: 'end', offered: isOpen(untilMs) ? eventOf(finding, 'end') : undefined };
      return [...(finding.told === undefined ? [begin] : []), ...(end === undefined ? [] : [end])];
    });
    const events = offers.flatMap(({ offered }) => offered ?? []);
    const outcomes =
      events.length === 0 ? [] : ownOutcomes(await publishing.publish(events, { caller: CALLER, partial: true }));
    for (const outcome of outcomes) if (typeof outcome !== 'string') report.refused(outcome);
    const again = new Set(events.filter((_, i) => outcomes[i] === 'retry'));
    const waiting = new Set<string>();
    return offers.filter(({ finding, offered }) => {
      // An end is not told before its begin.
      if (offered !== undefined && again.has(offered)) waiting.add(finding.id);
      return !waiting.has(finding.id);
    });
  };
}

function eventOf(finding: Finding, what: Told['told']): Offered {
  const { id, kind, unit, system, stream, type, sinceMs, untilMs, expected, seen } = finding;
  const data = {
    idTemuan: id,
    jenis: KINDS[kind],
    unit: unit.startsWith('EXT-') ? null : unit,
    pihak: unit,
    sistem: system ?? null,
    aliran: stream,
    jenisKejadian: type ?? null,
    sejak: isoOf(sinceMs),
    seharusnya: expected,
    terlihat: seen,
  };
  if (what === 'begin') return ownEvent(CALLER, { id: `${id}/begin`, type: FINDING_BEGAN, time: isoOf(sinceMs), data });
  const until = isoOf(untilMs!);
  return ownEvent(CALLER, { id: `${id}/end`, type: FINDING_ENDED, time: until, data: { ...data, sampai: until } });
}
