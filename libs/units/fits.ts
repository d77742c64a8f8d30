import { verbatim, type Problem, type Text } from '#faults';
import { baseOf, causeOf, foldUnitEvent, regionOf, text, type UnitChange } from './change.js';
import { addDays, isDay } from './day.js';
import { UNIT_TYPES, ZONES } from './kinds.js';
import { texts } from './texts.js';
import { nextVersion, validOn, type Rows } from './timeline.js';
import type { Unit, Units } from './unit.js';

/** The registry as it stands: what is believed now, of any day. */
export type Registered = Pick<Units, 'history' | 'holders'>;
type Report = (field: string, reason: Text, expected: Text) => void;
type Span = Pick<Unit, 'validFrom' | 'validTo'>;

const UNIT_ID = /^SU\d{5,9}$/;
const REGION = /^\d{2}(\.\d+)*$/;
const LINES = [
  ['indukAdministratif', 'parent'],
  ['indukTeknis', 'technicalParent'],
] as const;

/**
 * Why an `org.unit.berubah` event does not fit the registry as it stands; empty: it fits. Pure; the door refuses by it and the fold skips by it.
 *
 * - jenis, zone and form of the region code are known; the days are in order, and the unit exists on the first one. Only `dibentuk` founds, and only what is not there.
 * - A code is held by one unit at a time, and is no id of another.
 * - A parent exists; it is neither the unit itself nor below it, on either line, on any day of the change.
 *
 * What fitted still fits after it was folded. Successors may come to be founded later.
 */
export function unitChangeProblems(data: UnitChange, units: Registered): readonly Problem[] {
  const out: Problem[] = [];
  const report: Report = (field, reason, expected) => out.push({ pointer: `/data/${field}`, reason, expected });
  const id = text(data['unitId']) ?? '';
  const from = data['berlakuMulai'];
  if (!UNIT_TYPES.has(text(data['jenis']) ?? ''))
    report('jenis', texts.unknown_unit_type(), verbatim([...UNIT_TYPES].join(', ')));
  if (!Object.hasOwn(ZONES, text(data['zonaWaktu']) ?? ''))
    report('zonaWaktu', texts.unknown_time_zone(), verbatim(Object.keys(ZONES).join(', ')));
  if (!REGION.test(regionOf(data).kode ?? '00'))
    report('kodeWilayah/kode', texts.region_code_wrong(), texts.region_code());
  const others = out.length;
  if (!UNIT_ID.test(id)) report('unitId', texts.unit_id_wrong(), texts.unit_id());
  else if (!isDay(from)) report('berlakuMulai', texts.not_a_day(), texts.day());
  else {
    const live = units.history(id);
    datesFit(data, from, live, report);
    if (out.length === others) placeFits(data, from, live, units, report);
  }
  return out;
}

function datesFit(data: UnitChange, from: string, live: Rows, report: Report): void {
  const to = data['berlakuSampai'];
  if (isDay(to) && to < from) report('berlakuSampai', texts.ends_before_start(), texts.start_or_later_or_no_end());
  else if (isDay(to) && !isDay(addDays(to, 1))) report('berlakuSampai', texts.no_day_after(), texts.no_end());
  const there = validOn(live, from);
  if (causeOf(data) === 'dibentuk') {
    if (there && !(there.basis === 'founded' && there.validFrom === from))
      report('unitId', texts.unit_exists(), texts.new_id_or_founding_day());
  } else if (live.length === 0) report('unitId', texts.unknown_unit(), texts.known_unit_or_founding());
  else if (placed(data, live)) {
    if (!existsOn(live, from)) report('berlakuMulai', texts.unit_not_on_day(), texts.day_of_unit_or_founding());
  } else if (live[0]!.basis === 'founded' && from <= live[0]!.validFrom)
    report('berlakuMulai', texts.ends_before_founding(), texts.day_after_founding());
}

function placeFits(data: UnitChange, from: string, live: Rows, units: Registered, report: Report): void {
  const version = placed(data, live);
  if (!version) return;
  const { id, code } = version;
  if (code !== id && UNIT_ID.test(code)) report('kode', texts.code_is_id_of_another(), texts.code_or_own_id());
  else if (units.holders(code).some((u) => u.id !== id && overlap(u, version)))
    report('kode', texts.code_taken(), texts.own_or_free_code());
  for (const [field, line] of LINES) {
    const up = version[line];
    if (up === undefined) continue;
    const isNew = up !== baseOf(live, from)?.[line];
    if (up === id) report(field, texts.parent_is_itself(), texts.unit_above());
    else if (isNew && !existsOn(units.history(up), from))
      report(field, texts.parent_not_on_day(), texts.unit_on_start());
    else if (leadsTo(id, up, version, units, new Set())) report(field, texts.parent_below(), texts.unit_not_below());
  }
}

/** The version that the change would make; undefined: it ends the unit. */
function placed(data: UnitChange, live: Rows): Unit | undefined {
  const version = nextVersion(live);
  return foldUnitEvent(live, data, () => undefined).find((r) => r.version === version && r.knownUntil === undefined);
}

/** Of a unit of the seed the first day is unknown: it was there before. */
function existsOn(live: Rows, day: string): boolean {
  const [first] = live;
  const before = first !== undefined && first.basis !== 'founded' && day < first.validFrom;
  return before || validOn(live, day) !== undefined;
}

const overlap = (a: Span, b: Span): boolean =>
  (b.validTo === undefined || a.validFrom <= b.validTo) && (a.validTo === undefined || b.validFrom <= a.validTo);

/** Whether the way up from `at` comes to `id` on a day of the span. An ended unit counts on: it stays while units name it as parent. */
function leadsTo(id: string, at: string, span: Span, units: Registered, path: ReadonlySet<string>): boolean {
  if (at === id) return true;
  if (path.has(at)) return false;
  const further = new Set([...path, at]);
  const rows = units.history(at);
  return rows.some((row, i) => {
    const { validTo: ends, ...open } = row;
    const here: Span = i === rows.length - 1 || ends === undefined ? open : row;
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

/** The fields of an event that say again what a unit is: a change of it begins from these. */
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
