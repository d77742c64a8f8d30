import { createHash } from 'node:crypto';
import { UNKNOWN_SYMBOL } from './scalar.js';
import type { Contract, Data, FieldInfo, ValueInfo } from './types.js';

/** Pseudo-random numbers with a fixed sequence per seed (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  int(from: number, to: number): number {
    return from + Math.floor(this.unit() * (to - from + 1));
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(0, list.length - 1)]!;
  }

  digits(count: number): string {
    let out = '';
    for (let i = 0; i < count; i++) out += this.int(0, 9);
    return out;
  }
}

const FIRST =
  'Adi Bayu Citra Dewi Eka Fajar Gita Hadi Indah Joko Kartika Lestari Made Nur Oka Putri Rina Sari Tono Wulan'.split(
    ' ',
  );
const LAST = 'Contoh Peraga Misalan Rekaan Andaian Cobaan Simulasi Bayangan'.split(' ');
const TOWNS = ['Jakarta', 'Medan', 'Makassar', 'Jayapura', 'Kupang', 'Pontianak', 'Surabaya', 'Ambon'];
const PARTIES = ['EXT-POLRI', 'EXT-KEJAGUNG', 'EXT-KPK', 'EXT-BNN', 'EXT-MA'];
const SERVICES = ['IMI-PASPOR', 'IMI-IZIN-TINGGAL', 'AHU-FIDUSIA', 'KI-MEREK', 'SETJEN-PPID'];
const COUNTRIES = ['IDN', 'MYS', 'AUS', 'TLS', 'PNG', 'NLD'];
const LATER = /habis|berakhir|sampai|tenggat|batas|kedaluwarsa|bebas|perkiraan|jadwal|rencana/i;

/**
 * Valid invented data of a contract. The same seed gives the same data; seed 0 fills every field, other seeds omit some optional fields.
 * NIK begin with 99, names are invented, dates are in July 2021 (a birth or a deadline has another date).
 */
export function sample(contract: Contract, seed: number): Data {
  return fill(contract.fields, new Dice(seed * 7_919 + contract.name.length), seed === 0);
}

function fill(fields: readonly FieldInfo[], dice: Dice, all: boolean): Data {
  const out: Data = {};
  for (const f of fields) {
    const absent = f.optional && !all && dice.unit() < 0.4;
    if (!absent) out[f.name] = value(f, f.name, dice, all);
  }
  return out;
}

function value(v: ValueInfo & Pick<FieldInfo, 'min' | 'max'>, name: string, dice: Dice, all: boolean): unknown {
  switch (v.kind) {
    case 'string':
      return text(v.role, name, dice);
    case 'enum':
      return dice.pick(v.symbols!.filter((s) => s !== UNKNOWN_SYMBOL));
    case 'date':
      return date(name, dice);
    case 'timestamp':
      return `${LATER.test(name) ? '2021-08' : '2021-07'}-${two(dice.int(1, 30))}T${two(dice.int(8, 15))}:${two(dice.int(0, 59))}:${two(dice.int(0, 59))}+07:00`;
    case 'int':
    case 'long':
      return Math.max(
        Number(v.min ?? 1),
        Math.min(Number(v.max ?? 2021), /tahun$/i.test(name) ? 2021 : dice.int(1, 90)),
      );
    case 'float':
    case 'double':
      return number(name, dice);
    case 'decimal':
      return amount(v, dice);
    case 'boolean':
      return dice.unit() < 0.5;
    case 'uuid':
      return uuid(dice);
    case 'bytes':
      return Buffer.from(dice.digits(8)).toString('base64');
    case 'fixed':
      return Buffer.from(dice.digits(v.size!)).toString('base64');
    case 'record':
      return fill(v.fields!, dice, all);
    case 'array':
      return Array.from({ length: all ? 2 : dice.int(0, 3) }, () =>
        value({ ...v.items!, ...boundsOf(v) }, name, dice, all),
      );
    case 'map':
      return { contoh: value(v.items!, name, dice, all) };
    default:
      return null;
  }
}

function boundsOf({ min, max }: Pick<FieldInfo, 'min' | 'max'>): Pick<FieldInfo, 'min' | 'max'> {
  return { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}

function date(name: string, dice: Dice): string {
  if (/lahir/i.test(name)) return `${dice.int(1955, 2003)}-${two(dice.int(1, 12))}-${two(dice.int(1, 28))}`;
  if (LATER.test(name)) return `2021-${two(dice.int(8, 12))}-${two(dice.int(1, 28))}`;
  return `2021-07-${two(dice.int(1, 31))}`;
}

function number(name: string, dice: Dice): number {
  if (/lintang/i.test(name)) return dice.int(-1_000, 500) / 100;
  if (/bujur/i.test(name)) return dice.int(9_500, 14_000) / 100;
  return dice.int(1, 400) / 4;
}

/** Whole thousands when the precision allows them. */
function amount(v: ValueInfo, dice: Dice): string {
  const scale = v.scale ?? 0;
  const whole = (v.precision ?? 0) - scale >= 7 ? `${dice.int(50, 5_000)}000` : '0';
  return scale === 0 ? whole : `${whole}.${'0'.repeat(scale)}`;
}

function uuid(dice: Dice): string {
  const h = createHash('sha256').update(dice.digits(12)).digest('hex');
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-8${h.slice(17, 20)}-${h.slice(20, 32)}`;
}

function text(role: string | undefined, name: string, dice: Dice): string {
  switch (role) {
    case 'nik':
      return `99${dice.digits(14)}`;
    case 'unitId':
      return `SU00${dice.int(32, 770).toString().padStart(3, '0')}`;
    case 'nipRef':
      return `nip-${uuid(dice).slice(0, 13)}`;
    case 'phone':
      return `+62000${dice.digits(7)}`;
    case 'email':
      return `contoh${dice.digits(4)}@example.invalid`;
    case 'partyCode':
      return dice.pick(PARTIES);
    case 'serviceCode':
      return dice.pick(SERVICES);
    case 'countryCode':
      return dice.pick(COUNTRIES);
    default:
      return byName(name, dice);
  }
}

function byName(name: string, dice: Dice): string {
  const n = name.toLowerCase();
  if (/^(uri|url)/.test(n)) return `urn:contoh:berkas:${dice.digits(8)}`;
  if (n === 'sha256') return createHash('sha256').update(dice.digits(12)).digest('hex');
  if (n === 'jenismedia') return 'application/pdf';
  if (n === 'kode') return `${dice.int(11, 94)}.${two(dice.int(1, 20))}`;
  if (n === 'edisi') return '2021';
  if (n === 'matauang') return 'IDR';
  if (n === 'bahasa') return 'id';
  if (n === 'zonawaktu') return 'Asia/Jakarta';
  if (n === 'kodebilling') return `8202107${dice.digits(8)}`;
  if (n === 'ntpn') return `${dice.digits(8)}CONTOH${dice.digits(2)}`;
  if (n.startsWith('nomorkk')) return `99${dice.digits(14)}`;
  if (/^(nomor|id[a-z]|kode)/.test(n)) return `${name.slice(0, 2).toUpperCase()}-2021-${dice.digits(6)}`;
  if (/tempat|kota|kedudukan|lokasi/.test(n)) return dice.pick(TOWNS);
  if (/alamat/.test(n)) return `Jalan Contoh No. ${dice.int(1, 200)}, ${dice.pick(TOWNS)}`;
  if (/nama|pelapor|pemohon|pejabat|penandatangan|terlapor|narahubung/.test(n))
    return `${dice.pick(FIRST)} ${dice.pick(LAST)}`;
  return `contoh ${name} ${dice.digits(3)}`;
}
