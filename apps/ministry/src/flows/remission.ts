import type { ReadEvent } from '#sdk';
import { numbered, text, whole, type Day, type Flow } from '../day.js';
import type { Heard } from '../ear.js';
import type { Office, Told } from '../office.js';
import { document, person } from '../people.js';

const PRISONS = 40;
const EACH = 50;
const BATCH = 250;
/** Prisons with one person each who goes free on the feast day. */
const FREED = 8;

/** 2,000 proposals from prisons, read by the directorate general, decreed in one batch; those who go free are announced by their prison. */
export class Remission implements Flow {
  readonly name = 'remisi';
  readonly #day: Day;
  readonly #proposals = new Map<string, ReadEvent>();
  #decreed = false;
  #total = 0;

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, chance, ear } = this.#day;
    const c = chance.fork('remission');
    const prisons = c.sample(
      offices.type('lapas').filter((l) => l.unit?.code !== 'LAPAS-81-WAHAI'),
      PRISONS,
    );
    const directorate = offices.need('ES1-DJPAS');
    const total = prisons.length * EACH;
    ear.listen({ office: directorate, stream: 'pas.remisi', types: ['pas.remisi.diusulkan'] });
    this.#total = total;
    prisons.forEach((prison, p) => {
      const free = p < FREED;
      if (free) ear.listen({ office: prison, stream: 'pas.remisi', types: ['pas.remisi.ditetapkan'], own: true });
      for (let part = 0; part < 2; part++)
        clock.plan(clock.local('08:15', prison.unit?.tz, c.int(0, 120)), () => {
          const told = Array.from({ length: EACH / 2 }, (_, i) =>
            this.#proposal(prison, p * EACH + part * (EACH / 2) + i + 1, free && part === 0 && i === 0),
          );
          void prison.tellMany(told);
        });
    });
    return total * 2 + Math.min(FREED, prisons.length);
  }

  #proposal(prison: Office, n: number, free: boolean): Told {
    const { clock, number } = this.#day;
    const c = prison.chance;
    const who = person(c);
    const nomor = numbered('RMS', number, n);
    return {
      type: 'pas.remisi.diusulkan',
      lane: `WBP-${number}-R${n}`,
      korelasi: nomor,
      data: {
        nomorUsulan: nomor,
        idOrang: `WBP-${number}-R${n}`,
        nomorRegister: `BI.${n}/R/${number}`,
        unit: prison.owner,
        jenisRemisi: 'umum',
        hariBesar: '17 Agustus',
        tahun: 2021,
        remisiKe: c.int(1, 5),
        besaranHari: c.pick([30, 60, 90]),
        perkiraanBebas: free ? '2021-08-17' : clock.day(c.int(60, 900)),
        langsungBebas: free,
        jenisPerkara: c.pick(['umum', 'narkotika']),
        lamaPidanaHari: c.int(400, 3000),
        pidanaDijalaniHari: c.int(190, 390),
        berkelakuanBaik: true,
        registerF: false,
        nomorSidangTpp: `TPP-${c.int(1, 99)}/2021`,
        dokumen: [document(c, 'usulan-remisi')],
        namaLengkap: who.nama,
        waktu: clock.iso(),
      },
    };
  }

  async #decree(by: Office): Promise<void> {
    const { clock, tally, number } = this.#day;
    const c = by.chance;
    const decree = `PAS-${100 + number}.PK.05.04/2021`;
    const paper = document(c, 'sk-remisi');
    const told = [...this.#proposals.values()].map(({ data: d }): Told => ({
      type: 'pas.remisi.ditetapkan',
      lane: text(d['idOrang']),
      korelasi: decree,
      data: {
        nomorKeputusan: decree,
        tanggalKeputusan: clock.date,
        idOrang: d['idOrang'],
        nomorUsulan: d['nomorUsulan'],
        unit: d['unit'],
        jenisRemisi: text(d['jenisRemisi']),
        besaranHari: whole(d['besaranHari']),
        tanggalBebasBaru: d['perkiraanBebas'],
        langsungBebas: d['langsungBebas'] === true,
        berlakuMulai: '2021-08-17',
        penandatangan: 'Direktur Jenderal Pemasyarakatan',
        dokumenSk: paper,
        namaLengkap: d['namaLengkap'],
      },
    }));
    let done = 0;
    for (let at = 0; at < told.length; at += BATCH) {
      const out = await by.tellMany(told.slice(at, at + BATCH));
      done += out.filter((o) => o.ok).length;
      tally.fact(
        'remission',
        clock.label(),
        `Remisi: ${done} dari ${told.length} ditetapkan`,
        `Remission: ${done} of ${told.length} granted`,
      );
    }
  }

  /** The directorate general collects what it reads, and decrees when all proposals are there. */
  proposed({ event, office }: Heard): void {
    const { clock } = this.#day;
    this.#proposals.set(text(event.data['nomorUsulan']), event);
    if (this.#proposals.size < this.#total || this.#decreed) return;
    this.#decreed = true;
    clock.plan(Math.max(clock.now() + 60_000, clock.at('13:00')), () => void this.#decree(office));
  }

  /** A prison reads that one of its inmates goes free on the feast day, and gives notice. */
  granted({ event, office: prison }: Heard): void {
    const d = event.data;
    if (d['langsungBebas'] !== true) return;
    const { clock } = this.#day;
    const c = prison.chance;
    const who = person(c);
    clock.after(c.int(5, 20), () => {
      void prison.tell({
        type: 'pas.penghuni.bebas',
        lane: text(d['idOrang']),
        korelasi: text(d['nomorKeputusan']),
        data: {
          idOrang: d['idOrang'],
          nomorRegister: text(d['nomorUsulan']),
          unit: prison.owner,
          jenisBebas: 'remisi_langsung',
          tanggalBebas: '2021-08-17',
          nomorKeputusan: d['nomorKeputusan'],
          namaLengkap: d['namaLengkap'],
          tanggalLahir: who.tanggalLahir,
          kewarganegaraan: 'IDN',
          perkaraLain: false,
          statusCekal: 'tidak',
          waktuKeluar: '2021-08-17T02:00:00Z',
          rencanaBebas: true,
        },
      });
    });
  }
}
