import { caseStep } from '../case.js';
import { numbered, type Day, type Flow } from '../day.js';
import type { Office, Told } from '../office.js';
import { officer, person, foreigner } from '../people.js';

/** Staff of every office at the gate, in its own zone; a batch of each office. */
export class Attendance implements Flow {
  readonly name = 'presensi';
  readonly #day: Day;

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, chance, scale } = this.#day;
    const c = chance.fork('attendance');
    const each = Math.max(1, Math.round(6 * scale));
    let n = 0;
    for (const office of offices.all) {
      if (office.unit === undefined || office.unit.code === 'LAPAS-81-WAHAI') continue;
      n += each;
      clock.plan(clock.local('07:31', office.unit.tz, c.int(0, 40)), () => {
        void office.tellMany(Array.from({ length: each }, () => attendance(this.#day, office)));
      });
    }
    return n;
  }
}

export function attendance({ clock, number }: Day, office: Office, at = clock.now(), luring = false): Told {
  const c = office.chance;
  const nip = officer(c);
  const guard = office.system === 'sdp';
  return {
    type: 'sdm.presensi.tercatat',
    lane: `${nip}:${number}`,
    at,
    data: {
      nipRef: nip,
      unit: office.owner,
      tanggal: clock.date,
      jenis: guard ? 'piket_masuk' : 'masuk',
      modeKerja: guard ? 'piket' : c.pick(['WFO', 'WFH', 'WFH']),
      waktu: clock.iso(at),
      zona: office.unit?.tz ?? 'WIB',
      luring,
      waktuTerkirim: clock.iso(),
    },
  };
}

/** Crossings at every checkpoint, in small batches as flights come in; each names the list version that was used. */
export class Crossings implements Flow {
  readonly name = 'perlintasan';
  readonly #day: Day;

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, chance, scale, number } = this.#day;
    const c = chance.fork('crossings');
    const flights = Math.max(1, Math.round(24 * scale));
    let n = 0;
    for (const post of offices.type('tpi'))
      for (let f = 0; f < flights; f++) {
        const first = n + 1;
        n += 5;
        clock.plan(clock.at('05:40', c.int(0, 600)), () => {
          void post.tellMany(
            Array.from({ length: 5 }, (_, i) => this.#crossing(post, numbered('LNT', number, first + i))),
          );
        });
      }
    return n;
  }

  #crossing(post: Office, id: string): Told {
    const { clock } = this.#day;
    const c = post.chance;
    const who = c.some(0.8) ? person(c) : foreigner(c);
    const kind = post.unit?.checkpointKind ?? '';
    return {
      type: 'imigrasi.perlintasan.tercatat',
      lane: id,
      data: {
        idPerlintasan: id,
        unitTpi: post.owner,
        arah: c.pick(['masuk', 'keluar']),
        waktu: clock.iso(),
        moda: kind === 'airport' ? 'udara' : kind === 'seaport' ? 'laut' : 'darat',
        nomorDokumen: `X${c.digits(7)}`,
        jenisDokumen: 'paspor',
        kewarganegaraan: who.kewarganegaraan,
        namaLengkap: who.nama,
        tanggalLahir: who.tanggalLahir,
        jenisKelamin: who.jenisKelamin,
        caraPemeriksaan: 'konter',
        hasilCekal: 'bersih',
        versiDaftarCekal: this.#day.lists.get(post.owner)?.version ?? 0,
        petugas: officer(c),
      },
    };
  }
}

/** Stay permits at every kanim: the steps of ordinary cases. */
export class Cases implements Flow {
  readonly name = 'kasus';
  readonly #day: Day;

  constructor(day: Day) {
    this.#day = day;
  }

  plan(): number {
    const { offices, clock, chance, scale, number } = this.#day;
    const c = chance.fork('cases');
    const each = Math.max(1, Math.round(8 * scale));
    let n = 0;
    for (const kanim of offices.type('kanim'))
      for (let i = 0; i < each; i++) {
        const nomor = numbered('ITAS', number, ++n);
        const step = { nomor, layanan: 'IMI-IZIN-TINGGAL', pemegang: kanim.owner, pemohonRef: `pmh_${c.hex(12)}` };
        const begin = clock.local('08:00', kanim.unit?.tz, c.int(0, 240));
        clock.plan(begin, () => void kanim.tell(caseStep(clock, { ...step, baru: 'diajukan' })));
        clock.plan(
          begin + c.int(20, 150) * 60_000,
          () => void kanim.tell(caseStep(clock, { ...step, lama: 'diajukan', baru: 'diproses' })),
        );
      }
    return n * 2;
  }
}
