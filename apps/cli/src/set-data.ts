import { compileContract, nodeOf, type SchemaNode } from '#avro';
import { verbatim, type Text } from '#faults';
import { alike } from './patterns.js';
import { texts } from './texts.js';
import { Usage } from './usage.js';

type Json = Record<string, unknown> | unknown[];

/** Values of an event's data by dotted path (`alamat.kota`, `daftar.0.nama`), as the Avro schema of the type has them. */
export class DataSetter {
  readonly #root: SchemaNode;

  constructor(schema: unknown) {
    this.#root = nodeOf(compileContract(JSON.stringify(schema)));
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
    let node = this.#root;
    for (const [depth, part] of path.entries()) {
      const pointer = `/data/${path.slice(0, depth + 1).join('/')}`;
      node = memberOf(node, part, pointer);
      if (depth === path.length - 1) put(holder, part, valueOf(node, assignment.slice(at + 1), pointer));
      else holder = into(holder, part, node);
    }
  }
}

/** The branches of a type: one, or those of a union. */
const branchesOf = (node: SchemaNode): readonly SchemaNode[] => (node.base === 'union' ? node.branches : [node]);

function memberOf(node: SchemaNode, part: string, pointer: string): SchemaNode {
  const branches = branchesOf(node);
  const record = branches.find(({ base }) => base === 'record');
  if (record !== undefined) {
    const found = record.fields.find(({ name }) => name === part);
    if (found !== undefined) return found.type;
    const names = record.fields.map(({ name }) => name);
    const near = alike(part, names);
    throw new Usage(texts.no_such_field({ pointer, fields: (near.length > 0 ? near : names).join(', ') }));
  }
  const list = branches.find(({ base }) => base === 'array');
  if (list !== undefined) {
    if (/^\d{1,4}$/.test(part)) return list.items!;
    throw new Usage(texts.wrong_value({ pointer, expected: '0, 1, 2, …' }));
  }
  const map = branches.find(({ base }) => base === 'map');
  if (map !== undefined && part !== '__proto__') return map.items!;
  throw new Usage(texts.no_members({ pointer }));
}

/** The record, list or map below this one; made where the sample has none. */
function into(holder: Json, part: string, node: SchemaNode): Json {
  const found = Array.isArray(holder) ? holder[Number(part)] : holder[part];
  if (typeof found === 'object' && found !== null) return found as Json;
  const made: Json = branchesOf(node).some(({ base }) => base === 'array') ? [] : {};
  put(holder, part, made);
  return made;
}

function valueOf(node: SchemaNode, text: string, pointer: string): unknown {
  const branches = branchesOf(node);
  const optional = branches.some(({ base }) => base === 'null');
  if (optional && (text === 'null' || text === '')) return null;
  const expected: Text[] = [];
  for (const branch of branches) {
    if (branch.base === 'null') continue;
    const read = readAs(branch, text, pointer);
    if ('value' in read) return read.value;
    expected.push(read.expected);
  }
  throw new Usage(texts.wrong_value({ pointer, expected: expected[0] ?? 'null' }));
}

function readAs(
  branch: SchemaNode,
  text: string,
  pointer: string,
): { readonly value: unknown } | { readonly expected: Text } {
  // Dates, times and decimals are texts in JSON, whatever Avro makes of them.
  if (branch.logical !== undefined) return { value: text };
  switch (branch.base) {
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
      return branch.symbols.includes(text) ? { value: text } : { expected: verbatim(branch.symbols.join(', ')) };
    case 'array':
      if (!text.trimStart().startsWith('['))
        return {
          value: text === '' ? [] : text.split(',').map((one) => valueOf(branch.items!, one.trim(), pointer)),
        };
      return parsed(text);
    case 'record':
    case 'map':
      return parsed(text);
    default:
      return { value: text };
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
