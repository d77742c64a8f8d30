import { DeteniDiterima, PenghuniBebas, type PenghuniBebasData } from '#event-types';
import { numbered, type Day, type Flow } from '../day.js';
import { admitted } from '../inmate.js';
import { outgoing, type Office } from '../office.js';
import { foreigner } from '../people.js';

/** A foreign inmate is released; the rudenim of the same region receives the event and admits the person for deportation. */
export class Foreigners implements Flow {
  readonly name = 'WNA';
  readonly #day: Day;
  #n = 0;

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, random, subscriptions, number } = this.#day;
    const rng = random.fork('foreigners');
    const rudenims = rng.sample(
      offices.type('rudenim').filter((r) => offices.near(r, 'lapas').length > 0),
      6,
    );
    for (const r of rudenims) {
      subscriptions.add({ office: r, types: [PenghuniBebas], webhook: {} });
      const lapas = rng.pick(offices.near(r, 'lapas'));
      const who = foreigner(rng);
      const orang = `WBP-${number}-F${++this.#n}`;
      const register = `BI.${this.#n}/F/${number}`;
      clock.plan(
        clock.local('07:40', lapas.unit?.tz),
        () => void lapas.publish(admitted(clock, rng, lapas, who, orang, register)),
      );
      clock.plan(clock.local('09:00', lapas.unit?.tz, rng.int(0, 120)), () => {
        void lapas.publish(
          outgoing(PenghuniBebas, {
            orderingKey: orang,
            data: {
              idOrang: orang,
              nomorRegister: register,
              unit: lapas.owner,
              jenisBebas: 'murni',
              tanggalBebas: clock.date,
              nomorKeputusan: `W.PK-${rng.int(100, 999)}/2021`,
              namaLengkap: who.nama,
              tanggalLahir: who.tanggalLahir,
              kewarganegaraan: who.kewarganegaraan,
              perkaraLain: false,
              statusCekal: 'belum_dicek',
              waktuKeluar: clock.iso(),
              rencanaBebas: false,
            },
          }),
        );
      });
    }
    return this.#n * 3;
  }

  /** The rudenim of the region admits a released foreigner. */
  released(d: PenghuniBebasData, rudenim: Office): void {
    const { clock, offices, tally, number } = this.#day;
    const prison = offices.find(d.unit);
    if (d.kewarganegaraan === 'IDN' || d.rencanaBebas !== false || prison === undefined) return;
    if (offices.kanwilOf(prison) !== offices.kanwilOf(rudenim)) return;
    const rng = rudenim.random;
    const n = Number(d.idOrang.split('F').at(-1));
    clock.after(rng.int(40, 90), () => {
      tally.fact(
        'deteni',
        clock.label(),
        `${rudenim.name} menerima 1 WNA dari ${prison.name}`,
        `${rudenim.name} received 1 foreigner from ${prison.name}`,
      );
      void rudenim.publish(
        outgoing(DeteniDiterima, {
          orderingKey: d.idOrang,
          korelasi: d.idOrang,
          data: {
            nomorDeteni: numbered('DTN', number, n),
            unitPenerima: rudenim.owner,
            unitAsal: prison.owner,
            ruang: 'rudenim',
            nomorSuratPerintah: `PRINT-${rng.int(10, 99)}/2021`,
            tanggalPerintah: clock.date,
            namaLengkap: d.namaLengkap,
            kewarganegaraan: d.kewarganegaraan,
            tanggalLahir: d.tanggalLahir,
            jenisKelamin: 'L',
            dokumenPerjalanan: 'habis',
            alasan: 'menunggu pendeportasian setelah bebas',
            batasPemindahan: clock.day(30),
            waktuTerima: clock.iso(),
          },
        }),
      );
    });
  }
}
