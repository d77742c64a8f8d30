import { GangguanDilaporkan } from '#event-types';
import { caseStep } from '../case.js';
import { numbered, type Day, type Flow } from '../day.js';
import type { NetworkLink } from '../network-link.js';
import { outgoing, type Office, type OutgoingEvent } from '../office.js';
import { attendance } from './bulk.js';
import { occupancy } from './prisons.js';

const OFFLINE_FROM = '07:40';
const OFFLINE_UNTIL = '10:03';
const REPORTS = 96;

/** Lapas Wahai loses its network link in the morning and stores its events; when the link is back, it publishes them with their original times. */
export class OfflinePrison implements Flow {
  readonly name = 'luring';
  readonly #day: Day;
  readonly #office: Office;
  readonly #link: NetworkLink;
  readonly #stored: OutgoingEvent[] = [];

  constructor(day: Day, office: Office, link: NetworkLink) {
    this.#day = day;
    this.#office = office;
    this.#link = link;
  }

  plan(): number {
    const { clock, random, tally, number } = this.#day;
    const rng = random.fork('dark');
    const office = this.#office;
    const outage = numbered('GGN', number, 1);
    const from = clock.at(OFFLINE_FROM);
    const until = clock.at(OFFLINE_UNTIL);
    clock.plan(from, () => {
      this.#link.down = true;
      tally.fact(
        'offline prison',
        clock.label(),
        `${office.name} terputus dari jaringan`,
        `${office.name} lost its line`,
      );
      void office.publish(this.#outage(outage, 'mulai', from));
    });
    for (let i = 0; i < REPORTS - 1; i++) {
      const at = from + Math.floor(((i + 1) * (until - from)) / (REPORTS + 1));
      clock.plan(at, () =>
        this.#stored.push(i % 3 === 0 ? this.#visit(rng.hex(8), i, at) : attendance(this.#day, office, at, true)),
      );
    }
    clock.plan(clock.at('09:55'), () => this.#stored.push({ ...occupancy(this.#day, office), at: clock.now() }));
    clock.plan(until, () => {
      this.#link.down = false;
      const stored = this.#stored.splice(0);
      tally.fact(
        'offline prison',
        clock.label(),
        `${office.name} tersambung lagi, menyusulkan ${stored.length} laporan`,
        `${office.name} is connected again and sends ${stored.length} reports it kept`,
      );
      void office.publishBatch(stored);
      void office.publish(this.#outage(outage, 'pulih', until));
    });
    return REPORTS + 2;
  }

  #visit(ref: string, i: number, at: number): OutgoingEvent {
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

  #outage(id: string, peristiwa: 'mulai' | 'pulih', at: number): OutgoingEvent {
    const { clock } = this.#day;
    return outgoing(GangguanDilaporkan, {
      orderingKey: id,
      at,
      data: {
        idGangguan: id,
        layanan: ['PAS-SDP'],
        unitTerdampak: [this.#office.owner],
        peristiwa,
        penyebab: 'jaringan',
        dampak: 'luring',
        mulai: clock.iso(clock.at(OFFLINE_FROM)),
      },
    });
  }
}
