import { verbatim, type Problem, type Text } from '#faults';
import { UNIT_ID } from './scalar.js';
import type { Json, JsonObject, Node } from './schema.js';
import { eitherOf, texts } from './texts.js';
import { CONSUMER_LEVELS, PII_CLASSES, type EventTypeProperties } from './types.js';

export const PROPERTY = 'simpul';
const PARTY =
  /^(any|type:[a-z0-9-]+|unit:SU\d{5,9}|party:(EXT-[A-Z0-9-]+|\*)|field:[A-Za-z_][A-Za-z0-9_]*|hub:[a-z][a-z-]*)$/;
const CONSUMER = /^(above:[A-Za-z_][A-Za-z0-9_]*|word:[a-z][a-z0-9-]*)$/;

/** The `simpul` property, unchecked; undefined when the record has none. */
export function propertiesOf(t: Node): EventTypeProperties | undefined {
  const json = t.extra[PROPERTY];
  return isObject(json) ? (json as unknown as EventTypeProperties) : undefined;
}

function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

/**
 * What is missing or wrong in the `simpul` property of an event type; empty = complete. `of`: a contract that is registered now must also say which field
 * names the acting office, or why none does (R10.6); one of an earlier version is read without.
 */
export function checkProperties(t: Node, of: 'new' | 'registered' = 'registered'): Problem[] {
  const p = t.extra[PROPERTY];
  if (!isObject(p)) return [{ pointer: `/${PROPERTY}`, reason: texts.property_missing(), code: 'invalid_schema' }];
  const problems: Problem[] = [];
  const need = (name: string, ok: (v: Json) => boolean, expected: Text): void => {
    const v = p[name];
    if (v === undefined || !ok(v)) {
      problems.push({
        pointer: `/${PROPERTY}/${name}`,
        reason: texts.property_wrong(),
        expected,
        code: 'invalid_schema',
      });
    }
  };
  const text = (v: Json): boolean => typeof v === 'string' && v !== '';
  const names = new Set(t.fields.map((f) => f.name));
  const fieldList = (v: Json): boolean => Array.isArray(v) && v.every((n) => typeof n === 'string' && names.has(n));
  need('type', (v) => text(v) && nameOf(v as string) === t.name, texts.name_that_gives({ name: t.name }));
  need('version', (v) => Number.isInteger(v) && (v as number) > 0, texts.positive_whole());
  need(
    'stream',
    (v) => typeof p['type'] === 'string' && v === p['type'].slice(0, p['type'].lastIndexOf('.')),
    texts.first_two_segments(),
  );
  for (const name of ['titleId', 'titleEn', 'latencyTarget', 'retention', 'availableFrom'])
    need(name, text, texts.text());
  need('owner', (v) => typeof v === 'string' && UNIT_ID.test(v), texts.a_unit_id());
  need(
    'publishers',
    (v) => Array.isArray(v) && v.length > 0 && v.every((x) => isParty(x, names)),
    texts.publisher_patterns(),
  );
  need(
    'consumers',
    (v) => Array.isArray(v) && v.every((x) => isObject(x) && isConsumer(x, names)),
    texts.list_of({ form: '{code, level: full|masked|count, why}' }),
  );
  if (of === 'new' || p['actor'] !== undefined)
    need('actor', (v) => isActor(v, t, p['publishers']), texts.actor_forms());
  if (p['aheadMinutes'] !== undefined)
    need('aheadMinutes', (v) => Number.isSafeInteger(v) && (v as number) >= 0, texts.minutes());
  need('subject', (v) => fieldList(v) && (v as Json[]).length > 0, texts.field_names());
  if (p['expected'] !== undefined) need('expected', (v) => isExpected(v, t), texts.expected_forms());
  // A subject stands beside masked data, and in keys and addresses.
  const isSealed = of === 'new' && hasPersonal(t, p['subject']);
  const forms = isSealed ? ['pseudonym'] : ['clear', 'pseudonym'];
  need('subjectForm', (v) => forms.includes(v as string), eitherOf(forms.map(verbatim)));
  need('ordering', (v) => v === 'subject' || v === 'stream', eitherOf(['subject', 'stream'].map(verbatim)));
  if (p['ordering'] === 'stream') need('partitions', (v) => v === 1, verbatim('1'));
  need('unitFields', fieldList, texts.field_names());
  need('highestPii', (v) => (PII_CLASSES as readonly Json[]).includes(v), verbatim(PII_CLASSES.join(', ')));
  need('main', (v) => typeof v === 'boolean', texts.boolean());
  need('volumePerDay', (v) => typeof v === 'number' && v >= 0, texts.number());
  need('deadlines', (v) => Array.isArray(v) && v.every(text), texts.texts());
  return problems;
}

/** Whether one of these fields identifies a person: its class is above `umum`. */
function hasPersonal(t: Node, fields: Json | undefined): boolean {
  const open = PII_CLASSES.indexOf('umum');
  const isPersonal = (f: Node['fields'][number]): boolean =>
    PII_CLASSES.indexOf(f.extra['pii'] as (typeof PII_CLASSES)[number]) > open;
  return Array.isArray(fields) && t.fields.some((f) => fields.includes(f.name) && isPersonal(f));
}

/** The form of `actor` (ActorInfo): its names are fields of the record, its steps symbols of the enum field, its exempt publishers publishers of the type. */
function isActor(v: Json, t: Node, publishers: Json | undefined): boolean {
  if (!isObject(v) || typeof v['why'] !== 'string' || v['why'] === '') return false;
  const { field, step, party, below, exempt, standIns = {} } = v;
  const isField = (name: Json | undefined): boolean =>
    typeof name === 'string' && t.fields.some((f) => f.name === name);
  const isFields = (names: Json | undefined): boolean =>
    Array.isArray(names) ? names.length > 0 && names.every(isField) : isField(names);
  if (party !== undefined && !isField(party)) return false;
  if (below !== undefined && below !== true) return false;
  if (!isObject(standIns) || !Object.values(standIns).every((u) => typeof u === 'string' && UNIT_ID.test(u)))
    return false;
  const known = Array.isArray(publishers) ? publishers : [];
  if (exempt !== undefined && !(Array.isArray(exempt) && exempt.every((x) => known.includes(x)))) return false;
  if (step === undefined) return field === null || isFields(field);
  const symbols = t.fields.find((f) => f.name === step)?.type.symbols ?? [];
  return (
    isObject(field ?? null) && Object.entries(field as JsonObject).every(([s, f]) => symbols.includes(s) && isFields(f))
  );
}

const EXPECTED_FROM = /^(type:[a-z0-9-]+|unit:SU\d{5,9})$/;
const HOUR = /^([01]\d|2[0-3]):[0-5]\d$/;

/** The form of `expected` (ExpectedInfo); no other names, so that a misspelt one is not taken for the default. */
function isExpected(v: Json, t: Node): boolean {
  if (!isObject(v)) return false;
  const { every, until, zone, from, day, ...others } = v;
  if (Object.keys(others).length > 0) return false;
  if (every !== 'day' && every !== 'workday') return false;
  if (typeof until !== 'string' || !HOUR.test(until)) return false;
  if (zone !== undefined && !['WIB', 'WITA', 'WIT'].includes(zone as string)) return false;
  if (!Array.isArray(from) || from.length === 0) return false;
  if (!from.every((x) => typeof x === 'string' && EXPECTED_FROM.test(x))) return false;
  return day === undefined || t.fields.some((f) => f.name === day && f.type.logical === 'date');
}

function isParty(v: Json, names: ReadonlySet<string>): boolean {
  if (typeof v !== 'string' || !PARTY.test(v)) return false;
  return !v.startsWith('field:') || names.has(v.slice(6));
}

function isConsumer(v: JsonObject, names: ReadonlySet<string>): boolean {
  const { code, why, level } = v;
  if (typeof code !== 'string' || typeof why !== 'string') return false;
  if (level !== undefined && !(CONSUMER_LEVELS as readonly Json[]).includes(level)) return false;
  if (isParty(code, names)) return true;
  return CONSUMER.test(code) && (!code.startsWith('above:') || names.has(code.slice(6)));
}

function legalName(part: string): string {
  const name = part.replaceAll('-', '_');
  return /^\d/.test(name) ? `_${name}` : name;
}

function pascal(part: string): string {
  const name = part.split('-').map((w) => w.slice(0, 1).toUpperCase() + w.slice(1));
  return legalName(name.join(''));
}

/** The Avro full name of an event type: `imigrasi.izin-tinggal.berubah` → `imigrasi.izin_tinggal.Berubah`. */
export function nameOf(type: string): string {
  const parts = type.split('.');
  const last = parts.pop() ?? '';
  return [...parts.map(legalName), pascal(last)].join('.');
}
