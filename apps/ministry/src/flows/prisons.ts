import { text, type Day, type Flow } from '../day.js';
import type { Office, Told } from '../office.js';
import { person } from '../people.js';

const WARNED = 30;
const EACH = 10;

/** Every prison reports its occupancy before 10:00 WIB. */
export class Occupancy implements Flow {
  readonly name = 'hunian';
  readonly #day: Day;
  #reported = 0;

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, chance, tally } = this.#day;
    const c = chance.fork('occupancy');
    const prisons = offices.prisons.filter((p) => p.unit?.code !== 'LAPAS-81-WAHAI');
    for (const prison of prisons)
      clock.plan(clock.at('09:35', c.int(0, 25)), () => {
        void prison.tell(occupancy(this.#day, prison)).then(() => {
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

export function occupancy({ clock }: Day, prison: Office): Told {
  const c = prison.chance;
  const kind = prison.unit?.type;
  const places = c.int(80, 900);
  const all = Math.round(places * (0.7 + c.next() * 2));
  const remand = kind === 'lpka' ? 0 : Math.round(all * (kind === 'rutan' ? 0.6 : 0.1));
  return {
    type: 'pas.hunian.dilaporkan',
    lane: `${prison.owner}:${clock.date}`,
    data: {
      unit: prison.owner,
      tanggal: clock.date,
      kapasitas: places,
      jumlahTahanan: remand,
      jumlahNarapidana: kind === 'lpka' ? 0 : all - remand,
      jumlahAnak: kind === 'lpka' ? all : 0,
      perempuan: Math.round(all * 0.05),
      warganegaraAsing: c.int(0, 5),
      masukHariIni: c.int(0, 6),
      keluarHariIni: c.int(0, 6),
      pindahMasuk: c.int(0, 2),
      pindahKeluar: c.int(0, 2),
      melewatiMasaPenahanan: c.int(0, 3),
      waktuLaporan: clock.iso(),
    },
  };
}

/** A rutan warns the detaining body 10, 3 and 1 days before remand ends, and tells what became of it. */
export class RemandEnds implements Flow {
  readonly name = 'penahanan';
  readonly #day: Day;

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, chance, number, tally } = this.#day;
    const c = chance.fork('remand');
    const rutans = c.sample(offices.type('rutan'), WARNED);
    let answers = 0;
    rutans.forEach((rutan, r) => {
      const told = Array.from({ length: EACH }, (_, i): Told => {
        const stage = c.pick([
          ['AI', 'EXT-POLRI'],
          ['AII', 'EXT-KEJAGUNG'],
          ['AIII', 'EXT-MA'],
        ] as const);
        const left = c.pick([10, 3, 1]);
        return {
          type: 'pas.penahanan.akan-berakhir',
          lane: `${stage[0]}.${r * EACH + i + 1}/${number}`,
          data: {
            nomorRegister: `${stage[0]}.${r * EACH + i + 1}/${number}`,
            unit: rutan.owner,
            golongan: stage[0],
            instansiPenahan: stage[1],
            penahananBerakhir: clock.day(left),
            sisaHari: left,
            namaLengkap: person(c).nama,
            nomorSuratPerintah: `SP.HAN-${c.int(10, 99)}/2021`,
            peringatanKe: left === 10 ? 1 : left === 3 ? 2 : 3,
            tanggapan: 'belum',
            waktu: clock.iso(clock.local('07:00', rutan.unit?.tz)),
          },
        };
      });
      clock.plan(clock.local('07:00', rutan.unit?.tz, c.int(1, 45)), () => {
        void rutan.tellMany(told);
        tally.fact(
          'remand',
          clock.label(),
          `${rutan.name} mengingatkan ${told.length} masa penahanan yang hampir habis`,
          `${rutan.name} warned of ${told.length} remands about to end`,
        );
      });
      for (const t of told.filter((x) => x.data['sisaHari'] === 1)) {
        answers++;
        clock.plan(clock.local('12:00', rutan.unit?.tz, c.int(0, 120)), () => {
          const end = c.some(0.8)
            ? { tanggapan: 'perpanjang', penahananBerakhir: clock.day(30) }
            : { tanggapan: 'lepaskan' };
          void rutan.tell({
            ...t,
            lane: text(t.data['nomorRegister']),
            data: { ...t.data, ...end, waktu: clock.iso() },
          });
        });
      }
    });
    return rutans.length * EACH + answers;
  }
}
