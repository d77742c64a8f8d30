import {
  PenghuniBebas,
  RemisiDitetapkan,
  type RemisiDitetapkanData,
  RemisiDiusulkan,
  type RemisiDiusulkanData,
} from '#event-types';
import { numbered, type Day, type Flow } from '../day.js';
import { outgoing, type Office, type OutgoingEvent } from '../office.js';
import { document, person } from '../people.js';

const PRISONS = 40;
const EACH = 50;
const BATCH = 250;
/** Prisons in which one person is released on the day of the remission. */
const FREED = 8;

/** 2,000 proposals from prisons; the directorate general receives them and grants all of them in batches; a prison publishes the release of a person who is free with it. */
export class Remission implements Flow {
  readonly name = 'remisi';
  readonly #day: Day;
  readonly #proposals = new Map<string, RemisiDiusulkanData>();
  #decided = false;
  #total = 0;

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, random, subscriptions } = this.#day;
    const rng = random.fork('remission');
    const prisons = rng.sample(
      offices.type('lapas').filter((l) => l.unit?.code !== 'LAPAS-81-WAHAI'),
      PRISONS,
    );
    const directorate = offices.need('ES1-DJPAS');
    const total = prisons.length * EACH;
    subscriptions.add({ office: directorate, types: [RemisiDiusulkan], webhook: {} });
    this.#total = total;
    prisons.forEach((prison, p) => {
      const free = p < FREED;
      if (free) subscriptions.add({ office: prison, types: [RemisiDitetapkan], own: true });
      for (let part = 0; part < 2; part++)
        clock.plan(clock.local('08:15', prison.unit?.tz, rng.int(0, 120)), () => {
          const events = Array.from({ length: EACH / 2 }, (_, i) =>
            this.#proposal(prison, p * EACH + part * (EACH / 2) + i + 1, free && part === 0 && i === 0),
          );
          void prison.publishBatch(events);
        });
    });
    return total * 2 + Math.min(FREED, prisons.length);
  }

  #proposal(prison: Office, n: number, free: boolean): OutgoingEvent {
    const { clock, number } = this.#day;
    const rng = prison.random;
    const who = person(rng);
    const nomor = numbered('RMS', number, n);
    return outgoing(RemisiDiusulkan, {
      orderingKey: `WBP-${number}-R${n}`,
      korelasi: nomor,
      data: {
        nomorUsulan: nomor,
        idOrang: `WBP-${number}-R${n}`,
        nomorRegister: `BI.${n}/R/${number}`,
        unit: prison.owner,
        jenisRemisi: 'umum',
        hariBesar: '17 Agustus',
        tahun: 2021,
        remisiKe: rng.int(1, 5),
        besaranHari: rng.pick([30, 60, 90]),
        perkiraanBebas: free ? '2021-08-17' : clock.day(rng.int(60, 900)),
        langsungBebas: free,
        jenisPerkara: rng.pick(['umum', 'narkotika']),
        lamaPidanaHari: rng.int(400, 3000),
        pidanaDijalaniHari: rng.int(190, 390),
        berkelakuanBaik: true,
        registerF: false,
        nomorSidangTpp: `TPP-${rng.int(1, 99)}/2021`,
        dokumen: [document(rng, 'usulan-remisi')],
        namaLengkap: who.nama,
        waktu: clock.iso(),
      },
    });
  }

  async #decree(by: Office): Promise<void> {
    const { clock, tally, number } = this.#day;
    const rng = by.random;
    const decree = `PAS-${100 + number}.PK.05.04/2021`;
    const paper = document(rng, 'sk-remisi');
    const events = [...this.#proposals.values()].map((d): OutgoingEvent =>
      outgoing(RemisiDitetapkan, {
        orderingKey: d.idOrang,
        korelasi: decree,
        data: {
          nomorKeputusan: decree,
          tanggalKeputusan: clock.date,
          idOrang: d.idOrang,
          nomorUsulan: d.nomorUsulan,
          unit: d.unit,
          jenisRemisi: d.jenisRemisi,
          besaranHari: d.besaranHari,
          tanggalBebasBaru: d.perkiraanBebas,
          langsungBebas: d.langsungBebas,
          berlakuMulai: '2021-08-17',
          penandatangan: 'Direktur Jenderal Pemasyarakatan',
          dokumenSk: paper,
          namaLengkap: d.namaLengkap,
        },
      }),
    );
    let done = 0;
    for (let at = 0; at < events.length; at += BATCH) {
      const out = await by.publishBatch(events.slice(at, at + BATCH));
      done += out.filter((o) => o.ok).length;
      tally.fact(
        'remission',
        clock.label(),
        `Remisi: ${done} dari ${events.length} ditetapkan`,
        `Remission: ${done} of ${events.length} granted`,
      );
    }
  }

  /** The directorate general collects proposals, and decides when all of them have arrived. */
  proposed(proposal: RemisiDiusulkanData, directorate: Office): void {
    const { clock } = this.#day;
    this.#proposals.set(proposal.nomorUsulan, proposal);
    if (this.#proposals.size < this.#total || this.#decided) return;
    this.#decided = true;
    clock.plan(Math.max(clock.now() + 60_000, clock.at('13:00')), () => void this.#decree(directorate));
  }

  /** A prison receives the decision on one of its inmates; when the person is free with it, the prison publishes the release. */
  granted(d: RemisiDitetapkanData, prison: Office): void {
    if (!d.langsungBebas) return;
    const { clock } = this.#day;
    const rng = prison.random;
    const who = person(rng);
    clock.after(rng.int(5, 20), () => {
      void prison.publish(
        outgoing(PenghuniBebas, {
          orderingKey: d.idOrang,
          korelasi: d.nomorKeputusan,
          data: {
            idOrang: d.idOrang,
            nomorRegister: d.nomorUsulan,
            unit: prison.owner,
            jenisBebas: 'remisi_langsung',
            tanggalBebas: '2021-08-17',
            nomorKeputusan: d.nomorKeputusan,
            namaLengkap: d.namaLengkap,
            tanggalLahir: who.tanggalLahir,
            kewarganegaraan: 'IDN',
            perkaraLain: false,
            statusCekal: 'tidak',
            waktuKeluar: '2021-08-17T02:00:00Z',
            rencanaBebas: true,
          },
        }),
      );
    });
  }
}
