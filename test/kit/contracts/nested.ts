/** A type around another one in a contract. */
const WRAPPERS = ['optional', 'list', 'map', 'record', 'union'] as const;
export type Wrapper = (typeof WRAPPERS)[number];

/** A field of a contract, a value for it, and where in the value the innermost one lies. */
export interface Nested {
  readonly name: string;
  readonly field: Readonly<Record<string, unknown>>;
  value(leaf: unknown): unknown;
  readonly pointer: string;
}

interface Type {
  readonly type: unknown;
  /** Members of the field that this type stands in. */
  readonly members: Readonly<Record<string, unknown>>;
  readonly pointer: string;
  value(leaf: unknown): unknown;
}

function wrap(by: Wrapper, { type, members, pointer, value }: Type, depth: number): Type | undefined {
  switch (by) {
    case 'optional':
      return Array.isArray(type) ? undefined : { type: ['null', type], members, pointer, value };
    case 'union':
      return Array.isArray(type) ? undefined : { type: ['null', 'boolean', type], members, pointer, value };
    case 'list':
      return {
        type: { type: 'array', items: type },
        members,
        pointer: `/1${pointer}`,
        value: (v) => [value(v), value(v)].slice(0, 2),
      };
    case 'map':
      return {
        type: { type: 'map', values: type },
        members,
        pointer: `/k~1${pointer}`,
        value: (v) => ({ 'k/': value(v) }),
      };
    case 'record': {
      const fields = [{ name: 'isi', type, ...members }];
      return {
        type: { type: 'record', name: `R${depth}`, namespace: 'uji.dalam', fields },
        members: { pii: 'none' },
        pointer: `/isi${pointer}`,
        value: (v) => ({ isi: value(v) }),
      };
    }
  }
}

/**
 * Fields of contracts in which a value of `type` lies in every combination of up to `deep` lists, maps, records, unions and optional types. `members`: of
 * the field next around the value.
 */
export function nestedFields(type: unknown, members: Readonly<Record<string, unknown>>, deep = 3): Nested[] {
  const out: Nested[] = [];
  const grow = (words: readonly Wrapper[], inner: Type): void => {
    const name = words.length === 0 ? 'plain' : words.join(' of ');
    out.push({
      name,
      field: { name: 'x', type: inner.type, ...inner.members },
      value: inner.value,
      pointer: `/data/x${inner.pointer}`,
    });
    if (words.length === deep) return;
    for (const by of WRAPPERS) {
      const next = wrap(by, inner, words.length);
      if (next !== undefined) grow([by, ...words], next);
    }
  };
  grow([], { type, members, pointer: '', value: (v) => v });
  return out;
}

/** The text of a schema with one field. */
export const schemaWith = (field: object): string =>
  JSON.stringify({ type: 'record', name: 'Uji', namespace: 'uji', fields: [field] });
