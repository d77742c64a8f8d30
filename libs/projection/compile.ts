import { createHash } from 'node:crypto';

import type { FieldInfo, FieldKind, PiiClass } from '#avro';
import { PII_CLASSES } from '#avro';
import { Fault } from '#faults';
import type { Catalogue, DecodedEvent, EventType } from '#registry';
import { checkView } from './check.js';
import { ownershipOf, type Ownership } from './owner.js';
import { boundsOf, type TimeBound } from './time-bounds.js';
import type { Expression, ViewDefinition, ViewSource } from './view.js';

export type Evaluate = (event: DecodedEvent) => unknown;

export interface CompiledSource {
  /** Index in the view file: stored entries refer to their sources by it. */
  readonly index: number;
  readonly type: string;
  readonly stream: string;
  readonly remove: boolean;
  /** `remove`: an event that finds nothing to remove is refused (R5.13). */
  readonly needsEntry: boolean;
  /** Who may apply it to an entry; undefined: whoever may publish it (R5.10). */
  readonly ownership: Ownership | undefined;
  /** `latest`: how far ahead of its recorded time the fields in `by` may be (R5.11). */
  readonly bounds: readonly TimeBound[];
  readonly set: readonly (readonly [name: string, Evaluate])[];
  readonly when: readonly { readonly field: string; readonly in: ReadonlySet<unknown> }[];
  /** What the entry must hold before the event, else it is refused (R5.10). */
  readonly needs: readonly { readonly value: string; readonly is: Evaluate }[];
  readonly given: readonly { readonly value: string; readonly is?: Evaluate; readonly isNot?: unknown }[];
}

/** A field of the value as readers get it. `pii`: the highest data class of the contract fields that it is made of. */
export interface ViewField extends FieldInfo {
  /** Every value begins with it. */
  readonly prefix?: string;
}

export interface CompiledView {
  readonly definition: ViewDefinition;
  readonly name: string;
  readonly kind: ViewDefinition['kind'];
  readonly streams: readonly string[];
  readonly partitions: number;
  /** The key is the subject of the stream, so one partition holds the whole entry. */
  readonly bySubject: boolean;
  /** The subject is a keyed hash: a URL must not carry the clear value. */
  readonly pseudonym: boolean;
  readonly sources: readonly CompiledSource[];
  readonly ofType: ReadonlyMap<string, readonly CompiledSource[]>;
  readonly keyOf: (event: DecodedEvent) => string;
  readonly keyParts: readonly (readonly [name: string, Evaluate])[];
  readonly by: readonly { readonly field: string; readonly numeric: boolean }[];
  readonly count: string;
  readonly sum: readonly (readonly [name: string, field: string])[];
  readonly keep: number;
  /** Who owns an entry; undefined: nobody (R5.10). */
  readonly ownership: Ownership | undefined;
  /** Whether an event can be refused: then the view keeps the refused ones. */
  readonly refuses: boolean;
  readonly fields: readonly ViewField[];
  /** Value fields that more than one source writes: an entry stores which source wrote them last. */
  readonly shared: ReadonlySet<string>;
  /** Hash of the definition: a view with another fingerprint is folded again from the log. */
  readonly fingerprint: string;
  /** The fingerprint of releases that dropped in silence what finds nothing to change (R5.13): its entries can be taken over. */
  readonly untold: string;
  /** The fingerprint without owners, needed steps and bounds, as releases before them had it: its entries can be taken over. */
  readonly ownerless: string;
  /** The fingerprint without needed steps alone: its entries can be taken over too. */
  readonly stepless: string;
}

const gravest = (a: PiiClass, b: PiiClass): PiiClass => (PII_CLASSES.indexOf(a) >= PII_CLASSES.indexOf(b) ? a : b);

/** The attribute text of an event, undefined when it has none. */
function attributeOf(event: DecodedEvent, name: string): string | undefined {
  const e = event.envelope;
  switch (name) {
    case 'id':
      return e.id;
    case 'source':
      return e.source;
    case 'type':
      return e.type;
    case 'subject':
      return e.subject;
    case 'time':
      return e.time;
    default:
      return e.extensions[name];
  }
}

export function evaluator(expression: Expression): Evaluate {
  if (typeof expression === 'string') return (e) => e.data[expression] ?? null;
  if ('const' in expression) return () => expression.const;
  const { attribute, segment, map, prefix = '' } = expression;
  return (e) => {
    let text = attributeOf(e, attribute);
    if (text !== undefined && segment !== undefined) text = text.split('-')[segment];
    if (text === undefined || text === '') return null;
    return prefix + (map?.[text] ?? text);
  };
}

/**
 * A part of a derived key: `:`, `%`, control characters and the text `-` are escaped, an absent value is `-`: keys of different values differ. Data may hold control characters, and keys that begin with one
 * are those of the view itself (REFUSED_PREFIX).
 */
export function keyText(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (value === '-') return '%2D';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  // eslint-disable-next-line no-control-regex -- control characters are what is escaped
  return text.replace(/[%:\u0000-\u001f]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

function fieldOf(type: EventType, expression: Expression): Omit<FieldInfo, 'name'> {
  if (typeof expression === 'string') {
    const f = type.contract.fields.find((x) => x.name === expression);
    return f ?? { kind: 'string', optional: true, pii: 'none' };
  }
  if ('const' in expression) {
    const v = expression.const;
    if (v === null) return { kind: 'null', optional: true, pii: 'none' };
    if (typeof v === 'string') return { kind: 'enum', symbols: [v], optional: false, pii: 'none' };
    return { kind: typeof v === 'number' ? 'double' : 'boolean', optional: false, pii: 'none' };
  }
  return { kind: expression.attribute === 'time' ? 'timestamp' : 'string', optional: true, pii: 'none' };
}

const NUMERIC: ReadonlySet<FieldKind> = new Set(['int', 'long', 'decimal', 'double', 'float']);
export const isNumericKind = (kind: FieldKind): boolean => NUMERIC.has(kind);

const KEEP = 200;
const COUNT = 'jumlah';

function compileSource(def: ViewDefinition, source: ViewSource, index: number, type: EventType): CompiledSource {
  return {
    index,
    type: source.type,
    stream: type.stream,
    remove: source.remove === true,
    needsEntry: source.remove === true && source.absentWhy === undefined,
    ownership: ownershipOf(source.owner ?? def.owner),
    bounds: boundsOf(def, type),
    set: Object.entries(source.set ?? {}).map(([name, e]) => [name, evaluator(e)] as const),
    when: (source.when ?? []).map((w) => ({ field: w.field, in: new Set<unknown>(w.in) })),
    needs: (source.needs ?? []).map((n) => ({ value: n.value, is: evaluator(n.is) })),
    given: (source.given ?? []).map((g) => ({
      value: g.value,
      ...(g.is === undefined ? {} : { is: evaluator(g.is) }),
      ...(g.isNot === undefined ? {} : { isNot: g.isNot }),
    })),
  };
}

/** The shape of a value that two sources write: `null` has none of its own, and an enum takes the constants and symbols of both. */
function oneShape(a: Omit<FieldInfo, 'name'>, b: Omit<FieldInfo, 'name'>): Omit<FieldInfo, 'name'> {
  if (a.kind === 'null' || b.kind === 'null') return a.kind === 'null' ? b : a;
  if (a.symbols === undefined || b.symbols === undefined) return b.kind === 'string' ? b : a;
  return { ...a, symbols: [...new Set([...a.symbols, ...b.symbols])] };
}

const prefixOf = (e: Expression): string | undefined => (typeof e === 'object' && 'prefix' in e ? e.prefix : undefined);

function fieldsOf(def: ViewDefinition, catalogue: Catalogue): ViewField[] {
  const out = new Map<string, ViewField>();
  const put = (name: string, f: Omit<FieldInfo, 'name'>, prefix?: string): void => {
    const before = out.get(name);
    const { prefix: _prefix, ...shape }: Omit<ViewField, 'name'> = before ? oneShape(before, f) : f;
    const field = { ...shape, name, optional: true, pii: before ? gravest(before.pii, f.pii) : f.pii };
    const same = prefix !== undefined && (before === undefined || before.prefix === prefix);
    out.set(name, same ? { ...field, prefix } : field);
  };
  for (const s of def.sources) {
    const type = catalogue.newest(s.type)!;
    if (def.kind === 'count' && def.key !== 'subject')
      for (const [name, e] of Object.entries(def.key)) put(name, fieldOf(type, e), prefixOf(e));
    for (const [name, e] of Object.entries(s.set ?? {})) put(name, fieldOf(type, e), prefixOf(e));
    for (const [name, field] of Object.entries(def.sum ?? {})) if (!s.remove) put(name, fieldOf(type, field));
  }
  if (def.kind === 'count') put(def.count ?? COUNT, { kind: 'long', optional: false, pii: 'none' });
  return [...out.values()];
}

const fingerprintOf = (json: unknown): string =>
  createHash('sha256').update(JSON.stringify(json)).digest('hex').slice(0, 16);

/** The reason why nothing to remove is normal is text for people. Whether there is one is part of `tells`. */
function withoutReasons(def: ViewDefinition): ViewDefinition {
  return { ...def, sources: def.sources.map(({ absentWhy: _why, ...source }) => source) };
}

function withoutSteps(def: ViewDefinition): object {
  return { ...def, sources: def.sources.map(({ needs: _needs, ...source }) => source) };
}

function withoutOwners({ owner: _owner, ownerWhy: _why, ...def }: ViewDefinition): object {
  return { ...def, sources: def.sources.map(({ owner: _of, needs: _needs, ...source }) => source) };
}

/** Whether an event that a source takes can change nothing, and is refused then: no other source takes every event of its type. */
function tells(sources: readonly CompiledSource[]): boolean {
  const always = new Set(sources.filter((s) => s.given.length + s.when.length === 0).map((s) => s.type));
  return sources.some((s) => s.needsEntry || (s.given.length > 0 && !always.has(s.type)));
}

/** Compiles a view for folding. Fault invalid_schema with the problems of checkView. Pure: depends only on its arguments. */
export function compileView(def: ViewDefinition, catalogue: Catalogue): CompiledView {
  const problems = checkView(def, catalogue);
  if (problems.length > 0) throw new Fault('invalid_schema', { detail: `view ${def.name}`, problems });
  const sources = def.sources.map((s, i) => compileSource(def, s, i, catalogue.newest(s.type)!));
  const bounds = sources.map((s) => s.bounds);
  const foldedWith = (d: object): unknown => (bounds.some((b) => b.length > 0) ? [d, bounds] : d);
  const plain = withoutReasons(def);
  const untold = fingerprintOf(foldedWith(plain));
  const ofType = new Map<string, CompiledSource[]>();
  const writers = new Map<string, number>();
  for (const s of sources) {
    ofType.set(s.type, [...(ofType.get(s.type) ?? []), s]);
    for (const [name] of s.set) writers.set(name, (writers.get(name) ?? 0) + 1);
  }
  const first = catalogue.newest(def.sources[0]!.type)!;
  const keyParts =
    def.key === 'subject' ? [] : Object.entries(def.key).map(([name, e]) => [name, evaluator(e)] as const);
  return {
    definition: def,
    name: def.name,
    kind: def.kind,
    streams: [...new Set(sources.map((s) => s.stream))],
    partitions: catalogue.stream(first.stream)!.partitions,
    bySubject: def.key === 'subject',
    pseudonym: def.key === 'subject' && first.subjectForm === 'pseudonym',
    sources,
    ofType,
    keyOf:
      def.key === 'subject'
        ? (e) => e.envelope.subject
        : (e) => keyParts.map(([, evaluate]) => keyText(evaluate(e))).join(':'),
    keyParts,
    by: (def.by ?? []).map((field) => ({ field, numeric: isNumericKind(fieldOf(first, field).kind) })),
    count: def.count ?? COUNT,
    sum: Object.entries(def.sum ?? {}),
    keep: def.keep ?? KEEP,
    fields: fieldsOf(def, catalogue),
    shared: new Set([...writers].filter(([, n]) => n > 1).map(([name]) => name)),
    ownership: ownershipOf(def.owner),
    refuses:
      tells(sources) || sources.some((s) => s.ownership !== undefined || s.bounds.length > 0 || s.needs.length > 0),
    fingerprint: tells(sources) ? fingerprintOf([untold, 'told']) : untold,
    untold,
    stepless: fingerprintOf(foldedWith(withoutSteps(plain))),
    ownerless: fingerprintOf(withoutOwners(plain)),
  };
}
