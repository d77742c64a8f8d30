import {
  KasusStatusBerubah,
  type KasusStatusBerubahData,
  LitmasSelesai,
  type LitmasSelesaiData,
  PemindahanDiusulkan,
  type PemindahanDiusulkanData,
  PenghuniDipindahkan,
  type PenghuniDipindahkanData,
} from '#event-types';
import type { EventOf, ToPublish } from '#sdk';
import { caseStep } from '../case.js';
import { numbered, text, type Day, type Flow } from '../day.js';
import { admitted } from '../inmate.js';
import { outgoing, type Office, type OutgoingEvent } from '../office.js';
import { document, officer, person, type Person } from '../people.js';

const PAIRS = 4;
const EACH = 4;
/** Reason code of a case that asks for an inquiry. */
const INQUIRY = 'permintaan-litmas';

interface Transfer {
  readonly nomor: string;
  readonly who: Person;
  readonly orang: string;
  readonly register: string;
  readonly from: Office;
  readonly to: Office;
  readonly reports: Set<string>;
}

/** What both steps of a transfer say. */
type Move = Pick<PenghuniDipindahkanData, 'idOrang' | 'nomorRegisterLama' | 'nomorUsulan' | 'unitAsal' | 'unitTujuan'>;

/**
 * Transfer between prisons: proposal → both kanwil ask their bapas for a social inquiry → two reports → departure (prison of origin) →
 * arrival (target prison).
 */
export class Transfers implements Flow {
  readonly name = 'pemindahan';
  readonly #day: Day;
  readonly #open = new Map<string, Transfer>();
  readonly #bapasOf = new Map<string, Office>();

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, random, subscriptions, number } = this.#day;
    const rng = random.fork('transfers');
    const kanwils = rng.sample(
      offices.type('kanwil').filter((k) => offices.near(k, 'bapas').length > 0 && offices.near(k, 'lapas').length > 0),
      PAIRS * 2,
    );
    for (const k of kanwils) this.#bapasOf.set(k.owner, offices.near(k, 'bapas')[0]!);
    for (const k of kanwils) {
      subscriptions.add({ office: k, types: [PemindahanDiusulkan], webhook: {} });
      subscriptions.add({
        office: this.#bapasOf.get(k.owner)!,
        types: [KasusStatusBerubah],
        own: true,
        pollMs: 800,
      });
    }
    let n = 0;
    for (let p = 0; p * 2 + 1 < kanwils.length; p++) {
      const from = rng.pick(offices.near(kanwils[p * 2]!, 'lapas'));
      const to = rng.pick(offices.near(kanwils[p * 2 + 1]!, 'lapas'));
      subscriptions.add({ office: from, types: [LitmasSelesai], own: true });
      subscriptions.add({ office: to, types: [PenghuniDipindahkan], own: true });
      for (let i = 0; i < EACH; i++) {
        const t: Transfer = {
          nomor: numbered('PND', number, ++n),
          who: person(rng),
          orang: `WBP-${number}-T${n}`,
          register: `BI.${n}/T/${number}`,
          from,
          to,
          reports: new Set(),
        };
        this.#open.set(t.nomor, t);
        clock.plan(
          clock.local('07:30', from.unit?.tz, rng.int(0, 30)),
          () => void from.publish(admitted(clock, rng, from, t.who, t.orang, t.register)),
        );
        clock.plan(clock.local('08:30', from.unit?.tz, rng.int(0, 90)), () => void this.#propose(t));
      }
    }
    return n * 8;
  }

  async #propose(t: Transfer): Promise<void> {
    const { clock } = this.#day;
    const rng = t.from.random;
    await t.from.publish(
      outgoing(PemindahanDiusulkan, {
        orderingKey: t.nomor,
        korelasi: t.nomor,
        data: {
          nomorUsulan: t.nomor,
          nomorRegister: t.register,
          idOrang: t.orang,
          unitAsal: t.from.owner,
          unitTujuan: t.to.owner,
          antarProvinsi: true,
          alasan: 'overkapasitas',
          pemohon: 'unit',
          namaLengkap: t.who.nama,
          statusHukum: 'narapidana',
          sisaPidanaHari: rng.int(300, 3000),
          risikoKeamanan: rng.pick(['rendah', 'sedang']),
          nomorSidangTpp: `TPP-${rng.int(1, 99)}/2021`,
          rekomendasiTpp: 'setuju',
          litmasAsal: document(rng, 'permintaan-litmas'),
          registerF: false,
          perkaraLain: false,
          biayaDitanggung: 'negara',
          tahap: 'kanwil',
          tenggatTahap: clock.day(14),
          waktu: clock.iso(),
        },
      }),
    );
  }

  /** The kanwil of the origin or of the target asks its bapas for the inquiry. */
  proposed(d: PemindahanDiusulkanData, kanwil: Office): void {
    const bapas = this.#bapasOf.get(kanwil.owner)!;
    const { clock, offices } = this.#day;
    const nomor = d.nomorUsulan;
    const kanwilOf = (unit: string): string | undefined => {
      const prison = offices.find(unit);
      return prison === undefined ? undefined : offices.kanwilOf(prison);
    };
    const side =
      kanwilOf(d.unitAsal) === kanwil.owner ? 'A' : kanwilOf(d.unitTujuan) === kanwil.owner ? 'T' : undefined;
    if (side === undefined) return;
    clock.after(kanwil.random.int(5, 20), () => {
      void kanwil.publish(
        caseStep(clock, {
          nomor: `${nomor}-${side}`,
          korelasi: nomor,
          layanan: 'PAS-INTEGRASI',
          pemegang: bapas.owner,
          sebelumnya: kanwil.owner,
          baru: 'menunggu_unit_lain',
          alasan: INQUIRY,
          pemohonRef: d.idOrang,
        }),
      );
    });
  }

  /** A bapas receives a case that asks it for an inquiry, and reports. */
  inquire(d: KasusStatusBerubahData, bapas: Office): void {
    const { clock } = this.#day;
    if (d.alasanKode !== INQUIRY || d.unitPemegang !== bapas.owner) return;
    const nomor = d.nomorKasus;
    const rng = bapas.random;
    const korelasi = nomor.slice(0, -2);
    const asked = this.#open.get(korelasi);
    if (asked === undefined) return;
    clock.after(rng.int(30, 70), () => {
      void bapas.publish(
        outgoing(LitmasSelesai, {
          orderingKey: nomor,
          korelasi,
          data: {
            nomorLitmas: `LIT-${nomor}`,
            idOrang: d.pemohonRef,
            bapas: bapas.owner,
            pemohon: asked.from.owner,
            jenis: 'pemindahan',
            klienAnak: false,
            namaKlien: `Klien ${d.pemohonRef}`,
            rekomendasi: 'dapat dipindahkan',
            pembimbing: officer(rng),
            dokumen: document(rng, 'litmas'),
            waktuSelesai: clock.iso(),
          },
        }),
      );
    });
  }

  /** The prison of origin receives a report; when both are there, the person departs. */
  reported(event: EventOf<LitmasSelesaiData>): void {
    const litmas = event.data.nomorLitmas;
    const nomor = text(event['korelasi']);
    const t = this.#open.get(nomor);
    if (t === undefined || t.reports.has(litmas)) return;
    t.reports.add(litmas);
    if (t.reports.size < 2) return;
    const { clock } = this.#day;
    clock.after(t.from.random.int(20, 40), () => {
      const rng = t.from.random;
      const move = {
        idOrang: t.orang,
        nomorRegisterLama: t.register,
        nomorUsulan: t.nomor,
        unitAsal: t.from.owner,
        unitTujuan: t.to.owner,
      };
      void t.from.publish(
        this.#moved(move, {
          nomorKeputusan: `W.PK-${rng.int(100, 999)}/2021`,
          peristiwa: 'berangkat',
          waktuBerangkat: clock.iso(),
          pengawal: [officer(rng), officer(rng)],
        }),
      );
    });
  }

  /** The target prison receives the departure, and publishes the arrival. */
  departed(d: PenghuniDipindahkanData, target: Office): void {
    if (d.unitTujuan !== target.owner || d.peristiwa !== 'berangkat') return;
    const { clock, offices, tally } = this.#day;
    clock.after(target.random.int(30, 80), () => {
      void target.publish(
        this.#moved(d, {
          nomorKeputusan: d.nomorKeputusan,
          peristiwa: 'tiba',
          waktuBerangkat: d.waktuBerangkat,
          waktuTiba: clock.iso(),
          nomorRegisterBaru: `${d.nomorRegisterLama}-B`,
          kondisiSaatTiba: 'sehat',
        }),
      );
      const from = offices.units.get(d.unitAsal)?.shortName ?? '';
      tally.fact(
        'transfer',
        clock.label(),
        `1 narapidana tiba di ${target.name} dari ${from}`,
        `1 inmate arrived at ${target.name} from ${from}`,
      );
    });
  }

  #moved(
    { idOrang, nomorRegisterLama, nomorUsulan, unitAsal, unitTujuan }: Move,
    step: Omit<ToPublish<PenghuniDipindahkanData>, keyof Move>,
  ): OutgoingEvent {
    return outgoing(PenghuniDipindahkan, {
      orderingKey: idOrang,
      korelasi: nomorUsulan,
      data: { idOrang, nomorRegisterLama, nomorUsulan, unitAsal, unitTujuan, ...step },
    });
  }
}
