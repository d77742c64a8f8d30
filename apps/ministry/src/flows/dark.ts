import { caseStep } from '../case.js';
import { numbered, type Day, type Flow } from '../day.js';
import type { Line } from '../line.js';
import type { Office, Told } from '../office.js';
import { attendance } from './bulk.js';
import { occupancy } from './prisons.js';

const FROM = '07:40';
const UNTIL = '10:03';
const REPORTS = 96;

/** Lapas Wahai loses its line in the morning, goes on working, and sends what it kept when the line is back, with the original times. */
export class DarkPrison implements Flow {
  readonly name = 'luring';
  readonly #day: Day;
  readonly #office: Office;
  readonly #line: Line;
  readonly #kept: Told[] = [];

  constructor(day: Day, office: Office, line: Line) {
    this.#day = day;
    this.#office = office;
    this.#line = line;
  }

  plan(): number {
    const { clock, chance, tally, number } = this.#day;
    const c = chance.fork('dark');
    const office = this.#office;
    const outage = numbered('GGN', number, 1);
    const from = clock.at(FROM);
    const until = clock.at(UNTIL);
    clock.plan(from, () => {
      this.#line.down = true;
      tally.fact('dark', clock.label(), `${office.name} terputus dari jaringan`, `${office.name} lost its line`);
      void office.tell(this.#outage(outage, 'mulai', from));
    });
    for (let i = 0; i < REPORTS - 1; i++) {
      const at = from + Math.floor(((i + 1) * (until - from)) / (REPORTS + 1));
      clock.plan(at, () =>
        this.#kept.push(i % 3 === 0 ? this.#visit(c.hex(8), i, at) : attendance(this.#day, office, at, true)),
      );
    }
    clock.plan(clock.at('09:55'), () => this.#kept.push({ ...occupancy(this.#day, office), at: clock.now() }));
    clock.plan(until, () => {
      this.#line.down = false;
      const kept = this.#kept.splice(0);
      tally.fact(
        'dark',
        clock.label(),
        `${office.name} tersambung lagi, menyusulkan ${kept.length} laporan`,
        `${office.name} is connected again and sends ${kept.length} reports it kept`,
      );
      void office.tellMany(kept);
      void office.tell(this.#outage(outage, 'pulih', until));
    });
    return REPORTS + 2;
  }

  #visit(ref: string, i: number, at: number): Told {
    const { clock, number } = this.#day;
    return caseStep(clock, {
      nomor: numbered('KJG', number, i + 1),
      layanan: 'PAS-KUNJUNGAN',
      pemegang: this.#office.owner,
      baru: 'selesai',
      pemohonRef: `pgj_${ref}`,
      at,
      luring: true,
    });
  }

  #outage(id: string, peristiwa: string, at: number): Told {
    const { clock } = this.#day;
    return {
      type: 'layanan.gangguan.dilaporkan',
      lane: id,
      at,
      data: {
        idGangguan: id,
        layanan: ['PAS-SDP'],
        unitTerdampak: [this.#office.owner],
        peristiwa,
        penyebab: 'jaringan',
        dampak: 'luring',
        mulai: clock.iso(clock.at(FROM)),
      },
    };
  }
}
