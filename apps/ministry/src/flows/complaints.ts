import {
  KasusStatusBerubah,
  type KasusStatusBerubahData,
  LayananPengaduanDiterima,
  type LayananPengaduanDiterimaData,
} from '#event-types';
import { caseStep, type CaseStatus } from '../case.js';
import { numbered, type Day, type Flow } from '../day.js';
import { outgoing, type Office } from '../office.js';

const COMPLAINTS = 8;
const SERVICE = 'SETJEN-PENGADUAN';

/**
 * A complaint goes through both reporting lines: the unit concerned receives it and opens a case, then the case is handed to its kanwil
 * (administrative line), to its directorate general (technical line), and back to the unit, which closes it.
 */
export class Complaints implements Flow {
  readonly name = 'pengaduan';
  readonly #day: Day;
  /** The unit concerned of each complaint, as the offices of its way have it in their files. */
  readonly #concerned = new Map<string, string>();

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, random, subscriptions, number } = this.#day;
    const rng = random.fork('complaints');
    const complaintOffice = offices.need('ES2-ROHUMAS');
    const units = rng.sample(
      offices
        .type('kanim', 'lapas')
        .filter((u) => u.unit?.code !== 'LAPAS-81-WAHAI' && offices.kanwilOf(u) !== undefined),
      COMPLAINTS,
    );
    const holders = new Map<string, Office>();
    for (const u of units) {
      subscriptions.add({ office: u, types: [LayananPengaduanDiterima], own: true });
      for (const owner of [u.owner, u.unit?.parent, u.unit?.technicalParent]) {
        const office = owner === undefined ? undefined : offices.find(owner);
        if (office !== undefined) holders.set(office.owner, office);
      }
    }
    for (const office of holders.values())
      subscriptions.add({ office, types: [KasusStatusBerubah], own: true, pollMs: 800 });
    units.forEach((u, i) => {
      const nomor = numbered('ADU', number, i + 1);
      clock.plan(clock.at('08:20', rng.int(0, 200)), () => {
        void complaintOffice.publish(
          outgoing(LayananPengaduanDiterima, {
            orderingKey: nomor,
            korelasi: nomor,
            data: {
              nomorPengaduan: nomor,
              kanal: 'sp4n_lapor',
              klasifikasi: 'pengaduan_non_pengawasan',
              unitDituju: u.owner,
              anonim: true,
              rahasia: false,
              isi: 'Antrean terlalu lama dan tidak ada penjelasan di loket.',
              tingkatKeparahan: rng.pick(['rendah', 'sedang']),
              alurDisposisi: [u.unit?.parent, u.unit?.technicalParent].filter((x) => x !== undefined),
              tenggatTanggapan: clock.day(14),
              waktu: clock.iso(),
            },
          }),
        );
      });
    });
    return units.length * 5;
  }

  /** The unit concerned opens the case and hands it to its kanwil. */
  begin({ unitDituju, nomorPengaduan: nomor }: LayananPengaduanDiterimaData, unit: Office): void {
    if (unitDituju !== unit.owner) return;
    const kanwil = unit.unit?.parent ?? unit.owner;
    this.#concerned.set(nomor, unit.owner);
    this.#step(unit, nomor, { baru: 'diproses', pemegang: kanwil });
  }

  /** The office that now holds the case takes the next step: kanwil → directorate general → unit. */
  continueCase(d: KasusStatusBerubahData, holder: Office): void {
    if (d.jenisLayanan !== SERVICE || d.unitPemegang !== holder.owner) return;
    const { offices, tally, clock } = this.#day;
    const { nomorKasus: nomor, statusBaru: lama } = d;
    const unit = this.#concerned.get(nomor);
    if (unit === undefined) return;
    if (lama === 'diproses') {
      const directorate = offices.units.get(unit)?.technicalParent ?? unit;
      this.#step(holder, nomor, { lama, baru: 'menunggu_unit_lain', pemegang: directorate });
    } else if (lama === 'menunggu_unit_lain') {
      this.#step(holder, nomor, { lama, baru: 'diputuskan', pemegang: unit });
    } else if (lama === 'diputuskan') {
      this.#step(holder, nomor, { lama, baru: 'selesai', pemegang: holder.owner });
      tally.fact(
        'complaint',
        clock.label(),
        `Pengaduan di ${holder.name} selesai, dua jalur sudah melihat`,
        `Complaint at ${holder.name} closed, seen by both lines`,
      );
    }
  }

  /** Publishes the next status after some minutes of work. */
  #step(by: Office, nomor: string, s: { lama?: CaseStatus; baru: CaseStatus; pemegang: string }): void {
    const { clock } = this.#day;
    clock.after(by.random.int(6, 25), () => {
      void by.publish(
        caseStep(clock, { nomor, layanan: SERVICE, pemohonRef: `plp_${nomor}`, sebelumnya: by.owner, ...s }),
      );
    });
  }
}
