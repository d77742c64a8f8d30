import { KasusStatusBerubah, type KasusStatusBerubahData } from '#event-types';
import type { ToPublish } from '#sdk';
import type { DayClock } from './clock.js';
import { outgoing, type OutgoingEvent } from './office.js';

export type CaseStatus = ToPublish<KasusStatusBerubahData>['statusBaru'];

export interface CaseStep {
  readonly nomor: string;
  readonly layanan: string;
  readonly pemegang: string;
  readonly lama?: CaseStatus;
  readonly baru: CaseStatus;
  readonly alasan?: string;
  readonly sebelumnya?: string;
  readonly pemohonRef: string;
  readonly korelasi?: string;
  /** Simulated time, ms since 1970. @default now */
  readonly at?: number;
  readonly luring?: boolean;
}

const PAUSED = new Set<CaseStatus>(['menunggu_pemohon', 'menunggu_pembayaran']);
const ENDED = new Set<CaseStatus>(['selesai', 'ditolak', 'dibatalkan', 'kedaluwarsa']);

/** A status change of a case, as the event `layanan.kasus.status-berubah`. */
export function caseStep(clock: DayClock, s: CaseStep): OutgoingEvent {
  const at = s.at ?? clock.now();
  return outgoing(KasusStatusBerubah, {
    orderingKey: s.nomor,
    at,
    korelasi: s.korelasi ?? s.nomor,
    data: {
      nomorKasus: s.nomor,
      jenisLayanan: s.layanan,
      unitPemegang: s.pemegang,
      ...(s.sebelumnya === undefined ? {} : { unitSebelumnya: s.sebelumnya }),
      ...(s.lama === undefined ? {} : { statusLama: s.lama }),
      statusBaru: s.baru,
      ...(s.alasan === undefined ? {} : { alasanKode: s.alasan }),
      jamSla: ENDED.has(s.baru) ? 'berhenti' : PAUSED.has(s.baru) ? 'jeda' : 'jalan',
      sisaJamKerja: 24.5,
      tenggat: clock.iso(clock.at('16:00') + 4 * 86_400_000),
      dasarTenggat: 'standar pelayanan 2021',
      kalender: 'nasional-2021',
      pemohonRef: s.pemohonRef,
      luring: s.luring === true,
      waktuKejadian: clock.iso(at),
      waktuTerkirim: clock.iso(),
    },
  });
}
