import {
  CegahBerakhir,
  type CegahBerakhirData,
  CegahDaftarDiterima,
  type CegahDaftarDiterimaData,
  CegahDitetapkan,
  type CegahDitetapkanData,
  CegahDiusulkan,
  type CegahDiusulkanData,
} from '#event-types';
import { caseStep } from '../case.js';
import { known, numbered, text, whole, type Day, type Flow } from '../day.js';
import { outgoing, type Office } from '../office.js';
import { document, foreigner, officer, person, type Person } from '../people.js';

const PROPOSALS = [
  { at: '07:50', by: 'EXT-KPK', jenis: 'cegah' },
  { at: '08:35', by: 'EXT-KEJAGUNG', jenis: 'cegah' },
  { at: '09:20', by: 'EXT-POLRI', jenis: 'cegah' },
  { at: '09:50', by: 'EXT-DJP', jenis: 'cegah' },
  { at: '12:40', by: 'RUDENIM-31-JAKARTA', jenis: 'tangkal' },
] as const;
const REVOKED_AT = '14:10';

/** Exit ban: proposal → decision with a new version of the ban list → every post acknowledges that version → a kanim refuses a passport because of the ban. */
export class Bans implements Flow {
  readonly name = 'cegah';
  readonly #day: Day;
  readonly #acks = new Map<number, Set<string>>();
  readonly #subjects: Person[] = [];
  #posts: readonly Office[] = [];
  #version = 0;
  #lastCekal = '';
  #refused = false;

  constructor(day: Day) {
    this.#day = day;
  }

  async plan(): Promise<number> {
    const { offices, clock, random, subscriptions } = this.#day;
    const rng = random.fork('bans');
    this.#posts = offices.type('tpi', 'kanim');
    const decider = offices.need('ES2-WASDAKIM');
    const now = await decider.reader.state('imigrasi.cegah-versi', 'daftar');
    this.#version = whole(now?.value['versiDaftar']);
    // Bans decided on earlier days are on the list of every post.
    const standing = new Map<string, string>();
    for await (const { value } of decider.reader.states('imigrasi.cegah-aktif'))
      standing.set(text(value['nomorCekal']), text(value['namaLengkap']));
    for (const post of this.#posts) {
      this.#day.lists.set(post.owner, { version: this.#version, names: new Map(standing) });
      subscriptions.add({
        office: post,
        types: [CegahDitetapkan, CegahBerakhir],
        pollMs: 1000,
        ...(post === this.#posts[0] || post === this.#posts[1] ? { pull: { kind: 'nest' } } : {}),
      });
    }
    subscriptions.add({ office: decider, types: [CegahDiusulkan], webhook: {} });
    subscriptions.add({
      office: offices.need('ES1-DJIM'),
      types: [CegahDaftarDiterima],
    });
    PROPOSALS.forEach((p, i) => {
      const who = p.jenis === 'cegah' ? person(rng) : foreigner(rng);
      this.#subjects.push(who);
      clock.plan(clock.at(p.at), () => void this.#propose(offices.need(p.by), p.jenis, who, i + 1));
    });
    clock.plan(clock.at(REVOKED_AT), () => void this.#revoke(decider));
    return PROPOSALS.length * 2 + 1 + (PROPOSALS.length + 1) * this.#posts.length + 2;
  }

  async #propose(by: Office, jenis: 'cegah' | 'tangkal', who: Person, n: number): Promise<void> {
    const { clock, number, offices } = this.#day;
    const rng = by.random;
    const usulan = numbered('USL', number, n);
    await by.publish(
      outgoing(CegahDiusulkan, {
        orderingKey: usulan,
        korelasi: usulan,
        data: {
          nomorUsulan: usulan,
          jenis,
          instansiPengusul: by.unit === undefined ? by.owner : 'EXT-POLRI',
          unitPenginput: by.unit?.id ?? offices.need('ES2-WASDAKIM').owner,
          pejabatPenanggungJawab: 'Pejabat Contoh',
          nomorSuratKeputusan: `R-${rng.int(100, 999)}/${n}/2021`,
          tanggalSurat: clock.day(-1),
          dasarHukum: 'UU 6/2011 Pasal 91',
          alasan: 'proses penyidikan',
          mendesak: n === 1,
          subjekJenis: who.kewarganegaraan === 'IDN' ? 'WNI' : 'WNA',
          namaLengkap: who.nama,
          tanggalLahir: who.tanggalLahir,
          jenisKelamin: who.jenisKelamin,
          kewarganegaraan: who.kewarganegaraan,
          ...(who.kewarganegaraan === 'IDN' ? { nik: who.nik } : {}),
          masaBerlakuHari: 180,
          mulaiBerlaku: clock.date,
          dokumenKeputusan: document(rng, 'skep'),
          petugasInput: officer(rng),
        },
      }),
    );
  }

  /** The directorate receives a proposal and decides. */
  proposed(proposal: CegahDiusulkanData, directorate: Office): void {
    this.#day.clock.after(directorate.random.int(4, 9), () => void this.#decide(directorate, proposal));
  }

  async #decide(by: Office, u: CegahDiusulkanData): Promise<void> {
    const { clock, number, tally } = this.#day;
    const version = ++this.#version;
    const n = u.nomorUsulan.split('-').at(-1);
    this.#lastCekal = numbered('CKL', number, Number(n));
    this.#acks.set(version, new Set());
    const label = clock.label();
    const say = `${u.jenis === 'cegah' ? 'Cegah' : 'Tangkal'} #${Number(n)}`;
    tally.fact(`ban ${version}`, label, `${say} ditetapkan, daftar v${version}`, `${say} decided, list v${version}`);
    await by.publish(
      outgoing(CegahDitetapkan, {
        orderingKey: 'daftar',
        korelasi: u.nomorUsulan,
        data: {
          nomorCekal: this.#lastCekal,
          nomorUsulan: u.nomorUsulan,
          versiDaftar: version,
          jenis: known(u.jenis),
          peristiwa: 'baru',
          subjekJenis: known(u.subjekJenis),
          namaLengkap: u.namaLengkap,
          tanggalLahir: u.tanggalLahir,
          jenisKelamin: known(u.jenisKelamin),
          kewarganegaraan: u.kewarganegaraan,
          mulaiBerlaku: clock.iso(),
          berakhir: clock.day(180),
          instansiPengusul: u.instansiPengusul,
          tindakanDiTpi: 'tolak',
          kontakSiaga: '+622100000000',
          kodePencocokan: by.random.hex(32),
        },
      }),
    );
  }

  async #revoke(by: Office): Promise<void> {
    const { clock, tally } = this.#day;
    const version = ++this.#version;
    const who = this.#subjects.at(-1)!;
    this.#acks.set(version, new Set());
    tally.fact(
      `ban ${version}`,
      clock.label(),
      `Tangkal dicabut, daftar v${version}`,
      `Entry ban revoked, list v${version}`,
    );
    await by.publish(
      outgoing(CegahBerakhir, {
        orderingKey: 'daftar',
        data: {
          nomorCekal: this.#lastCekal,
          versiDaftar: version,
          sebab: 'dicabut_pengusul',
          berlakuMulai: clock.iso(),
          nomorSuratPencabutan: `R-${by.random.int(100, 999)}/2021`,
          instansiPengusul: 'EXT-POLRI',
          namaLengkap: who.nama,
          tanggalLahir: who.tanggalLahir,
        },
      }),
    );
  }

  /** A post adds a ban to its copy of the list. */
  decided({ nomorCekal, namaLengkap, versiDaftar }: CegahDitetapkanData, post: Office): void {
    this.#day.lists.get(post.owner)!.names.set(nomorCekal, namaLengkap);
    this.#listChanged(post, versiDaftar);
  }

  /** A post removes a ban from its copy of the list. */
  ended({ nomorCekal, versiDaftar }: CegahBerakhirData, post: Office): void {
    this.#day.lists.get(post.owner)!.names.delete(nomorCekal);
    this.#listChanged(post, versiDaftar);
  }

  /** A post publishes which version of the list it now has. */
  #listChanged(post: Office, version: number): void {
    const { clock } = this.#day;
    const copy = this.#day.lists.get(post.owner)!;
    copy.version = Math.max(copy.version, version);
    const entries = copy.names.size;
    clock.after(post.random.int(1, 14), () => {
      void post.publish(
        outgoing(CegahDaftarDiterima, {
          orderingKey: post.owner,
          data: { unit: post.owner, versiDaftar: version, waktuDiterima: clock.iso(), jumlahEntri: entries },
        }),
      );
    });
    const first = this.#subjects[0]!.nama;
    if (
      !this.#refused &&
      post.unit?.code === REFUSING_KANIM &&
      copy.names.size > 0 &&
      [...copy.names.values()].includes(first)
    ) {
      this.#refused = true;
      clock.plan(Math.max(clock.now() + 5 * 60_000, clock.at('10:01')), () => void this.#applicant(post, first));
    }
  }

  /** A person on the list applies for a passport; the kanim checks its own copy of the list. */
  async #applicant(kanim: Office, nama: string): Promise<void> {
    const { clock, number, tally } = this.#day;
    const kasus = numbered('PSP-TOLAK', number, 1);
    const rng = kanim.random;
    const step = { nomor: kasus, layanan: 'IMI-PASPOR', pemegang: kanim.owner, pemohonRef: `pmh_${rng.hex(12)}` };
    await kanim.publish(caseStep(clock, { ...step, baru: 'diajukan' }));
    const banned = [...this.#day.lists.get(kanim.owner)!.names.values()].includes(nama);
    const end = banned ? { baru: 'ditolak' as const, alasan: 'CEGAH' } : { baru: 'diproses' as const };
    await kanim.publish(caseStep(clock, { ...step, lama: 'diajukan', ...end }));
    if (banned)
      tally.fact(
        'passport refused',
        clock.label(),
        `${kanim.name} menolak 1 paspor`,
        `${kanim.name} refused 1 passport`,
      );
  }

  /** The directorate general counts the posts that have a version. */
  acknowledged({ unit, versiDaftar: version }: CegahDaftarDiterimaData): void {
    const { clock, tally } = this.#day;
    const posts = this.#acks.get(version);
    if (posts === undefined) return;
    posts.add(unit);
    const of = this.#posts.length;
    tally.fact(
      `ban ${version}`,
      clock.label(),
      `${posts.size} dari ${of} pos mengakui daftar v${version}`,
      `${posts.size} of ${of} posts acknowledge list v${version}`,
    );
  }
}

/** The kanim that refuses a passport because of the first ban. */
const REFUSING_KANIM = 'KANIM-31-JAKARTA-BARAT';
