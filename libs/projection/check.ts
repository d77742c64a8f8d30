import { gravestOf, type FieldInfo, type FieldKind } from '#avro';
import { verbatim, type Problem, type Text } from '#faults';
import type { Catalogue, EventType } from '#registry';
import { texts } from './texts.js';
import type { Expression, ViewDefinition, ViewSource } from './view.js';

const COMPARABLE: ReadonlySet<FieldKind> = new Set(['int', 'long', 'date', 'timestamp', 'string']);
const SUMMABLE: ReadonlySet<FieldKind> = new Set(['int', 'long', 'decimal']);

const fieldOf = (type: EventType, name: string): FieldInfo | undefined =>
  type.contract.fields.find((f) => f.name === name);

class Findings {
  readonly problems: Problem[] = [];
  add(pointer: string, reason: Text, expected?: Text): void {
    this.problems.push(expected === undefined ? { pointer, reason } : { pointer, reason, expected });
  }
}

function checkExpression(out: Findings, pointer: string, type: EventType, e: Expression): void {
  if (typeof e === 'string' && !fieldOf(type, e)) out.add(pointer, texts.no_such_field({ type: type.type, field: e }));
}

function checkSource(out: Findings, def: ViewDefinition, s: ViewSource, i: number, type: EventType): void {
  const at = `/sources/${i}`;
  for (const [name, e] of Object.entries(s.set ?? {})) checkExpression(out, `${at}/set/${name}`, type, e);
  for (const [j, w] of (s.when ?? []).entries()) {
    const f = fieldOf(type, w.field);
    if (!f) out.add(`${at}/when/${j}/field`, texts.no_such_field({ type: type.type, field: w.field }));
    for (const v of f?.symbols ? w.in : [])
      if (v !== null && !f!.symbols!.includes(v as string))
        out.add(`${at}/when/${j}/in`, texts.not_a_symbol(), verbatim(f!.symbols!.join(' · ')));
  }
  for (const [j, g] of (s.given ?? []).entries()) {
    if (g.is !== undefined) checkExpression(out, `${at}/given/${j}/is`, type, g.is);
    if ((g.is === undefined) === (g.isNot === undefined)) out.add(`${at}/given/${j}`, texts.one_of_is_and_is_not());
    const owners = def.sources.filter((x) => x.set && g.value in x.set);
    if (owners.length === 0) out.add(`${at}/given/${j}/value`, texts.field_without_writer());
  }
  for (const [j, n] of (s.needs ?? []).entries()) {
    checkExpression(out, `${at}/needs/${j}/is`, type, n.is);
    if (!def.sources.some((x) => x.set && n.value in x.set))
      out.add(`${at}/needs/${j}/value`, texts.field_without_writer());
  }
  if (s.needs && def.kind !== 'merge') out.add(`${at}/needs`, texts.only_merge());
  if (s.given && def.kind !== 'merge') out.add(`${at}/given`, texts.only_merge());
  if (s.remove && def.kind !== 'set' && def.kind !== 'count') out.add(`${at}/remove`, texts.only_set_or_count());
  if (s.absentWhy !== undefined && !s.remove) out.add(`${at}/absentWhy`, texts.only_removing());
  if (s.remove && s.set) out.add(`${at}/set`, texts.removing_source_writes());
  if (def.kind === 'count' && s.set) out.add(`${at}/set`, texts.count_writes());
  if (!s.set && !s.remove && (def.kind === 'latest' || def.kind === 'merge' || def.kind === 'set'))
    out.add(`${at}/set`, texts.required());
}

/** R5.1 and R5.2: which kinds of views may have which key. */
function checkKey(out: Findings, def: ViewDefinition, types: readonly EventType[], catalogue: Catalogue): void {
  if (def.key === 'subject') {
    // Pseudonyms of two streams never meet (R11.8).
    const rules = new Set(
      types.map(
        (t) => `${t.subjectForm} ${t.subject.join('+')}${t.subjectForm === 'pseudonym' ? ` (${t.stream})` : ''}`,
      ),
    );
    if (rules.size > 1) out.add('/key', texts.different_subjects(), verbatim([...rules].join(' · ')));
    return;
  }
  if (Object.keys(def.key).length === 0) out.add('/key', texts.no_part());
  for (const [name, e] of Object.entries(def.key))
    for (const type of types) {
      checkExpression(out, `/key/${name}`, type, e);
      if (typeof e !== 'string') continue;
      const field = fieldOf(type, e);
      const pii = field === undefined ? 'none' : gravestOf(field);
      if (pii !== 'none')
        out.add(`/key/${name}`, texts.key_not_sealed({ field: e, class: pii }), texts.field_of_class_none());
      if (def.kind === 'latest' && !type.subject.includes(e))
        out.add(`/key/${name}`, texts.entry_could_move(), texts.one_of({ names: type.subject.join(', ') }));
    }
  const single = types.every((t) => catalogue.stream(t.stream)?.partitions === 1);
  if ((def.kind === 'set' || def.kind === 'merge' || def.kind === 'timeline') && !single)
    out.add('/key', texts.key_needs_one_partition({ kind: def.kind }), verbatim('subject'));
}

/** R5.3: several streams in one view. */
function checkStreams(out: Findings, def: ViewDefinition, types: readonly EventType[], catalogue: Catalogue): void {
  const streams = [...new Set(types.map((t) => t.stream))];
  const counts = new Set(streams.map((s) => catalogue.stream(s)?.partitions));
  if (counts.has(undefined)) out.add('/sources', texts.unknown_stream());
  if (streams.length < 2) return;
  if (def.kind !== 'merge' || def.key !== 'subject') out.add('/sources', texts.several_streams());
  if (counts.size > 1) out.add('/sources', texts.different_partition_counts());
  const owner = new Map<string, string>();
  for (const [i, s] of def.sources.entries())
    for (const name of Object.keys(s.set ?? {})) {
      const stream = types[i]!.stream;
      if ((owner.get(name) ?? stream) !== stream)
        out.add(`/sources/${i}/set/${name}`, texts.written_by_several_streams());
      owner.set(name, stream);
    }
  for (const [i, s] of def.sources.entries())
    for (const member of ['given', 'needs'] as const)
      for (const [j, condition] of (s[member] ?? []).entries())
        if (owner.get(condition.value) !== types[i]!.stream)
          out.add(`/sources/${i}/${member}/${j}/value`, texts.field_of_another_stream());
}

/** R5.10: who may change an entry must be known from the entry, in the order of one stream. */
function checkOwner(out: Findings, def: ViewDefinition, types: readonly EventType[]): void {
  const guards = def.sources.map((s, i) => ({ rule: s.owner ?? def.owner, stream: types[i]!.stream, i }));
  const bound = guards.filter(({ rule }) => rule !== undefined && rule !== 'any-with-right');
  if (bound.length === 0) return;
  if (def.owner === undefined || def.owner === 'any-with-right' || Array.isArray(def.owner))
    out.add('/owner', texts.owner_of_source_alone());
  const streams = new Set(bound.map(({ stream }) => stream));
  if (streams.size > 1) out.add('/owner', texts.owner_over_streams());
  if (def.kind === 'count' && def.sources.some((s) => s.remove)) out.add('/owner', texts.owner_of_removing_count());
  for (const { rule, i } of bound)
    for (const name of rule === 'first' ? [] : [rule!].flat().map((f) => f.slice('field:'.length))) {
      const at = def.sources[i]!.owner === undefined ? '/owner' : `/sources/${i}/owner`;
      if (def.kind === 'count') {
        if (!isOffice(types[i]!, name)) out.add(at, texts.owner_no_office({ field: name }));
        continue;
      }
      const writers = def.sources.flatMap((s, j) =>
        s.set && name in s.set ? [{ e: s.set[name]!, type: types[j]! }] : [],
      );
      const right = writers.every(({ e, type }) =>
        typeof e === 'string' ? isOffice(type, e) : 'const' in e && e.const === null,
      );
      if (writers.length === 0 || !right) out.add(at, texts.owner_no_office({ field: name }));
      if (writers.some(({ type }) => !streams.has(type.stream))) out.add(at, texts.owner_over_streams());
    }
}

const isOffice = (type: EventType, field: string): boolean =>
  ['unitId', 'partyCode'].includes(fieldOf(type, field)?.role ?? '');

function checkKind(out: Findings, def: ViewDefinition, types: readonly EventType[]): void {
  if (def.by && def.kind !== 'latest') out.add('/by', texts.only_latest());
  if (def.kind === 'latest' && def.key !== 'subject' && !def.by) out.add('/by', texts.required_without_subject());
  if (def.keep !== undefined && def.kind !== 'timeline') out.add('/keep', texts.only_timeline());
  if ((def.sum || def.count) && def.kind !== 'count') out.add('/sum', texts.only_count());
  if (def.kind === 'count' && def.key === 'subject') out.add('/key', texts.count_under_subject());
  if (def.kind === 'set' && !def.sources.some((s) => s.remove)) out.add('/sources', texts.set_without_removal());
  if (def.sources.every((s) => s.remove)) out.add('/sources', texts.nothing_added());
  for (const [j, name] of (def.by ?? []).entries())
    for (const type of types) {
      const f = fieldOf(type, name);
      if (!f || !COMPARABLE.has(f.kind)) out.add(`/by/${j}`, texts.not_comparable({ type: type.type }));
    }
  for (const [i, s] of def.sources.entries())
    for (const [name, field] of s.remove ? [] : Object.entries(def.sum ?? {})) {
      const f = fieldOf(types[i]!, field);
      if (!f || !SUMMABLE.has(f.kind)) out.add(`/sum/${name}`, texts.not_summable({ type: s.type }));
      else if (f.pii !== 'none') out.add(`/sum/${name}`, texts.totals_are_open({ class: f.pii }), texts.class_none());
    }
  if (def.kind === 'count' && types.some((t) => t.restricted)) out.add('/sources', texts.totals_of_restricted_type());
}

/** What a view file leaves out that says who may change its entries, and why; empty: it says both. A view that nobody has registered yet must (R5.10). */
export function checkOwnerSaid(def: ViewDefinition): Problem[] {
  const out = new Findings();
  if (def.owner === undefined) out.add('/owner', texts.owner_unsaid(), verbatim('first, field:<name>, any-with-right'));
  if (def.ownerWhy === undefined) out.add('/ownerWhy', texts.owner_why_unsaid());
  return out.problems;
}

/**
 * Problems of a view definition: rules R5.1 to R5.4 and R5.10, and references to types and fields that do not exist. Empty: it may be folded.
 * R5.4 (no clock) holds by the form: no expression can name the present time.
 */
export function checkView(def: ViewDefinition, catalogue: Catalogue): Problem[] {
  const out = new Findings();
  const types: EventType[] = [];
  for (const [i, s] of def.sources.entries()) {
    const type = catalogue.newest(s.type);
    if (!type) out.add(`/sources/${i}/type`, texts.unknown_event_type({ type: s.type }));
    else types.push(type);
  }
  if (out.problems.length > 0) return out.problems;
  for (const [i, s] of def.sources.entries()) checkSource(out, def, s, i, types[i]!);
  checkKey(out, def, types, catalogue);
  checkStreams(out, def, types, catalogue);
  checkKind(out, def, types);
  checkOwner(out, def, types);
  return out.problems;
}
