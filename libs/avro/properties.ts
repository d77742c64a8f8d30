import type { Problem } from '#faults';
import type { Json, JsonObject, Node } from './schema.js';
import { PII_CLASSES, type EventTypeProperties } from './types.js';

export const PROPERTY = 'simpul';
const PARTY =
  /^(any|type:[a-z0-9-]+|unit:SU\d{5,9}|party:(EXT-[A-Z0-9-]+|\*)|field:[A-Za-z_][A-Za-z0-9_]*|hub:[a-z][a-z-]*)$/;
const CONSUMER = /^(above:[A-Za-z_][A-Za-z0-9_]*|word:[a-z][a-z0-9-]*)$/;

/** The `simpul` property as it stands; undefined when the record has none. */
export function propertiesOf(t: Node): EventTypeProperties | undefined {
  const json = t.extra[PROPERTY];
  return isObject(json) ? (json as unknown as EventTypeProperties) : undefined;
}

function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

/** What is missing or wrong in the `simpul` property of an event type. Empty = complete. */
export function checkProperties(t: Node): Problem[] {
  const p = t.extra[PROPERTY];
  if (!isObject(p))
    return [{ pointer: `/${PROPERTY}`, reason: 'the property of an event type is missing', code: 'invalid_schema' }];
  const problems: Problem[] = [];
  const need = (name: string, ok: (v: Json) => boolean, expected: string): void => {
    const v = p[name];
    if (v === undefined || !ok(v)) {
      problems.push({
        pointer: `/${PROPERTY}/${name}`,
        reason: 'missing or not of its form',
        expected,
        code: 'invalid_schema',
      });
    }
  };
  const text = (v: Json): boolean => typeof v === 'string' && v !== '';
  const names = new Set(t.fields.map((f) => f.name));
  const fieldList = (v: Json): boolean => Array.isArray(v) && v.every((n) => typeof n === 'string' && names.has(n));
  need('type', (v) => text(v) && nameOf(v as string) === t.name, `the name that gives ${t.name}`);
  need('version', (v) => Number.isInteger(v) && (v as number) > 0, 'a positive whole number');
  need(
    'stream',
    (v) => typeof p['type'] === 'string' && v === p['type'].slice(0, p['type'].lastIndexOf('.')),
    'the first two segments of type',
  );
  for (const name of ['titleId', 'titleEn', 'latencyTarget', 'retention', 'availableFrom']) need(name, text, 'text');
  need('owner', (v) => typeof v === 'string' && /^SU\d{5,9}$/.test(v), 'a unit id');
  need(
    'publishers',
    (v) => Array.isArray(v) && v.length > 0 && v.every((x) => isParty(x, names)),
    'a list of publisher patterns',
  );
  need(
    'consumers',
    (v) => Array.isArray(v) && v.every((x) => isObject(x) && isConsumer(x, names)),
    'a list of {code, why}',
  );
  need('subject', (v) => fieldList(v) && (v as Json[]).length > 0, 'names of fields');
  need('subjectForm', (v) => v === 'clear' || v === 'pseudonym', 'clear or pseudonym');
  need('ordering', (v) => v === 'subject' || v === 'stream', 'subject or stream');
  if (p['ordering'] === 'stream') need('partitions', (v) => v === 1, '1');
  need('unitFields', fieldList, 'names of fields');
  need('highestPii', (v) => (PII_CLASSES as readonly Json[]).includes(v), PII_CLASSES.join(', '));
  need('main', (v) => typeof v === 'boolean', 'true or false');
  need('volumePerDay', (v) => typeof v === 'number' && v >= 0, 'a number');
  need('deadlines', (v) => Array.isArray(v) && v.every(text), 'a list of texts');
  return problems;
}

function isParty(v: Json, names: ReadonlySet<string>): boolean {
  if (typeof v !== 'string' || !PARTY.test(v)) return false;
  return !v.startsWith('field:') || names.has(v.slice(6));
}

function isConsumer(v: JsonObject, names: ReadonlySet<string>): boolean {
  const { code, why } = v;
  if (typeof code !== 'string' || typeof why !== 'string') return false;
  if (isParty(code, names)) return true;
  return CONSUMER.test(code) && (!code.startsWith('above:') || names.has(code.slice(6)));
}

function legal(part: string): string {
  const name = part.replaceAll('-', '_');
  return /^\d/.test(name) ? `_${name}` : name;
}

function pascal(part: string): string {
  const name = part.split('-').map((w) => w.slice(0, 1).toUpperCase() + w.slice(1));
  return legal(name.join(''));
}

/** The Avro full name of an event type: `imigrasi.izin-tinggal.berubah` → `imigrasi.izin_tinggal.Berubah`. */
export function nameOf(type: string): string {
  const parts = type.split('.');
  const last = parts.pop() ?? '';
  return [...parts.map(legal), pascal(last)].join('.');
}

/** The Avro symbol of a label: `jemput-bola` → `jemput_bola`, `3D` → `_3D`. */
export function symbolOf(label: string): string {
  return legal(label);
}
