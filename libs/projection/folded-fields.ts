import type { CompiledView } from './compile.js';
import type { Expression } from './view.js';

/** By type the fields of its events that stand in an entry of a view, or in its key, for whoever accepts events (R10.10). */
export function foldedFields(
  views: readonly Pick<CompiledView, 'definition'>[],
): ReadonlyMap<string, readonly string[]> {
  const out = new Map<string, Set<string>>();
  for (const { definition } of views) {
    const { key, sources } = definition;
    const ofKey = key === 'subject' ? [] : Object.values(key);
    for (const { type, set = {} } of sources) {
      const fields = out.get(type) ?? new Set<string>();
      for (const field of [...ofKey, ...Object.values(set)].filter(isField)) fields.add(field);
      out.set(type, fields);
    }
  }
  return new Map([...out].map(([type, fields]) => [type, [...fields].sort()]));
}

const isField = (e: Expression): e is string => typeof e === 'string';
