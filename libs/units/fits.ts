import { verbatim, type Problem, type Text } from '#faults';
import { baseOf, causeOf, foldUnitEvent, regionOf, text, type UnitChange } from './change.js';
import { addDays, isDay } from './day.js';
import { UNIT_TYPES, ZONES } from './kinds.js';
import { texts } from './texts.js';
import { nextVersion, validOn, type Rows } from './timeline.js';
import type { Unit, Units } from './unit.js';

/** The current rows of all units: what a change is checked against. */
export type RegisteredUnits = Pick<Units, 'history' | 'holders'>;
type AddProblem = (field: string, reason: Text, expected: Text) => void;
type Span = Pick<Unit, 'validFrom' | 'validTo'>;

const UNIT_ID = /^SU\d{5,9}$/;
const REGION = /^\d{2}(\.\d+)*$/;
const LINES = [
  ['indukAdministratif', 'parent'],
  ['indukTeknis', 'technicalParent'],
] as const;

/**
 * Why an `org.unit.berubah` event does not fit the current registry; empty = it fits. Pure. The gateway refuses a change that does not fit, the fold skips it.
 *
 * - `jenis` and `zonaWaktu` are known and the region code has the right form. The days are in order, and the unit exists on the first one. Only `dibentuk`
 *   creates a unit, and only one that does not exist.
 * - A code belongs to one unit at a time and does not look like the id of another unit.
 * - A parent exists; on both lines and on every day of the change it is neither the unit itself nor below it (no cycle).
 *
 * A change that fitted still fits after it was folded, so a repeated event is a duplicate and not a refusal. Named successors may be founded later.
 */
export function unitChangeProblems(data: UnitChange, units: RegisteredUnits): readonly Problem[] {
  const out: Problem[] = [];
  const report: AddProblem = (field, reason, expected) => out.push({ pointer: `/data/${field}`, reason, expected });
  const id = text(data['unitId']) ?? '';
  const from = data['berlakuMulai'];
  if (!UNIT_TYPES.has(text(data['jenis']) ?? ''))
    report('jenis', texts.unknown_unit_type(), verbatim([...UNIT_TYPES].join(', ')));
  if (!Object.hasOwn(ZONES, text(data['zonaWaktu']) ?? ''))
    report('zonaWaktu', texts.unknown_time_zone(), verbatim(Object.keys(ZONES).join(', ')));
  if (!REGION.test(regionOf(data).kode ?? '00'))
    report('kodeWilayah/kode', texts.region_code_wrong(), texts.region_code());
  const valueProblems = out.length;
  if (!UNIT_ID.test(id)) report('unitId', texts.unit_id_wrong(), texts.unit_id());
  else if (!isDay(from)) report('berlakuMulai', texts.not_a_day(), texts.day());
  else {
    const current = units.history(id);
    checkDates(data, from, current, report);
    if (out.length === valueProblems) checkCodeAndParents(data, from, current, units, report);
  }
  return out;
}

function checkDates(data: UnitChange, from: string, current: Rows, report: AddProblem): void {
  const to = data['berlakuSampai'];
  if (isDay(to) && to < from) report('berlakuSampai', texts.ends_before_start(), texts.start_or_later_or_no_end());
  else if (isDay(to) && !isDay(addDays(to, 1))) report('berlakuSampai', texts.no_day_after(), texts.no_end());
  const there = validOn(current, from);
  if (causeOf(data) === 'dibentuk') {
    if (there && !(there.basis === 'founded' && there.validFrom === from))
      report('unitId', texts.unit_exists(), texts.new_id_or_founding_day());
  } else if (current.length === 0) report('unitId', texts.unknown_unit(), texts.known_unit_or_founding());
  else if (addedVersion(data, current)) {
    if (!existsOn(current, from)) report('berlakuMulai', texts.unit_not_on_day(), texts.day_of_unit_or_founding());
  } else if (current[0]!.basis === 'founded' && from <= current[0]!.validFrom)
    report('berlakuMulai', texts.ends_before_founding(), texts.day_after_founding());
}

function checkCodeAndParents(
  data: UnitChange,
  from: string,
  current: Rows,
  units: RegisteredUnits,
  report: AddProblem,
): void {
  const version = addedVersion(data, current);
  if (!version) return;
  const { id, code } = version;
  if (code !== id && UNIT_ID.test(code)) report('kode', texts.code_is_id_of_another(), texts.code_or_own_id());
  else if (units.holders(code).some((u) => u.id !== id && overlap(u, version)))
    report('kode', texts.code_taken(), texts.own_or_free_code());
  for (const [field, line] of LINES) {
    const up = version[line];
    if (up === undefined) continue;
    const isNew = up !== baseOf(current, from)?.[line];
    if (up === id) report(field, texts.parent_is_itself(), texts.unit_above());
    else if (isNew && !existsOn(units.history(up), from))
      report(field, texts.parent_not_on_day(), texts.unit_on_start());
    else if (leadsTo(id, up, version, units, new Set())) report(field, texts.parent_below(), texts.unit_not_below());
  }
}

/** The version that the change would add; undefined: the change ends the unit. */
function addedVersion(data: UnitChange, current: Rows): Unit | undefined {
  const version = nextVersion(current);
  return foldUnitEvent(current, data, () => undefined).find((r) => r.version === version && r.knownUntil === undefined);
}

/** A unit of the seed existed before its first row: its founding day is not known. */
function existsOn(current: Rows, day: string): boolean {
  const [first] = current;
  const before = first !== undefined && first.basis !== 'founded' && day < first.validFrom;
  return before || validOn(current, day) !== undefined;
}

const overlap = (a: Span, b: Span): boolean =>
  (b.validTo === undefined || a.validFrom <= b.validTo) && (a.validTo === undefined || b.validFrom <= a.validTo);

/** Whether a line of parents from `at` upwards reaches `id` on a day of the span. An ended unit counts too: it stays in the tree while units name it as parent. */
function leadsTo(id: string, at: string, span: Span, units: RegisteredUnits, visited: ReadonlySet<string>): boolean {
  if (at === id) return true;
  if (visited.has(at)) return false;
  const further = new Set([...visited, at]);
  const rows = units.history(at);
  return rows.some((row, i) => {
    const { validTo, ...endless } = row;
    const here: Span = i === rows.length - 1 || validTo === undefined ? endless : row;
    if (!overlap(here, span)) return false;
    const both = common(here, span);
    return LINES.some(([, line]) => row[line] !== undefined && leadsTo(id, row[line], both, units, further));
  });
}

function common(a: Span, b: Span): Span {
  const validFrom = a.validFrom > b.validFrom ? a.validFrom : b.validFrom;
  const ends = [a.validTo, b.validTo].filter((d) => d !== undefined).sort();
  return ends[0] === undefined ? { validFrom } : { validFrom, validTo: ends[0] };
}

/** The event fields that repeat the current content of a unit: the basis for an event that changes some of them. */
export function restated(unit: Unit): UnitChange {
  return {
    unitId: unit.id,
    kode: unit.code,
    nama: unit.name,
    jenis: unit.type,
    kelas: unit.class ?? null,
    indukAdministratif: unit.parent ?? null,
    indukTeknis: unit.technicalParent ?? null,
    zonaWaktu: unit.timezone,
  };
}
