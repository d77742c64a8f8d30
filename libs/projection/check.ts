import type { FieldInfo, FieldKind } from '#avro';
import type { Problem } from '#faults';
import type { Catalogue, EventType } from '#registry';
import type { Expression, ViewDefinition, ViewSource } from './view.js';

const COMPARABLE: ReadonlySet<FieldKind> = new Set(['int', 'long', 'date', 'timestamp', 'string']);
const SUMMABLE: ReadonlySet<FieldKind> = new Set(['int', 'long', 'decimal']);

const fieldOf = (type: EventType, name: string): FieldInfo | undefined =>
  type.contract.fields.find((f) => f.name === name);

class Findings {
  readonly problems: Problem[] = [];
  say(pointer: string, reason: string, expected?: string): void {
    this.problems.push(expected === undefined ? { pointer, reason } : { pointer, reason, expected });
  }
}

function checkExpression(out: Findings, pointer: string, type: EventType, e: Expression): void {
  if (typeof e === 'string' && !fieldOf(type, e)) out.say(pointer, `${type.type} has no field ${e}`);
}

function checkSource(out: Findings, def: ViewDefinition, s: ViewSource, i: number, type: EventType): void {
  const at = `/sources/${i}`;
  for (const [name, e] of Object.entries(s.set ?? {})) checkExpression(out, `${at}/set/${name}`, type, e);
  for (const [j, w] of (s.when ?? []).entries()) {
    const f = fieldOf(type, w.field);
    if (!f) out.say(`${at}/when/${j}/field`, `${type.type} has no field ${w.field}`);
    for (const v of f?.symbols ? w.in : [])
      if (v !== null && !f!.symbols!.includes(v as string))
        out.say(`${at}/when/${j}/in`, 'not a symbol of the enum', f!.symbols!.join(' · '));
  }
  for (const [j, g] of (s.given ?? []).entries()) {
    if (g.is !== undefined) checkExpression(out, `${at}/given/${j}/is`, type, g.is);
    if ((g.is === undefined) === (g.isNot === undefined)) out.say(`${at}/given/${j}`, 'one of is, isNot');
    const owners = def.sources.filter((x) => x.set && g.value in x.set);
    if (owners.length === 0) out.say(`${at}/given/${j}/value`, 'no source writes this field');
  }
  if (s.given && def.kind !== 'merge') out.say(`${at}/given`, 'only with kind merge');
  if (s.remove && def.kind !== 'set' && def.kind !== 'count') out.say(`${at}/remove`, 'only with kind set or count');
  if (s.remove && s.set) out.say(`${at}/set`, 'a source that removes writes nothing');
  if (def.kind === 'count' && s.set) out.say(`${at}/set`, 'a count is made of key, count and sum');
  if (!s.set && !s.remove && (def.kind === 'latest' || def.kind === 'merge' || def.kind === 'set'))
    out.say(`${at}/set`, 'required');
}

/** R5.1 and R5.2: what may stand under which key. */
function checkKey(out: Findings, def: ViewDefinition, types: readonly EventType[], catalogue: Catalogue): void {
  if (def.key === 'subject') {
    const rules = new Set(types.map((t) => `${t.subjectForm} ${t.subject.join('+')}`));
    if (rules.size > 1) out.say('/key', 'types with different subjects', [...rules].join(' · '));
    return;
  }
  if (Object.keys(def.key).length === 0) out.say('/key', 'at least one part');
  for (const [name, e] of Object.entries(def.key))
    for (const type of types) {
      checkExpression(out, `/key/${name}`, type, e);
      if (typeof e !== 'string') continue;
      const pii = fieldOf(type, e)?.pii ?? 'none';
      if (pii !== 'none')
        out.say(`/key/${name}`, `${e} is of class ${pii}: keys are never sealed`, 'a field of class none');
      if (def.kind === 'latest' && !type.subject.includes(e))
        out.say(`/key/${name}`, 'a corrected event could move to another key', `one of ${type.subject.join(', ')}`);
    }
  const single = types.every((t) => catalogue.stream(t.stream)?.partitions === 1);
  if ((def.kind === 'set' || def.kind === 'merge' || def.kind === 'timeline') && !single)
    out.say(
      '/key',
      `${def.kind} under another key than the subject: only over a stream of one partition (R5.2)`,
      'subject',
    );
}

/** R6: what a stream has forgotten cannot be folded again. */
function checkRetention(out: Findings, types: readonly EventType[], catalogue: Catalogue): void {
  for (const [i, t] of types.entries())
    if (catalogue.stream(t.stream)?.retentionMs !== undefined)
      out.say(`/sources/${i}/type`, `${t.stream} keeps its events for a limited time (R6)`, 'a stream without limit');
}

/** R5.3: several streams in one view. */
function checkStreams(out: Findings, def: ViewDefinition, types: readonly EventType[], catalogue: Catalogue): void {
  const streams = [...new Set(types.map((t) => t.stream))];
  const counts = new Set(streams.map((s) => catalogue.stream(s)?.partitions));
  if (counts.has(undefined)) out.say('/sources', 'a stream is not in the catalogue');
  if (streams.length < 2) return;
  if (def.kind !== 'merge' || def.key !== 'subject')
    out.say('/sources', 'several streams: only with kind merge under the subject (R5.3)');
  if (counts.size > 1) out.say('/sources', 'streams of different partition counts (R5.3)');
  const owner = new Map<string, string>();
  for (const [i, s] of def.sources.entries())
    for (const name of Object.keys(s.set ?? {})) {
      const stream = types[i]!.stream;
      if ((owner.get(name) ?? stream) !== stream)
        out.say(`/sources/${i}/set/${name}`, 'written by more than one stream (R5.3)');
      owner.set(name, stream);
    }
  for (const [i, s] of def.sources.entries())
    for (const [j, g] of (s.given ?? []).entries())
      if (owner.get(g.value) !== types[i]!.stream)
        out.say(
          `/sources/${i}/given/${j}/value`,
          'a field of another stream: the order between streams is open (R5.3)',
        );
}

function checkKind(out: Findings, def: ViewDefinition, types: readonly EventType[]): void {
  if (def.by && def.kind !== 'latest') out.say('/by', 'only with kind latest');
  if (def.kind === 'latest' && def.key !== 'subject' && !def.by)
    out.say('/by', 'required under another key than the subject');
  if (def.keep !== undefined && def.kind !== 'timeline') out.say('/keep', 'only with kind timeline');
  if ((def.sum || def.count) && def.kind !== 'count') out.say('/sum', 'only with kind count');
  if (def.kind === 'count' && def.key === 'subject') out.say('/key', 'a count stands under named dimensions');
  if (def.kind === 'set' && !def.sources.some((s) => s.remove)) out.say('/sources', 'a set needs a type that removes');
  if (def.sources.every((s) => s.remove)) out.say('/sources', 'no source adds anything');
  for (const [j, name] of (def.by ?? []).entries())
    for (const type of types) {
      const f = fieldOf(type, name);
      if (!f || !COMPARABLE.has(f.kind)) out.say(`/by/${j}`, `not a comparable field of ${type.type}`);
    }
  for (const [i, s] of def.sources.entries())
    for (const [name, field] of s.remove ? [] : Object.entries(def.sum ?? {})) {
      const f = fieldOf(types[i]!, field);
      if (!f || !SUMMABLE.has(f.kind)) out.say(`/sum/${name}`, `not a whole or decimal field of ${s.type}`);
      else if (f.pii !== 'none')
        out.say(`/sum/${name}`, `class ${f.pii}: totals are open to every reader`, 'class none');
    }
  if (def.kind === 'count' && types.some((t) => t.restricted)) out.say('/sources', 'totals of a restricted type');
}

/**
 * What is wrong with a view against the catalogue: rules R5.1 to R5.4, R6 (a stream that keeps everything) and references to fields that do not exist. Empty = it may be folded.
 * R5.4 (no clock) holds by form: no expression names the present.
 */
export function checkView(def: ViewDefinition, catalogue: Catalogue): Problem[] {
  const out = new Findings();
  const types: EventType[] = [];
  for (const [i, s] of def.sources.entries()) {
    const type = catalogue.newest(s.type);
    if (!type) out.say(`/sources/${i}/type`, `unknown event type ${s.type}`);
    else types.push(type);
  }
  if (out.problems.length > 0) return out.problems;
  for (const [i, s] of def.sources.entries()) checkSource(out, def, s, i, types[i]!);
  checkKey(out, def, types, catalogue);
  checkStreams(out, def, types, catalogue);
  checkKind(out, def, types);
  checkRetention(out, types, catalogue);
  return out.problems;
}
