import { verbatim, type Text } from '#faults';
import { alike } from './patterns.js';
import { texts } from './texts.js';
import { Usage } from './usage.js';

type Schema = string | readonly Schema[] | SchemaObject;
interface SchemaObject {
  readonly type: Schema;
  readonly name?: string;
  readonly namespace?: string;
  readonly logicalType?: string;
  readonly fields?: readonly { readonly name: string; readonly type: Schema }[];
  readonly items?: Schema;
  readonly values?: Schema;
  readonly symbols?: readonly string[];
}
type Json = Record<string, unknown> | unknown[];

/** Values of an event's data by dotted path (`alamat.kota`, `daftar.0.nama`), as the Avro schema of the type has them. */
export class DataSetter {
  readonly #schema: Schema;
  readonly #named = new Map<string, SchemaObject>();

  constructor(schema: unknown) {
    this.#schema = schema as Schema;
    this.#collect(this.#schema, '');
  }

  /** Puts `path=value` into the data. Throws Usage, with the pointer, for a path that the schema does not have and a value that it does not take. */
  set(data: Record<string, unknown>, assignment: string): void {
    const at = assignment.indexOf('=');
    if (at < 1) throw new Usage(verbatim(`--set ${assignment}: field=value`));
    const path = assignment
      .slice(0, at)
      .replace(/^data\./, '')
      .split('.');
    let holder: Json = data;
    let schema = this.#schema;
    for (const [depth, part] of path.entries()) {
      const pointer = `/data/${path.slice(0, depth + 1).join('/')}`;
      schema = this.#memberOf(schema, part, pointer);
      if (depth === path.length - 1) put(holder, part, this.#value(schema, assignment.slice(at + 1), pointer));
      else holder = this.#into(holder, part, schema);
    }
  }

  /** Schemas by name: a type is defined once and named elsewhere. */
  #collect(schema: Schema, space: string): void {
    if (typeof schema === 'string') return;
    if (Array.isArray(schema)) {
      for (const one of schema as readonly Schema[]) this.#collect(one, space);
      return;
    }
    const object = schema as SchemaObject;
    const own = object.namespace ?? space;
    if (object.name !== undefined) {
      this.#named.set(object.name, object);
      this.#named.set(`${own}.${object.name}`, object);
    }
    for (const { type } of object.fields ?? []) this.#collect(type, own);
    if (object.items !== undefined) this.#collect(object.items, own);
    if (object.values !== undefined) this.#collect(object.values, own);
    if (typeof object.type !== 'string') this.#collect(object.type, own);
  }

  /** The branches of a schema: one, or those of a union; a name is followed. */
  #branches(schema: Schema): readonly SchemaObject[] {
    if (typeof schema === 'string') return [this.#named.get(schema) ?? { type: schema }];
    if (Array.isArray(schema)) return (schema as readonly Schema[]).flatMap((one) => this.#branches(one));
    const object = schema as SchemaObject;
    return typeof object.type === 'string' ? [object] : this.#branches(object.type);
  }

  #memberOf(schema: Schema, part: string, pointer: string): Schema {
    const branches = this.#branches(schema);
    const record = branches.find(({ fields }) => fields !== undefined);
    if (record !== undefined) {
      const found = record.fields!.find(({ name }) => name === part);
      if (found !== undefined) return found.type;
      const names = record.fields!.map(({ name }) => name);
      const near = alike(part, names);
      throw new Usage(texts.no_such_field({ pointer, fields: (near.length > 0 ? near : names).join(', ') }));
    }
    const list = branches.find(({ items }) => items !== undefined);
    if (list !== undefined) {
      if (/^\d{1,4}$/.test(part)) return list.items!;
      throw new Usage(texts.wrong_value({ pointer, expected: '0, 1, 2, …' }));
    }
    const map = branches.find(({ values }) => values !== undefined);
    if (map !== undefined && part !== '__proto__') return map.values!;
    throw new Usage(texts.no_members({ pointer }));
  }

  /** The record, list or map below this one; made where the sample has none. */
  #into(holder: Json, part: string, schema: Schema): Json {
    const found = Array.isArray(holder) ? holder[Number(part)] : holder[part];
    if (typeof found === 'object' && found !== null) return found as Json;
    const made: Json = this.#branches(schema).some(({ items }) => items !== undefined) ? [] : {};
    put(holder, part, made);
    return made;
  }

  #value(schema: Schema, text: string, pointer: string): unknown {
    const branches = this.#branches(schema);
    const optional = branches.some(({ type }) => type === 'null');
    if (optional && (text === 'null' || text === '')) return null;
    const expected: Text[] = [];
    for (const branch of branches) {
      if (branch.type === 'null') continue;
      const read = this.#read(branch, text, pointer);
      if ('value' in read) return read.value;
      expected.push(read.expected);
    }
    throw new Usage(texts.wrong_value({ pointer, expected: expected[0] ?? 'null' }));
  }

  #read(
    branch: SchemaObject,
    text: string,
    pointer: string,
  ): { readonly value: unknown } | { readonly expected: Text } {
    // Dates, times and decimals are texts in JSON, whatever Avro makes of them.
    if (branch.logicalType !== undefined) return { value: text };
    switch (branch.type) {
      case 'int':
      case 'long': {
        const number = Number(text);
        return /^-?\d+$/.test(text) && Number.isSafeInteger(number)
          ? { value: number }
          : { expected: texts.whole_number() };
      }
      case 'float':
      case 'double':
        return text.trim() !== '' && Number.isFinite(Number(text))
          ? { value: Number(text) }
          : { expected: texts.number() };
      case 'boolean':
        return text === 'true' || text === 'false' ? { value: text === 'true' } : { expected: verbatim('true, false') };
      case 'enum':
        return branch.symbols!.includes(text) ? { value: text } : { expected: verbatim(branch.symbols!.join(', ')) };
      case 'array':
        if (!text.trimStart().startsWith('['))
          return {
            value: text === '' ? [] : text.split(',').map((one) => this.#value(branch.items!, one.trim(), pointer)),
          };
        return parsed(text);
      case 'record':
      case 'map':
        return parsed(text);
      default:
        return { value: text };
    }
  }
}

function parsed(text: string): { readonly value: unknown } | { readonly expected: Text } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return { expected: verbatim('JSON') };
  }
}

function put(holder: Json, part: string, value: unknown): void {
  if (!Array.isArray(holder)) holder[part] = value;
  else if (Number(part) <= holder.length) holder[Number(part)] = value;
  // A hole would be sent as null.
  else throw new Usage(texts.wrong_value({ pointer: `/data/…/${part}`, expected: `0 … ${holder.length}` }));
}
