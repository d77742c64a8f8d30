import { caseStep } from '../case.js';
import type { Heard } from '../ear.js';
import { numbered, text, type Day, type Flow } from '../day.js';
import type { Office } from '../office.js';

const COMPLAINTS = 8;
const SERVICE = 'SETJEN-PENGADUAN';

/**
 * A complaint travels both lines: the unit complained about reads it and begins; its kanwil (administrative line) and its
 * directorate general (technical line) take their turn as they read the case; the unit closes it.
 */
export class Complaints implements Flow {
  readonly name = 'pengaduan';
  readonly #day: Day;

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, chance, ear, number } = this.#day;
    const c = chance.fork('complaints');
    const desk = offices.need('ES2-ROHUMAS');
    const units = c.sample(
      offices
        .type('kanim', 'lapas')
        .filter((u) => u.unit?.code !== 'LAPAS-81-WAHAI' && offices.kanwilOf(u) !== undefined),
      COMPLAINTS,
    );
    const turns = new Map<string, Office>();
    for (const u of units) {
      ear.listen({ office: u, stream: 'layanan.pengaduan', types: ['layanan.pengaduan.diterima'], own: true });
      for (const owner of [u.owner, u.unit?.parent, u.unit?.technicalParent]) {
        const office = owner === undefined ? undefined : offices.find(owner);
        if (office !== undefined) turns.set(office.owner, office);
      }
    }
    for (const office of turns.values())
      ear.listen({ office, stream: 'layanan.kasus', types: ['layanan.kasus.status-berubah'], own: true, everyMs: 800 });
    units.forEach((u, i) => {
      const nomor = numbered('ADU', number, i + 1);
      clock.plan(clock.at('08:20', c.int(0, 200)), () => {
        void desk.tell({
          type: 'layanan.pengaduan.diterima',
          lane: nomor,
          korelasi: nomor,
          data: {
            nomorPengaduan: nomor,
            kanal: 'sp4n_lapor',
            klasifikasi: 'pengaduan_non_pengawasan',
            unitDituju: u.owner,
            anonim: true,
            rahasia: false,
            isi: 'Antrean terlalu lama dan tidak ada penjelasan di loket.',
            tingkatKeparahan: c.pick(['rendah', 'sedang']),
            alurDisposisi: [u.unit?.parent, u.unit?.technicalParent].filter((x) => x !== undefined),
            tenggatTanggapan: clock.day(14),
            waktu: clock.iso(),
          },
        });
      });
    });
    return units.length * 5;
  }

  begin({ event, office: unit }: Heard): void {
    const d = event.data;
    if (text(d['unitDituju']) !== unit.owner) return;
    const kanwil = unit.unit?.parent ?? unit.owner;
    this.#step(unit, text(d['nomorPengaduan']), { baru: 'diproses', pemegang: kanwil });
  }

  /** Whoever holds the case now takes the next step: kanwil → directorate general → unit. */
  turn({ event, office: at }: Heard): void {
    const d = event.data;
    if (d['jenisLayanan'] !== SERVICE || text(d['unitPemegang']) !== at.owner) return;
    const { offices, tally, clock } = this.#day;
    const nomor = text(d['nomorKasus']);
    const lama = text(d['statusBaru']);
    const before = text(d['unitSebelumnya']);
    if (lama === 'diproses') {
      const unit = offices.units.get(before);
      this.#step(at, nomor, {
        lama,
        baru: 'menunggu_unit_lain',
        pemegang: unit?.technicalParent ?? before,
        alasan: `UNTUK:${before}`,
      });
    } else if (lama === 'menunggu_unit_lain') {
      this.#step(at, nomor, { lama, baru: 'diputuskan', pemegang: text(d['alasanKode']).slice('UNTUK:'.length) });
    } else if (lama === 'diputuskan') {
      this.#step(at, nomor, { lama, baru: 'selesai', pemegang: at.owner });
      tally.fact(
        'complaint',
        clock.label(),
        `Pengaduan di ${at.name} selesai, dua jalur sudah melihat`,
        `Complaint at ${at.name} closed, seen by both lines`,
      );
    }
  }

  #step(by: Office, nomor: string, s: { lama?: string; baru: string; pemegang: string; alasan?: string }): void {
    const { clock } = this.#day;
    clock.after(by.chance.int(6, 25), () => {
      void by.tell(
        caseStep(clock, { nomor, layanan: SERVICE, pemohonRef: `plp_${nomor}`, sebelumnya: by.owner, ...s }),
      );
    });
  }
}
