import { caseStep } from '../case.js';
import type { Heard } from '../ear.js';
import { numbered, text, whole, type Day, type Flow } from '../day.js';
import type { Office } from '../office.js';
import { document, foreigner, officer, person, type Person } from '../people.js';

const PROPOSALS = [
  { at: '07:50', by: 'EXT-KPK', jenis: 'cegah' },
  { at: '08:35', by: 'EXT-KEJAGUNG', jenis: 'cegah' },
  { at: '09:20', by: 'EXT-POLRI', jenis: 'cegah' },
  { at: '09:50', by: 'EXT-DJP', jenis: 'cegah' },
  { at: '12:40', by: 'RUDENIM-31-JAKARTA', jenis: 'tangkal' },
] as const;
const REVOKED_AT = '14:10';

/** Exit ban: proposal → decision with a list version → every post acknowledges it → a kanim stops a passport because of it. */
export class Bans implements Flow {
  readonly name = 'cegah';
  readonly #day: Day;
  readonly #acks = new Map<number, Set<string>>();
  readonly #subjects: Person[] = [];
  #posts: readonly Office[] = [];
  #version = 0;
  #lastCekal = '';
  #stopped = false;

  constructor(day: Day) {
    this.#day = day;
  }

  async plan(): Promise<number> {
    const { offices, clock, chance, ear } = this.#day;
    const c = chance.fork('bans');
    this.#posts = offices.type('tpi', 'kanim');
    const decider = offices.need('ES2-WASDAKIM');
    const now = await decider.reader.state('imigrasi.cegah-versi', 'daftar');
    this.#version = whole(now?.value['versiDaftar']);
    // What was decided on the days before stands on every list.
    const standing = new Map<string, string>();
    for await (const { value } of decider.reader.states('imigrasi.cegah-aktif'))
      standing.set(text(value['nomorCekal']), text(value['namaLengkap']));
    for (const post of this.#posts) {
      this.#day.lists.set(post.owner, { version: this.#version, names: new Map(standing) });
      ear.listen({
        office: post,
        stream: 'imigrasi.cegah',
        types: ['imigrasi.cegah.ditetapkan', 'imigrasi.cegah.berakhir'],
        everyMs: 1000,
      });
    }
    ear.listen({ office: decider, stream: 'imigrasi.cegah', types: ['imigrasi.cegah.diusulkan'] });
    ear.listen({
      office: offices.need('ES1-DJIM'),
      stream: 'imigrasi.cegah',
      types: ['imigrasi.cegah.daftar-diterima'],
    });
    PROPOSALS.forEach((p, i) => {
      const who = p.jenis === 'cegah' ? person(c) : foreigner(c);
      this.#subjects.push(who);
      clock.plan(clock.at(p.at), () => void this.#propose(offices.need(p.by), p.jenis, who, i + 1));
    });
    clock.plan(clock.at(REVOKED_AT), () => void this.#revoke(decider));
    return PROPOSALS.length * 2 + 1 + (PROPOSALS.length + 1) * this.#posts.length + 2;
  }

  async #propose(by: Office, jenis: string, who: Person, n: number): Promise<void> {
    const { clock, number, offices } = this.#day;
    const c = by.chance;
    const usulan = numbered('USL', number, n);
    await by.tell({
      type: 'imigrasi.cegah.diusulkan',
      lane: usulan,
      korelasi: usulan,
      data: {
        nomorUsulan: usulan,
        jenis,
        instansiPengusul: by.unit === undefined ? by.owner : 'EXT-POLRI',
        unitPenginput: by.unit?.id ?? offices.need('ES2-WASDAKIM').owner,
        pejabatPenanggungJawab: 'Pejabat Contoh',
        nomorSuratKeputusan: `R-${c.int(100, 999)}/${n}/2021`,
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
        dokumenKeputusan: document(c, 'skep'),
        petugasInput: officer(c),
      },
    });
  }

  /** The directorate reads a proposal and decides. */
  proposed({ event, office }: Heard): void {
    this.#day.clock.after(office.chance.int(4, 9), () => void this.#decide(office, event.data));
  }

  async #decide(by: Office, u: Readonly<Record<string, unknown>>): Promise<void> {
    const { clock, number, tally } = this.#day;
    const version = ++this.#version;
    const n = text(u['nomorUsulan']).split('-').at(-1);
    this.#lastCekal = numbered('CKL', number, Number(n));
    this.#acks.set(version, new Set());
    const label = clock.label();
    const say = `${text(u['jenis']) === 'cegah' ? 'Cegah' : 'Tangkal'} #${Number(n)}`;
    tally.fact(`ban ${version}`, label, `${say} ditetapkan, daftar v${version}`, `${say} decided, list v${version}`);
    await by.tell({
      type: 'imigrasi.cegah.ditetapkan',
      lane: 'daftar',
      korelasi: text(u['nomorUsulan']),
      data: {
        nomorCekal: this.#lastCekal,
        nomorUsulan: u['nomorUsulan'],
        versiDaftar: version,
        jenis: u['jenis'],
        peristiwa: 'baru',
        subjekJenis: u['subjekJenis'],
        namaLengkap: u['namaLengkap'],
        tanggalLahir: u['tanggalLahir'],
        jenisKelamin: u['jenisKelamin'],
        kewarganegaraan: u['kewarganegaraan'],
        mulaiBerlaku: clock.iso(),
        berakhir: clock.day(180),
        instansiPengusul: u['instansiPengusul'],
        tindakanDiTpi: 'tolak',
        kontakSiaga: '+622100000000',
        kodePencocokan: by.chance.hex(32),
      },
    });
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
    await by.tell({
      type: 'imigrasi.cegah.berakhir',
      lane: 'daftar',
      data: {
        nomorCekal: this.#lastCekal,
        versiDaftar: version,
        sebab: 'dicabut_pengusul',
        berlakuMulai: clock.iso(),
        nomorSuratPencabutan: `R-${by.chance.int(100, 999)}/2021`,
        instansiPengusul: 'EXT-POLRI',
        namaLengkap: who.nama,
        tanggalLahir: who.tanggalLahir,
      },
    });
  }

  /** A post applies the change to its own copy and says which version it now works with. */
  received({ event, office: post }: Heard): void {
    const { type, data: d } = event;
    const { clock } = this.#day;
    const copy = this.#day.lists.get(post.owner)!;
    const version = whole(d['versiDaftar']);
    if (type.endsWith('berakhir')) copy.names.delete(text(d['nomorCekal']));
    else copy.names.set(text(d['nomorCekal']), text(d['namaLengkap']));
    copy.version = Math.max(copy.version, version);
    const entries = copy.names.size;
    clock.after(post.chance.int(1, 14), () => {
      void post.tell({
        type: 'imigrasi.cegah.daftar-diterima',
        lane: post.owner,
        data: { unit: post.owner, versiDaftar: version, waktuDiterima: clock.iso(), jumlahEntri: entries },
      });
    });
    const first = this.#subjects[0]!.nama;
    if (
      !this.#stopped &&
      post.unit?.code === STOPPING &&
      copy.names.size > 0 &&
      [...copy.names.values()].includes(first)
    ) {
      this.#stopped = true;
      clock.plan(Math.max(clock.now() + 5 * 60_000, clock.at('10:01')), () => void this.#applicant(post, first));
    }
  }

  /** A person on the list asks for a passport; the kanim compares with its own copy. */
  async #applicant(kanim: Office, nama: string): Promise<void> {
    const { clock, number, tally } = this.#day;
    const kasus = numbered('PSP-TOLAK', number, 1);
    const c = kanim.chance;
    const step = { nomor: kasus, layanan: 'IMI-PASPOR', pemegang: kanim.owner, pemohonRef: `pmh_${c.hex(12)}` };
    await kanim.tell(caseStep(clock, { ...step, baru: 'diajukan' }));
    const stopped = [...this.#day.lists.get(kanim.owner)!.names.values()].includes(nama);
    const end = stopped ? { baru: 'ditolak', alasan: 'CEGAH' } : { baru: 'diproses' };
    await kanim.tell(caseStep(clock, { ...step, lama: 'diajukan', ...end }));
    if (stopped)
      tally.fact('stopped', clock.label(), `${kanim.name} menolak 1 paspor`, `${kanim.name} refused 1 passport`);
  }

  acknowledged({ event }: Heard): void {
    const version = whole(event.data['versiDaftar']);
    const unit = text(event.data['unit']);
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

const STOPPING = 'KANIM-31-JAKARTA-BARAT';
