import { verbatim, type Problem, type Text } from '#faults';
import { narrowedBounds } from './bounds.js';
import { readsScalar, sameName } from './match.js';
import { schemaOf, type Node } from './schema.js';
import { eitherOf, texts } from './texts.js';

/** BACKWARD: the new schema reads old data. FORWARD: the old schema reads new data. FULL: both. */
export type Compatibility = 'BACKWARD' | 'FORWARD' | 'FULL';

/**
 * Why a schema is not compatible with an older one; empty = it is. Each pointer names the field, each reason says which side cannot read it.
 * With FORWARD and FULL, a declared bound that becomes narrower is not compatible either (R10.8).
 * Fault `invalid_schema` when one of the texts is no valid schema.
 */
export function compatibility(newSchema: string, oldSchema: string, level: Compatibility): Problem[] {
  const next = schemaOf(newSchema).node;
  const old = schemaOf(oldSchema).node;
  const problems: Problem[] = [];
  if (level !== 'FORWARD') problems.push(...differences(old, next, texts.when_new_reads_old));
  if (level !== 'BACKWARD')
    problems.push(...differences(next, old, texts.when_old_reads_new), ...narrowedBounds(next, old));
  return problems;
}

function differences(writer: Node, reader: Node, when: (args: { reason: Text }) => Text): Problem[] {
  const found: Problem[] = [];
  const known = new Set<string>();
  compare(writer, reader, '', (pointer, reason, expected) => {
    const same = `${pointer} ${reason}`;
    if (known.has(same)) return;
    known.add(same);
    found.push({
      pointer,
      reason: when({ reason }),
      code: 'incompatible_schema',
      ...(expected === undefined ? {} : { expected }),
    });
  });
  return found;
}

type AddDifference = (pointer: string, reason: Text, expected?: Text) => void;

function label(t: Node): string {
  return t.logical ?? (t.name || t.base);
}

function compare(w: Node, r: Node, at: string, report: AddDifference): void {
  if (w.base === 'union') {
    for (const b of w.branches) compare(b, r, at, report);
    return;
  }
  if (r.base === 'union') {
    const trials = r.branches.map((b) => trial(w, b, at));
    if (trials.some((t) => t.length === 0)) return;
    const near = r.branches.findIndex((b) => b.base === w.base && sameName(w, b));
    if (near >= 0) for (const p of trials[near]!) report(...p);
    else report(at, texts.no_branch_takes({ type: label(w) }), eitherOf(r.branches.map((b) => verbatim(label(b)))));
    return;
  }
  if (w.name !== '' && r.base === w.base && !sameName(w, r))
    report(at, texts.another_name({ written: w.name, read: r.name }), texts.same_name_or_alias());
  else if (w.base === 'record' && r.base === 'record') compareFields(w, r, at, report);
  else if (w.base === 'enum' && r.base === 'enum') compareSymbols(w, r, at, report);
  else if ((w.base === 'array' || w.base === 'map') && r.base === w.base) {
    compare(w.items!, r.items!, `${at}/${w.base === 'array' ? 'items' : 'values'}`, report);
  } else if (!readsScalar(w, r))
    report(at, texts.cannot_be_read_as({ written: label(w), read: label(r) }), verbatim(label(w)));
}

function trial(w: Node, r: Node, at: string): Parameters<AddDifference>[] {
  const out: Parameters<AddDifference>[] = [];
  compare(w, r, at, (...p) => out.push(p));
  return out;
}

function compareFields(w: Node, r: Node, at: string, report: AddDifference): void {
  const taken = new Set<string>();
  for (const f of w.fields) {
    const target = r.fields.find((x) => x.name === f.name) ?? r.fields.find((x) => x.aliases.includes(f.name));
    if (!target || taken.has(target.name)) continue;
    taken.add(target.name);
    compare(f.type, target.type, `${at}/${target.name}`, report);
  }
  for (const f of r.fields) {
    if (!taken.has(f.name) && !f.fallback) report(`${at}/${f.name}`, texts.no_default(), texts.a_default());
  }
}

function compareSymbols(w: Node, r: Node, at: string, report: AddDifference): void {
  if (r.fallback !== undefined) return;
  const lost = w.symbols.filter((s) => !r.symbols.includes(s));
  if (lost.length > 0)
    report(at, texts.unknown_symbols({ names: lost.slice(0, 10).join(', ') }), texts.a_default_symbol());
}
