import { PerlintasanTercatat, PresensiTercatat } from '#event-types';
import { caseStep } from '../case.js';
import { numbered, type Day, type Flow } from '../day.js';
import { outgoing, type Office, type OutgoingEvent } from '../office.js';
import { officer, person, foreigner } from '../people.js';

/** Attendance: every office publishes one batch in the morning of its own time zone. */
export class Attendance implements Flow {
  readonly name = 'presensi';
  readonly #day: Day;

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, random, scale } = this.#day;
    const rng = random.fork('attendance');
    const each = Math.max(1, Math.round(6 * scale));
    let n = 0;
    for (const office of offices.all) {
      if (office.unit === undefined || office.unit.code === 'LAPAS-81-WAHAI') continue;
      n += each;
      clock.plan(clock.local('07:31', office.unit.tz, rng.int(0, 40)), () => {
        void office.publishBatch(Array.from({ length: each }, () => attendance(this.#day, office)));
      });
    }
    return n;
  }
}

/** One member of staff arrives: the event `sdm.presensi.tercatat`. `luring`: recorded while the office was offline. */
export function attendance({ clock, number }: Day, office: Office, at = clock.now(), luring = false): OutgoingEvent {
  const rng = office.random;
  const nip = officer(rng);
  const guard = office.system === 'sdp';
  return outgoing(PresensiTercatat, {
    orderingKey: `${nip}:${number}`,
    at,
    data: {
      nipRef: nip,
      unit: office.owner,
      tanggal: clock.date,
      jenis: guard ? 'piket_masuk' : 'masuk',
      modeKerja: guard ? 'piket' : rng.pick(['WFO', 'WFH', 'WFH']),
      waktu: clock.iso(at),
      zona: (office.unit?.tz ?? 'WIB') as 'WIB' | 'WITA' | 'WIT',
      luring,
      waktuTerkirim: clock.iso(),
    },
  });
}

/** Border crossings at every checkpoint: a batch of five for each flight. Each event names the version of the ban list that was used. */
export class Crossings implements Flow {
  readonly name = 'perlintasan';
  readonly #day: Day;

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, random, scale, number } = this.#day;
    const rng = random.fork('crossings');
    const flights = Math.max(1, Math.round(24 * scale));
    let n = 0;
    for (const post of offices.type('tpi'))
      for (let f = 0; f < flights; f++) {
        const first = n + 1;
        n += 5;
        clock.plan(clock.at('05:40', rng.int(0, 600)), () => {
          void post.publishBatch(
            Array.from({ length: 5 }, (_, i) => this.#crossing(post, numbered('LNT', number, first + i))),
          );
        });
      }
    return n;
  }

  #crossing(post: Office, id: string): OutgoingEvent {
    const { clock } = this.#day;
    const rng = post.random;
    const who = rng.chance(0.8) ? person(rng) : foreigner(rng);
    const kind = post.unit?.checkpointKind ?? '';
    return outgoing(PerlintasanTercatat, {
      orderingKey: id,
      data: {
        idPerlintasan: id,
        unitTpi: post.owner,
        arah: rng.pick(['masuk', 'keluar']),
        waktu: clock.iso(),
        moda: kind === 'airport' ? 'udara' : kind === 'seaport' ? 'laut' : 'darat',
        nomorDokumen: `X${rng.digits(7)}`,
        jenisDokumen: 'paspor',
        kewarganegaraan: who.kewarganegaraan,
        namaLengkap: who.nama,
        tanggalLahir: who.tanggalLahir,
        jenisKelamin: who.jenisKelamin,
        caraPemeriksaan: 'konter',
        hasilCekal: 'bersih',
        versiDaftarCekal: this.#day.lists.get(post.owner)?.version ?? 0,
        petugas: officer(rng),
      },
    });
  }
}

/** Stay permits at every kanim: two status changes for each case. */
export class Cases implements Flow {
  readonly name = 'kasus';
  readonly #day: Day;

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, random, scale, number } = this.#day;
    const rng = random.fork('cases');
    const each = Math.max(1, Math.round(8 * scale));
    let n = 0;
    for (const kanim of offices.type('kanim'))
      for (let i = 0; i < each; i++) {
        const nomor = numbered('ITAS', number, ++n);
        const step = { nomor, layanan: 'IMI-IZIN-TINGGAL', pemegang: kanim.owner, pemohonRef: `pmh_${rng.hex(12)}` };
        const begin = clock.local('08:00', kanim.unit?.tz, rng.int(0, 240));
        clock.plan(begin, () => void kanim.publish(caseStep(clock, { ...step, baru: 'diajukan' })));
        clock.plan(
          begin + rng.int(20, 150) * 60_000,
          () => void kanim.publish(caseStep(clock, { ...step, lama: 'diajukan', baru: 'diproses' })),
        );
      }
    return n * 2;
  }
}
