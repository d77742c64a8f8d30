import type { ValueInfo } from '#avro';
import type { Catalogue } from '#registry';
import { isAttribute } from './attributes.js';

const NONE: ReadonlySet<string> = new Set();

/** The field names of each type, of all its versions. Cached. */
export class FieldNames {
  readonly #known = new Map<string, { readonly versions: number; readonly names: ReadonlySet<string> }>();

  constructor(private readonly catalogue: Pick<Catalogue, 'versions'>) {}

  of(type: string): ReadonlySet<string> {
    if (type === '') return NONE;
    const versions = this.catalogue.versions(type);
    const known = this.#known.get(type);
    if (known?.versions === versions.length) return known.names;
    const names = new Set<string>();
    for (const { contract } of versions) gather({ fields: contract.fields }, names);
    this.#known.set(type, { versions: versions.length, names });
    return names;
  }
}

function gather(value: Pick<ValueInfo, 'fields' | 'items'>, into: Set<string>): void {
  for (const field of value.fields ?? []) {
    into.add(field.name);
    gather(field, into);
  }
  if (value.items) gather(value.items, into);
}

/**
 * A pointer that holds only names of the contract and the envelope. List indexes, and every name that a publisher made up (it may be personal data),
 * become `*`. Idempotent.
 */
export function countedPointer(pointer: string, fields: ReadonlySet<string>): string {
  if (pointer === '' || pointer === '…' || pointer === 'content-type') return pointer;
  if (pointer.length > 200) return '…';
  if (pointer.startsWith('ce-')) return isAttribute(pointer.slice(3)) ? pointer : 'ce-*';
  if (!pointer.startsWith('/')) return '*';
  return pointer
    .split('/')
    .map((s, i) => (i === 0 || fields.has(s) || (i === 1 && isAttribute(s)) ? s : '*'))
    .join('/');
}
