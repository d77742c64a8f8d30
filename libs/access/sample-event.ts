import { sample } from '#avro';
import { dataschemaUrn, parseSource } from '#event';
import type { EventType } from '#registry';
import { restated, UNIT_CHANGED, type Unit, type Units } from '#units';
import type { Caller } from './access.js';
import { actingFields, isExempt, mayState } from './acting.js';
import { mayPublish, sourceOf } from './publish-right.js';

/** System name in the source of a sample when the key of the asker may not publish the type. */
const SYSTEM = 'contoh';

export interface SampleEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  /** Absent for types whose subject is a pseudonym: the hub computes it. */
  readonly subject?: string;
  readonly time: string;
  readonly dataschema: string;
  readonly datacontenttype: 'application/json';
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * A valid event of a type with invented data: existing units in its unit fields, and a source that may publish the type (the source of the asker when its key
 * may). The same seed gives the same event; seed 0 fills every field. Pure.
 */
export function sampleEvent(
  type: EventType,
  seed: number,
  asker: Caller,
  units: Units,
  made: { readonly id: string; readonly time: string },
): SampleEvent {
  const invented = sample(type.contract, seed);
  for (const pattern of ['', ...type.publishers]) {
    const caller = pattern === '' ? asker : publisherOf(pattern, type, units);
    if (!caller) continue;
    const source = sourceOf(caller);
    const data = withUnits(invented, type, caller.owner, source, units, pattern);
    if (mayPublish(caller, type, source, data, units) || mayState(type, source, data, units)) continue;
    const subject = type.subject.map((f) => String(data[f])).join(':');
    return {
      specversion: '1.0',
      id: made.id,
      source,
      type: type.type,
      ...(type.subjectForm === 'clear' ? { subject } : {}),
      time: made.time,
      dataschema: dataschemaUrn(type.type, type.version),
      datacontenttype: 'application/json',
      data,
    };
  }
  // No unit of today may publish the type: the sample still has the right form, but publishing it now would be refused.
  const source = sourceOf({ owner: type.owner, system: SYSTEM });
  const { id, time } = made;
  const dataschema = dataschemaUrn(type.type, type.version);
  return {
    specversion: '1.0',
    id,
    source,
    type: type.type,
    time,
    dataschema,
    datacontenttype: 'application/json',
    data: withUnits(invented, type, type.owner, source, units, ''),
  };
}

function publisherOf(pattern: string, type: EventType, units: Units): Caller | undefined {
  const [kind, what = ''] = pattern.split(':', 2);
  const owner =
    kind === 'unit'
      ? what
      : kind === 'type'
        ? units.list({ type: what })[0]?.id
        : kind === 'party'
          ? what === '*'
            ? undefined
            : what
          : kind === 'hub'
            ? 'hub'
            : kind === 'field'
              ? units.list({ type: 'lapas' })[0]?.id
              : type.owner;
  if (owner === undefined) return undefined;
  return {
    keyId: '',
    owner,
    system: kind === 'hub' ? what : SYSTEM,
    roles: new Set(['publisher']),
  };
}

/** Puts existing units into the unit fields: the publisher into the field that names the acting office, other units of the same type into the other fields. */
function withUnits(
  invented: Readonly<Record<string, unknown>>,
  type: EventType,
  owner: string,
  source: string,
  units: Units,
  pattern: string,
): Record<string, unknown> {
  const data: Record<string, unknown> = { ...invented };
  const acting = actingIn(type, source, data, units);
  const own = units.get(owner);
  if (own === undefined && acting !== undefined && owner.startsWith('EXT-'))
    data[acting] = type.actor?.standIns?.[owner] ?? owner;
  const about = own ?? units.list({ type: 'kanim' })[0] ?? units.list({})[0];
  if (!about) return data;
  const others = units.list({ type: about.type }).filter((u) => u.id !== about.id);
  const field = pattern.startsWith('field:')
    ? pattern.slice(6)
    : type.publishers.find((p) => p.startsWith('field:'))?.slice(6);
  const first = acting ?? field ?? type.unitFields[0];
  let next = 0;
  const other = (): Unit => others[next++ % Math.max(1, others.length)] ?? about;
  for (const name of type.unitFields) {
    const value = data[name];
    const isActing = name === acting;
    if ((value === undefined || value === null) && !isActing) continue;
    if (isActing && own === undefined) continue;
    const id = name === first ? about.id : other().id;
    data[name] = Array.isArray(value) ? [id] : id;
  }
  return type.type === UNIT_CHANGED ? { ...data, ...renamed(about, data) } : data;
}

/** The field that must name this source; a step that the source may not state becomes the first one that an office states. */
function actingIn(
  type: EventType,
  sourceText: string,
  data: Record<string, unknown>,
  units: Units,
): string | undefined {
  const { actor } = type;
  const source = parseSource(sourceText);
  if (actor === undefined || actor.field === null || source === undefined || source.kind === 'hub') return undefined;
  if (isExempt(actor, source, data, units)) return undefined;
  const { step, field } = actor;
  if (step !== undefined && typeof field === 'object' && !Object.hasOwn(field, String(data[step])))
    data[step] = Object.keys(field)[0];
  const fields = actingFields(actor, source.kind, data);
  return typeof fields === 'string' ? fields : fields?.[0];
}

/** A unit change that the registry accepts: the unit as it is registered, with a new name. */
function renamed(unit: Unit, { nama, berlakuMulai }: Readonly<Record<string, unknown>>): object {
  return { ...restated(unit), peristiwa: 'ganti_nama', nama, kodeWilayah: null, berlakuMulai, berlakuSampai: null };
}
