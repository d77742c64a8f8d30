import { isDay } from './day.js';
import { ZONES } from './kinds.js';
import { currentRows, endUnit, insertVersion, knownSinceFor, nextVersion, validOn, type Rows } from './timeline.js';
import type { Unit } from './unit.js';

export const text = (v: unknown): string | undefined => (typeof v === 'string' && v !== '' ? v : undefined);
const number = (v: unknown): number | undefined => (typeof v === 'number' ? v : undefined);
const ids = (v: unknown): string[] => (Array.isArray(v) ? v.filter((x): x is string => typeof x === 'string') : []);

/** Type of the event that changes a unit. */
export const UNIT_CHANGED = 'org.unit.berubah';
export type UnitChange = Readonly<Record<string, unknown>>;

/** The cause of a change: `dibentuk`, `ganti-nama`, … */
export const causeOf = (data: UnitChange): string => (text(data['peristiwa']) ?? '').replaceAll('_', '-');

/** The region code and the edition of the code list, as far as the change has them. */
export function regionOf(data: UnitChange): { readonly kode?: string; readonly edisi?: string } {
  const region = data['kodeWilayah'];
  if (typeof region !== 'object' || region === null) return {};
  const { kode, edisi } = region as UnitChange;
  return given<{ kode: string; edisi: string }>({ kode: text(kode), edisi: text(edisi) });
}

/** The current row whose fields a change of that day keeps where it says nothing. */
export const baseOf = (current: Rows, from: string): Unit | undefined =>
  validOn(current, from) ?? current.filter((r) => r.validFrom <= from).at(-1) ?? current[0];

/** The object without members that are undefined. */
function given<T extends object>(o: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined)) as T;
}

/**
 * The rows of a unit after an `org.unit.berubah` event. Pure and total: an event without a unit id or without a valid first day changes nothing. It sees this
 * one unit only; `unitChangeProblems` must have found before that the change fits the other units.
 *
 * - A unit without rows is founded. For any other unit the event states the unit from `berlakuMulai` on: the version of that day ends the day before.
 *   An optional field that is absent keeps its value.
 * - A second event with the same `berlakuMulai` is a correction: the version that began on that day is no longer current.
 * - `ditutup` ends the unit. `dipecah`, `digabung` and `pindah-kementerian` end it when the event names successors and the unit is not one of them;
 *   `pindah-kementerian` also ends it when the event names neither a new parent nor successors.
 * - `diketahuiSejak` is the second time axis. It never goes back before the `knownSince` of an existing row.
 */
export function foldUnitEvent(rows: Rows, data: UnitChange, unitOf: (id: string) => Unit | undefined): Rows {
  const id = text(data['unitId']);
  const from = data['berlakuMulai'];
  if (id === undefined || !isDay(from)) return rows;
  const cause = causeOf(data);
  const knownSince = knownSinceFor(rows, text(data['diketahuiSejak']) ?? `${from}T00:00:00Z`);
  const successors = ids(data['penerus']);
  const predecessors = ids(data['pendahulu']);
  const parent = text(data['indukAdministratif']);
  const marks = given<Partial<Unit>>({ cause, legalGround: text(data['dasarHukum']) });
  const linked = { ...marks, ...(successors.length > 0 ? { successors } : {}) };

  const continues = successors.length === 0 || successors.includes(id);
  const ends =
    cause === 'ditutup' ||
    ((cause === 'dipecah' || cause === 'digabung') && !continues) ||
    (cause === 'pindah-kementerian' && parent === undefined && (successors.length === 0 || !continues));
  if (ends) return endUnit(rows, from, knownSince, linked);

  const current = currentRows(rows);
  const base = baseOf(current, from);
  const near = base ?? unitOf(predecessors[0] ?? '') ?? unitOf(parent ?? '');
  const { kode: region, edisi: edition } = regionOf(data);
  const zone = ZONES[text(data['zonaWaktu']) ?? ''];
  const name = text(data['nama']) ?? base?.name ?? id;
  const rank = text(data['kelas']) ?? base?.class;
  const to = data['berlakuSampai'];
  // A correction of a founding keeps the basis `founded`.
  const founds = cause === 'dibentuk' || !base || (base.basis === 'founded' && base.validFrom === from);
  const version = given<Unit>({
    ...inherited(base, { name, class: rank }),
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
  return insertVersion(rows, version);
}

/** Fields of one version that the next version does not inherit. */
const NOT_INHERITED: ReadonlySet<string> = new Set([
  'validTo',
  'knownUntil',
  'predecessors',
  'successors',
  'cause',
  'legalGround',
  'note',
]);

/** The fields that the next version inherits. The English name belongs to the name, and the basis of the class to the class: each is kept only while that stays the same. */
function inherited(
  base: Unit | undefined,
  next: { readonly name: string; readonly class: string | undefined },
): Partial<Unit> {
  if (!base) return {};
  return Object.fromEntries(
    Object.entries(base).filter(
      ([k]) =>
        !NOT_INHERITED.has(k) &&
        (k !== 'nameEn' || base.name === next.name) &&
        (k !== 'classBasis' || base.class === next.class),
    ),
  );
}
