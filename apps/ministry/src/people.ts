import type { Chance } from './chance.js';

const MEN =
  'Bagas Darma Eko Fajar Galih Hendro Imam Joko Krisna Lukman Made Nyoman Okta Panji Rangga Satrio Teguh Umar Wahyu Yosef Zainal Markus'.split(
    ' ',
  );
const WOMEN =
  'Ayu Bunga Citra Dewi Endah Fitri Gita Hani Indah Juwita Kartika Lestari Mega Nurul Olivia Putri Ratna Sekar Tiara Utami Wulan Yanti'.split(
    ' ',
  );
const LAST =
  'Rekaanto Contohwati Ujibrata Misalkan Cobasari Khayalan Andaikata Peragawan Angananto Imajina Umpama Tiruwan Modelina Anggapan'.split(
    ' ',
  );
const TOWNS = ['Kota Rekaan', 'Kabupaten Contoh', 'Kota Misal', 'Kabupaten Umpama', 'Kota Andai', 'Kabupaten Khayal'];
const FAITHS = ['Islam', 'Kristen', 'Katolik', 'Hindu', 'Buddha', 'Khonghucu'];
const FOREIGN = ['Alban Fictus', 'Berta Exempel', 'Carlo Inventa', 'Dilan Sampleton', 'Eri Kasou', 'Fan Xugou'];
const NATIONS = ['MYS', 'CHN', 'NGA', 'AUS', 'PHL', 'VNM'];

export interface Person {
  readonly nama: string;
  readonly nik: string;
  readonly tanggalLahir: string;
  readonly jenisKelamin: 'L' | 'P';
  readonly tempatLahir: string;
  readonly agama: string;
  readonly alamat: string;
  readonly ponsel: string;
  readonly kewarganegaraan: string;
}

const two = (n: number): string => String(n).padStart(2, '0');

/** An invented person. NIK begin with 99: no such province. */
export function person(c: Chance): Person {
  const man = c.some(0.7);
  const [y, m, d] = [c.int(1955, 2002), c.int(1, 12), c.int(1, 28)];
  return {
    nama: `${c.pick(man ? MEN : WOMEN)} ${c.pick(LAST)}`,
    nik: `99${c.digits(4)}${two(man ? d : d + 40)}${two(m)}${two(y % 100)}${String(c.int(1, 9999)).padStart(4, '0')}`,
    tanggalLahir: `${y}-${two(m)}-${two(d)}`,
    jenisKelamin: man ? 'L' : 'P',
    tempatLahir: c.pick(TOWNS),
    agama: c.pick(FAITHS),
    alamat: `Jalan Rekaan ${c.int(1, 99)}, ${c.pick(TOWNS)}`,
    ponsel: `+62800${c.digits(8)}`,
    kewarganegaraan: 'IDN',
  };
}

export function foreigner(c: Chance): Person {
  const i = c.int(0, FOREIGN.length - 1);
  return {
    ...person(c),
    nama: `${FOREIGN[i]!} ${c.pick(['I', 'II', 'III', 'IV', 'V'])}`,
    kewarganegaraan: NATIONS[i]!,
  };
}

export function document(c: Chance, kind: string): { uri: string; sha256: string; jenisMedia: string; ukuran: number } {
  return {
    uri: `urn:simpul:dokumen:${kind}:${c.hex(12)}`,
    sha256: c.hex(64),
    jenisMedia: 'application/pdf',
    ukuran: c.int(20_000, 900_000),
  };
}

/** A pseudonym of an employee number, as events carry it. */
export const officer = (c: Chance): string => `nip_${c.hex(16)}`;
