import type { Problem } from '#faults';
import { readsScalar, sameName } from './match.js';
import { schemaOf, type Node } from './schema.js';

/** BACKWARD: the new schema reads old data. FORWARD: the old one reads new data. FULL: both. */
export type Compatibility = 'BACKWARD' | 'FORWARD' | 'FULL';

/**
 * Why a schema may not follow another; empty = it may. The pointer names the field, the reason says which side cannot read it.
 * Fault invalid_schema when one of them is no schema.
 */
export function compatibility(newSchema: string, oldSchema: string, level: Compatibility): Problem[] {
  const next = schemaOf(newSchema).node;
  const old = schemaOf(oldSchema).node;
  const problems: Problem[] = [];
  if (level !== 'FORWARD') problems.push(...differences(old, next, 'the new schema reads old data'));
  if (level !== 'BACKWARD') problems.push(...differences(next, old, 'the old schema reads new data'));
  return problems;
}

function differences(writer: Node, reader: Node, who: string): Problem[] {
  const found: Problem[] = [];
  compare(writer, reader, '', (pointer, reason, expected) => {
    if (found.some((p) => p.pointer === pointer && p.reason.startsWith(reason))) return;
    const text = `${reason} (when ${who})`;
    found.push({ pointer, reason: text, code: 'incompatible_schema', ...(expected === undefined ? {} : { expected }) });
  });
  return found;
}

type Report = (pointer: string, reason: string, expected?: string) => void;

function label(t: Node): string {
  return t.logical ?? (t.name || t.base);
}

function compare(w: Node, r: Node, at: string, report: Report): void {
  if (w.base === 'union') {
    for (const b of w.branches) compare(b, r, at, report);
    return;
  }
  if (r.base === 'union') {
    const trials = r.branches.map((b) => trial(w, b, at));
    if (trials.some((t) => t.length === 0)) return;
    const near = r.branches.findIndex((b) => b.base === w.base && sameName(w, b));
    if (near >= 0) for (const p of trials[near]!) report(...p);
    else report(at, `no branch takes ${label(w)}`, r.branches.map(label).join(' or '));
    return;
  }
  if (w.name !== '' && r.base === w.base && !sameName(w, r))
    report(at, `${w.name} is not ${r.name}`, 'the same name, or an alias');
  else if (w.base === 'record' && r.base === 'record') compareFields(w, r, at, report);
  else if (w.base === 'enum' && r.base === 'enum') compareSymbols(w, r, at, report);
  else if ((w.base === 'array' || w.base === 'map') && r.base === w.base) {
    compare(w.items!, r.items!, `${at}/${w.base === 'array' ? 'items' : 'values'}`, report);
  } else if (!readsScalar(w, r)) report(at, `${label(w)} cannot be read as ${label(r)}`, label(w));
}

function trial(w: Node, r: Node, at: string): Parameters<Report>[] {
  const out: Parameters<Report>[] = [];
  compare(w, r, at, (...p) => out.push(p));
  return out;
}

function compareFields(w: Node, r: Node, at: string, report: Report): void {
  const taken = new Set<string>();
  for (const f of w.fields) {
    const target = r.fields.find((x) => x.name === f.name) ?? r.fields.find((x) => x.aliases.includes(f.name));
    if (!target || taken.has(target.name)) continue;
    taken.add(target.name);
    compare(f.type, target.type, `${at}/${target.name}`, report);
  }
  for (const f of r.fields) {
    if (!taken.has(f.name) && !f.fallback)
      report(`${at}/${f.name}`, 'the data lacks this field and it has no default', 'a default');
  }
}

function compareSymbols(w: Node, r: Node, at: string, report: Report): void {
  if (r.fallback !== undefined) return;
  const lost = w.symbols.filter((s) => !r.symbols.includes(s));
  if (lost.length > 0)
    report(at, `symbols that the reader does not know: ${lost.slice(0, 10).join(', ')}`, 'a default symbol');
}
