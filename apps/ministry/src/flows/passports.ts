import {
  KasusStatusBerubah,
  PasporDiterbitkan,
  PasporPermohonanDiajukan,
  PnbpPembayaranDiterima,
  type PnbpPembayaranDiterimaData,
  PnbpTagihanDiterbitkan,
  type PnbpTagihanDiterbitkanData,
} from '#event-types';
import { caseStep } from '../case.js';
import { numbered, type Day, type Flow } from '../day.js';
import { outgoing, type Office } from '../office.js';
import { document, person, type Person } from '../people.js';
import { playOutage } from '../webhooks/outage.js';
import { playPoison } from '../webhooks/poison.js';

interface Application {
  readonly nomor: string;
  readonly kanim: Office;
  readonly who: Person;
  readonly ref: string;
  readonly elektronik: boolean;
  readonly billing: string;
}

const KANIM = 14;
const EACH = 64;
const SERVICE = 'IMI-PASPOR';

/** A passport: application → bill → payment → issue. The kanim continues when it receives the payment; the kanwil above one of them follows every case. */
export class Passports implements Flow {
  readonly name = 'paspor';
  readonly #day: Day;
  readonly #waiting = new Map<string, Application>();
  #issued = 0;

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, random, subscriptions, number, scale } = this.#day;
    const rng = random.fork('passports');
    const kanims = [
      offices.need('KANIM-31-JAKARTA-BARAT'),
      ...rng.sample(
        offices.type('kanim').filter((k) => k.unit?.code !== 'KANIM-31-JAKARTA-BARAT'),
        KANIM - 1,
      ),
    ];
    const each = Math.max(1, Math.round(EACH * scale));
    let n = 0;
    for (const kanim of kanims) {
      const webhook = { filters: [{ exact: { 'data.unit': kanim.owner } }] };
      // One has no address that the hub could reach.
      const door = kanim === kanims[2] ? { pull: { kind: 'sdk', ...webhook } as const } : { webhook };
      const office = subscriptions.add({ office: kanim, types: [PnbpPembayaranDiterima], own: true, ...door });
      if (office !== undefined && kanim === kanims[1]) playOutage(this.#day, office);
      for (let i = 0; i < each; i++) {
        const nomor = numbered('P', number, ++n);
        const billing = `${800 + (number % 100)}${clock.date.slice(2).replaceAll('-', '')}${String(n).padStart(6, '0')}`;
        const a: Application = {
          nomor,
          kanim,
          who: person(rng),
          ref: `pmh_${rng.hex(12)}`,
          elektronik: rng.chance(0.3),
          billing,
        };
        clock.plan(clock.local('08:00', kanim.unit?.tz, rng.int(0, 300)), () => void this.#applied(a));
      }
    }
    const above = offices.find(offices.kanwilOf(kanims[0]!) ?? '');
    if (above !== undefined) {
      const webhook = { filters: [{ exact: { 'data.jenisLayanan': SERVICE } }] };
      const office = subscriptions.add({ office: above, types: [KasusStatusBerubah], webhook });
      if (office !== undefined) playPoison(this.#day, office);
    }
    subscriptions.add({ office: offices.need('EXT-DJA'), types: [PnbpTagihanDiterbitkan], webhook: {} });
    return n * 8;
  }

  async #applied(a: Application): Promise<void> {
    const { clock } = this.#day;
    const { kanim, who, nomor } = a;
    const rng = kanim.random;
    await kanim.publish(
      outgoing(PasporPermohonanDiajukan, {
        orderingKey: nomor,
        korelasi: nomor,
        data: {
          nomorPermohonan: nomor,
          unitPenerima: kanim.owner,
          kanal: rng.pick(['loket', 'daring', 'daring']),
          jenisPermohonan: rng.pick(['baru', 'penggantian_habis']),
          jenisPaspor: a.elektronik ? 'elektronik' : 'biasa',
          jumlahHalaman: 48,
          layanan: 'reguler',
          tujuan: rng.pick(['wisata', 'kerja', 'studi', 'keluarga', 'umrah_haji']),
          nik: who.nik,
          namaLengkap: who.nama,
          tempatLahir: who.tempatLahir,
          tanggalLahir: who.tanggalLahir,
          jenisKelamin: who.jenisKelamin,
          alamat: who.alamat,
          kodeWilayahAlamat: { kode: '99.01', edisi: '2019' },
          nomorPonsel: who.ponsel,
          pemohonAnak: false,
          jadwalKedatangan: clock.iso(),
          dokumenPendukung: [document(rng, 'kk')],
          kodeBilling: a.billing,
          waktuDiajukan: clock.iso(),
        },
      }),
    );
    await kanim.publish(caseStep(clock, { ...this.#step(a), baru: 'diajukan' }));
    this.#waiting.set(a.billing, a);
    const price = a.elektronik ? '650000.00' : '350000.00';
    await kanim.publish(
      outgoing(PnbpTagihanDiterbitkan, {
        orderingKey: a.billing,
        korelasi: nomor,
        data: {
          kodeBilling: a.billing,
          nomorKasus: nomor,
          jenisLayanan: SERVICE,
          unit: kanim.owner,
          kodeSatker: '013999',
          kodeAkun: '425211',
          tarif: price,
          dasarTarif: 'PP 28/2019',
          jumlah: price,
          mataUang: 'IDR',
          pembayarNama: who.nama,
          diterbitkan: clock.iso(),
          kedaluwarsa: clock.iso(clock.now() + 7 * 86_400_000),
          status: 'terbit',
        },
      }),
    );
    await kanim.publish(caseStep(clock, { ...this.#step(a), lama: 'diajukan', baru: 'menunggu_pembayaran' }));
  }

  #step(a: Application): { nomor: string; layanan: string; pemegang: string; pemohonRef: string } {
    return { nomor: a.nomor, layanan: SERVICE, pemegang: a.kanim.owner, pemohonRef: a.ref };
  }

  /** SIMPONI receives a bill; the applicant pays some minutes later. */
  billed(bill: PnbpTagihanDiterbitkanData, simponi: Office): void {
    this.#day.clock.after(simponi.random.int(3, 45), () => void this.#pay(simponi, bill));
  }

  async #pay(simponi: Office, bill: PnbpTagihanDiterbitkanData): Promise<void> {
    const { clock } = this.#day;
    const rng = simponi.random;
    await simponi.publish(
      outgoing(PnbpPembayaranDiterima, {
        orderingKey: bill.kodeBilling,
        korelasi: bill.nomorKasus,
        data: {
          ntpn: rng.hex(16).toUpperCase(),
          ntb: rng.digits(12),
          kodeBilling: bill.kodeBilling,
          jumlah: bill.jumlah,
          waktuBayar: clock.iso(),
          tanggalBuku: clock.date,
          bank: rng.pick(['Bank Contoh', 'Bank Misal']),
          kanalBayar: rng.pick(['atm', 'teller', 'm-banking']),
          nomorKasus: bill.nomorKasus,
          unit: bill.unit,
          rekonsiliasi: 'cocok',
        },
      }),
    );
  }

  /** The kanim receives the payment of its bill. */
  paid({ kodeBilling: billing }: PnbpPembayaranDiterimaData): void {
    const a = this.#waiting.get(billing);
    if (a === undefined || !this.#waiting.delete(billing)) return;
    this.#day.clock.after(a.kanim.random.int(20, 60), () => void this.#issue(a));
  }

  async #issue(a: Application): Promise<void> {
    const { clock, tally } = this.#day;
    const { kanim, who, nomor } = a;
    const rng = kanim.random;
    await kanim.publish(caseStep(clock, { ...this.#step(a), lama: 'menunggu_pembayaran', baru: 'diproses' }));
    await kanim.publish(
      outgoing(PasporDiterbitkan, {
        orderingKey: nomor,
        korelasi: nomor,
        data: {
          nomorPaspor: `X${rng.digits(7)}`,
          nomorPermohonan: nomor,
          unitPenerbit: kanim.owner,
          jenisPaspor: a.elektronik ? 'elektronik' : 'biasa',
          tanggalTerbit: clock.date,
          tanggalHabis: clock.day(5 * 365 + 1),
          namaLengkap: who.nama,
          tanggalLahir: who.tanggalLahir,
          jenisKelamin: who.jenisKelamin,
          nik: who.nik,
          statusPaspor: 'berlaku',
          waktuSerah: clock.iso(),
        },
      }),
    );
    await kanim.publish(caseStep(clock, { ...this.#step(a), lama: 'diproses', baru: 'selesai' }));
    if (++this.#issued % 25 === 0)
      tally.fact(
        'passports',
        clock.label(),
        `${this.#issued} paspor selesai hari ini, terakhir di ${kanim.name}`,
        `${this.#issued} passports issued today, the last at ${kanim.name}`,
      );
  }
}
