import { isDay } from './day.js';
import { ZONES } from './kinds.js';
import { believed, end, learnedAt, nextVersion, place, validOn, type Rows } from './timeline.js';
import type { Unit } from './unit.js';

export const text = (v: unknown): string | undefined => (typeof v === 'string' && v !== '' ? v : undefined);
const number = (v: unknown): number | undefined => (typeof v === 'number' ? v : undefined);
const ids = (v: unknown): string[] => (Array.isArray(v) ? v.filter((x): x is string => typeof x === 'string') : []);

/** The event that changes units. */
export const UNIT_CHANGED = 'org.unit.berubah';
export type UnitChange = Readonly<Record<string, unknown>>;

/** What happened: `dibentuk`, `ganti-nama` … */
export const causeOf = (data: UnitChange): string => (text(data['peristiwa']) ?? '').replaceAll('_', '-');

/** Region code and the edition of its list, where the change gives them. */
export function regionOf(data: UnitChange): { readonly kode?: string; readonly edisi?: string } {
  const region = data['kodeWilayah'];
  if (typeof region !== 'object' || region === null) return {};
  const { kode, edisi } = region as UnitChange;
  return given<{ kode: string; edisi: string }>({ kode: text(kode), edisi: text(edisi) });
}

/** The version that a change of that day starts from, among those believed now. */
export const baseOf = (live: Rows, from: string): Unit | undefined =>
  validOn(live, from) ?? live.filter((r) => r.validFrom <= from).at(-1) ?? live[0];

/** The object without members that are undefined. */
function given<T extends object>(o: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined)) as T;
}

/**
 * What an `org.unit.berubah` event makes of its unit's rows. Pure and total: an event that names no unit or no day changes nothing.
 * It looks at this one unit; whether the change fits the others is said by `unitChangeProblems`, which is asked first.
 *
 * - A unit without rows is founded. Otherwise the event states the unit from `berlakuMulai` on: the version of that day ends the day before.
 *   An optional field left out means *as before*.
 * - The same `berlakuMulai` again is a correction: the version that began that day is believed no more.
 * - `ditutup` ends the unit; so do `dipecah`, `digabung` and `pindah-kementerian` when successors are named and the unit is not among them,
 *   and `pindah-kementerian` without any new parent or successor.
 * - `diketahuiSejak` is the second time axis; it never goes back behind what was learnt before.
 */
export function foldUnitEvent(rows: Rows, data: UnitChange, unitOf: (id: string) => Unit | undefined): Rows {
  const id = text(data['unitId']);
  const from = data['berlakuMulai'];
  if (id === undefined || !isDay(from)) return rows;
  const cause = causeOf(data);
  const knownSince = learnedAt(rows, text(data['diketahuiSejak']) ?? `${from}T00:00:00Z`);
  const successors = ids(data['penerus']);
  const predecessors = ids(data['pendahulu']);
  const parent = text(data['indukAdministratif']);
  const marks = given<Partial<Unit>>({ cause, legalGround: text(data['dasarHukum']) });
  const linked = { ...marks, ...(successors.length > 0 ? { successors } : {}) };

  const goesOn = successors.length === 0 || successors.includes(id);
  const ends =
    cause === 'ditutup' ||
    ((cause === 'dipecah' || cause === 'digabung') && !goesOn) ||
    (cause === 'pindah-kementerian' && parent === undefined && (successors.length === 0 || !goesOn));
  if (ends) return end(rows, from, knownSince, linked);

  const live = believed(rows);
  const base = baseOf(live, from);
  const near = base ?? unitOf(predecessors[0] ?? '') ?? unitOf(parent ?? '');
  const { kode: region, edisi: edition } = regionOf(data);
  const zone = ZONES[text(data['zonaWaktu']) ?? ''];
  const name = text(data['nama']) ?? base?.name ?? id;
  const rank = text(data['kelas']) ?? base?.class;
  const to = data['berlakuSampai'];
  // What corrects a founding still says the day of the founding.
  const founds = cause === 'dibentuk' || !base || (base.basis === 'founded' && base.validFrom === from);
  const version = given<Unit>({
    ...bare(base, { name, class: rank }),
    id,
    version: nextVersion(rows),
    code: text(data['kode']) ?? base?.code ?? id,
    name,
    shortName: base?.name === name ? base.shortName : name,
    type: text(data['jenis']) ?? base?.type ?? 'layanan',
    class: rank,
    parent: parent ?? base?.parent,
    technicalParent: text(data['indukTeknis']) ?? base?.technicalParent,
    provinceCode: region?.slice(0, 2) ?? near?.provinceCode ?? '',
    regionCode: region ?? base?.regionCode,
    regionEdition: edition ?? text(data['edisiKodeWilayah']) ?? base?.regionEdition,
    city: near?.city ?? '',
    address: text(data['alamat']) ?? base?.address,
    lat: number(data['lintang']) ?? near?.lat,
    lon: number(data['bujur']) ?? near?.lon,
    timezone: zone?.[0] ?? near?.timezone ?? 'Asia/Jakarta',
    tz: zone?.[1] ?? near?.tz ?? 'WIB',
    validFrom: from,
    validTo: isDay(to) && to >= from ? to : undefined,
    knownSince,
    basis: founds ? 'founded' : 'changed',
    ...marks,
    predecessors: predecessors.length > 0 ? predecessors : undefined,
    successors: successors.length > 0 ? successors : undefined,
  });
  return place(rows, version);
}

const OWN: ReadonlySet<string> = new Set([
  'validTo',
  'knownUntil',
  'predecessors',
  'successors',
  'cause',
  'legalGround',
  'note',
]);

/** What a version hands on to the next: all but its dates, links and ground; an English name only while the name stands, a ground of the class while the class does. */
function bare(
  base: Unit | undefined,
  next: { readonly name: string; readonly class: string | undefined },
): Partial<Unit> {
  if (!base) return {};
  return Object.fromEntries(
    Object.entries(base).filter(
      ([k]) =>
        !OWN.has(k) && (k !== 'nameEn' || base.name === next.name) && (k !== 'classBasis' || base.class === next.class),
    ),
  );
}
