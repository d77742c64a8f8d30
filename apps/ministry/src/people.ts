import type { Random } from './random.js';

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

/** An invented person. The NIK begins with 99, which is no province. */
export function person(rng: Random): Person {
  const man = rng.chance(0.7);
  const [y, m, d] = [rng.int(1955, 2002), rng.int(1, 12), rng.int(1, 28)];
  return {
    nama: `${rng.pick(man ? MEN : WOMEN)} ${rng.pick(LAST)}`,
    nik: `99${rng.digits(4)}${two(man ? d : d + 40)}${two(m)}${two(y % 100)}${String(rng.int(1, 9999)).padStart(4, '0')}`,
    tanggalLahir: `${y}-${two(m)}-${two(d)}`,
    jenisKelamin: man ? 'L' : 'P',
    tempatLahir: rng.pick(TOWNS),
    agama: rng.pick(FAITHS),
    alamat: `Jalan Rekaan ${rng.int(1, 99)}, ${rng.pick(TOWNS)}`,
    ponsel: `+62800${rng.digits(8)}`,
    kewarganegaraan: 'IDN',
  };
}

export function foreigner(rng: Random): Person {
  const i = rng.int(0, FOREIGN.length - 1);
  return {
    ...person(rng),
    nama: `${FOREIGN[i]!} ${rng.pick(['I', 'II', 'III', 'IV', 'V'])}`,
    kewarganegaraan: NATIONS[i]!,
  };
}

export function document(
  rng: Random,
  kind: string,
): { uri: string; sha256: string; jenisMedia: string; ukuran: number } {
  return {
    uri: `urn:simpul:dokumen:${kind}:${rng.hex(12)}`,
    sha256: rng.hex(64),
    jenisMedia: 'application/pdf',
    ukuran: rng.int(20_000, 900_000),
  };
}

/** A pseudonym of an employee number, in the form that events use. */
export const officer = (rng: Random): string => `nip_${rng.hex(16)}`;
