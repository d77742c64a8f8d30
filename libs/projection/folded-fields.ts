import { namedFields } from '#access';
import type { Catalogue } from '#registry';
import type { CompiledView } from './compile.js';
import type { Expression } from './view.js';

/**
 * By type the fields of its events that stand in an entry of a view or in its key, or decide who may see it (witnessOf), for whoever accepts events (R10.10).
 */
export function foldedFields(
  views: readonly Pick<CompiledView, 'definition'>[],
  catalogue: Pick<Catalogue, 'newest'>,
): ReadonlyMap<string, readonly string[]> {
  const out = new Map<string, Set<string>>();
  for (const { definition } of views) {
    const { key, sources } = definition;
    const ofKey = key === 'subject' ? [] : Object.values(key);
    for (const { type: name, set = {} } of sources) {
      const fields = out.get(name) ?? new Set<string>();
      for (const field of [...ofKey, ...Object.values(set)].filter(isField)) fields.add(field);
      const type = catalogue.newest(name);
      for (const field of type === undefined ? [] : [...type.unitFields, ...namedFields(type)]) fields.add(field);
      out.set(name, fields);
    }
  }
  return new Map([...out].map(([type, fields]) => [type, [...fields].sort()]));
}

const isField = (e: Expression): e is string => typeof e === 'string';
