import { HunianDilaporkan, PenahananAkanBerakhir } from '#event-types';
import { type Day, type Flow } from '../day.js';
import { outgoing, type Office, type OutgoingEvent } from '../office.js';
import { person } from '../people.js';

const WARNED = 30;
const EACH = 10;

/** Occupancy: every prison reports before 10:00 WIB. */
export class Occupancy implements Flow {
  readonly name = 'hunian';
  readonly #day: Day;
  #reported = 0;

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, random, tally } = this.#day;
    const rng = random.fork('occupancy');
    const prisons = offices.prisons.filter((p) => p.unit?.code !== 'LAPAS-81-WAHAI');
    for (const prison of prisons)
      clock.plan(clock.at('09:35', rng.int(0, 25)), () => {
        void prison.publish(occupancy(this.#day, prison)).then(() => {
          if (++this.#reported % 50 === 0 || this.#reported === prisons.length)
            tally.fact(
              'occupancy',
              clock.label(),
              `${this.#reported} dari ${prisons.length + 1} lapas, rutan, LPKA melaporkan hunian`,
              `${this.#reported} of ${prisons.length + 1} prisons have reported occupancy`,
            );
        });
      });
    return prisons.length;
  }
}

/** The occupancy report of one prison: the event `pas.hunian.dilaporkan`. */
export function occupancy({ clock }: Day, prison: Office): OutgoingEvent {
  const rng = prison.random;
  const kind = prison.unit?.type;
  const places = rng.int(80, 900);
  const all = Math.round(places * (0.7 + rng.next() * 2));
  const remand = kind === 'lpka' ? 0 : Math.round(all * (kind === 'rutan' ? 0.6 : 0.1));
  return outgoing(HunianDilaporkan, {
    orderingKey: `${prison.owner}:${clock.date}`,
    data: {
      unit: prison.owner,
      tanggal: clock.date,
      kapasitas: places,
      jumlahTahanan: remand,
      jumlahNarapidana: kind === 'lpka' ? 0 : all - remand,
      jumlahAnak: kind === 'lpka' ? all : 0,
      perempuan: Math.round(all * 0.05),
      warganegaraAsing: rng.int(0, 5),
      masukHariIni: rng.int(0, 6),
      keluarHariIni: rng.int(0, 6),
      pindahMasuk: rng.int(0, 2),
      pindahKeluar: rng.int(0, 2),
      melewatiMasaPenahanan: rng.int(0, 3),
      waktuLaporan: clock.iso(),
    },
  });
}

/** A rutan warns the detaining body 10, 3 and 1 days before remand ends, and publishes the answer to a warning of 1 day. */
export class RemandEnds implements Flow {
  readonly name = 'penahanan';
  readonly #day: Day;

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, random, number, tally } = this.#day;
    const rng = random.fork('remand');
    const rutans = rng.sample(offices.type('rutan'), WARNED);
    let answers = 0;
    rutans.forEach((rutan, r) => {
      const warnings = Array.from({ length: EACH }, (_, i): OutgoingEvent => {
        const stage = rng.pick([
          ['AI', 'EXT-POLRI'],
          ['AII', 'EXT-KEJAGUNG'],
          ['AIII', 'EXT-MA'],
        ] as const);
        const left = rng.pick([10, 3, 1]);
        return outgoing(PenahananAkanBerakhir, {
          orderingKey: `${rutan.owner}:${stage[0]}.${r * EACH + i + 1}/${number}`,
          data: {
            nomorRegister: `${stage[0]}.${r * EACH + i + 1}/${number}`,
            unit: rutan.owner,
            golongan: stage[0],
            instansiPenahan: stage[1],
            penahananBerakhir: clock.day(left),
            sisaHari: left,
            namaLengkap: person(rng).nama,
            nomorSuratPerintah: `SP.HAN-${rng.int(10, 99)}/2021`,
            peringatanKe: left === 10 ? 1 : left === 3 ? 2 : 3,
            tanggapan: 'belum',
            waktu: clock.iso(clock.local('07:00', rutan.unit?.tz)),
          },
        });
      });
      clock.plan(clock.local('07:00', rutan.unit?.tz, rng.int(1, 45)), () => {
        void rutan.publishBatch(warnings);
        tally.fact(
          'remand',
          clock.label(),
          `${rutan.name} mengingatkan ${warnings.length} masa penahanan yang hampir habis`,
          `${rutan.name} warned of ${warnings.length} remands about to end`,
        );
      });
      for (const t of warnings.filter((x) => x.data['sisaHari'] === 1)) {
        answers++;
        clock.plan(clock.local('12:00', rutan.unit?.tz, rng.int(0, 120)), () => {
          const end = rng.chance(0.8)
            ? { tanggapan: 'perpanjang', penahananBerakhir: clock.day(30) }
            : { tanggapan: 'lepaskan' };
          void rutan.publish({
            ...t,
            data: { ...t.data, ...end, waktu: clock.iso() },
          });
        });
      }
    });
    return rutans.length * EACH + answers;
  }
}
