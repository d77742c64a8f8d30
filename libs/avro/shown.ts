import type { Problem, Text } from '#faults';
import { defaultOf } from './defaults.js';
import { nodeOf } from './contract.js';
import type { FieldNode, Node } from './schema.js';
import { texts } from './texts.js';
import type { Contract, Data } from './types.js';
import { escapeToken } from './walk.js';

/** What the hub shows in the place of a text that the key may not see. Of other values it shows null. */
const MASK = '••••';

export type Shown = { readonly ok: true; readonly data: Data } | { readonly ok: false; readonly problem: Problem };

/**
 * Data as the hub shows it (plain JSON, R13.5), of any version and perhaps masked, in the version of the contract, as Avro resolves it without the schema of the writer: unknown fields are
 * dropped, missing ones have their default, an unknown symbol is the default symbol. Masked values stay as they are. Pure; total for valid JSON; the first problem ends it.
 */
export function shownAs(contract: Contract, data: Data): Shown {
  const problems: Problem[] = [];
  const shown = read(nodeOf(contract), data, '/data', problems);
  const [problem] = problems;
  return problem === undefined ? { ok: true, data: shown as Data } : { ok: false, problem };
}

function read(t: Node, value: unknown, pointer: string, problems: Problem[]): unknown {
  if (value === MASK) return value;
  const refuse = (reason: Text): undefined => {
    problems.push({ pointer, reason });
    return undefined;
  };
  switch (t.base) {
    case 'record':
      if (!isObject(value)) return refuse(texts.not_an_object());
      return Object.fromEntries(t.fields.map((f) => [f.name, readField(f, value, pointer, problems)]));
    case 'array':
      if (!Array.isArray(value)) return refuse(texts.not_a_list());
      return value.map((v, i) => read(t.items!, v, `${pointer}/${i}`, problems));
    case 'map':
      if (!isObject(value)) return refuse(texts.not_an_object());
      return Object.fromEntries(
        Object.entries(value).map(([k, v]) => [k, read(t.items!, v, `${pointer}/${escapeToken(k)}`, problems)]),
      );
    case 'enum':
      return t.symbols.includes(value as string) ? value : (t.fallback ?? refuse(texts.not_a_symbol()));
    case 'union':
      return readUnion(t, value, pointer, problems);
    default: {
      const reason = refusalOf(t, value);
      return reason === undefined ? value : refuse(reason);
    }
  }
}

function readField(f: FieldNode, given: Data, pointer: string, problems: Problem[]): unknown {
  const here = `${pointer}/${escapeToken(f.name)}`;
  const name = [f.name, ...f.aliases].find((n) => given[n] !== undefined);
  if (name !== undefined) return read(f.type, given[name], here, problems);
  if (f.fallback !== undefined) return defaultOf(f.type, f.fallback.json);
  if (f.type.branches.some(isNull)) return null;
  problems.push({ pointer: here, reason: texts.required_missing() });
  return undefined;
}

/** JSON does not say which branch a value belongs to: the first that takes it. */
function readUnion(t: Node, value: unknown, pointer: string, problems: Problem[]): unknown {
  if (value === null && t.branches.some(isNull)) return null;
  const branches = t.branches.filter((b) => !isNull(b));
  for (const branch of branches) {
    const tried: Problem[] = [];
    const found = read(branch, value, pointer, tried);
    if (tried.length === 0) return found;
    if (branches.length === 1) problems.push(...tried);
  }
  if (branches.length !== 1) problems.push({ pointer, reason: texts.fits_no_branch() });
  return undefined;
}

/** Of a value that is no list, map or record. A masked one may be null. Longs beyond 2^53 are texts, and so is every form of its own: dates, times, decimals, bytes. */
function refusalOf({ base, logical }: Node, value: unknown): Text | undefined {
  if (base === 'null') return value === null ? undefined : texts.not_null();
  if (value === null) return undefined;
  if (base === 'boolean') return typeof value === 'boolean' ? undefined : texts.not_a_boolean();
  const isNumber = logical === undefined && ['int', 'long', 'float', 'double'].includes(base);
  if (!isNumber) return typeof value === 'string' ? undefined : texts.not_text();
  if (typeof value === 'number' || (base === 'long' && typeof value === 'string')) return undefined;
  return texts.not_a_number();
}

const isNull = (t: Node): boolean => t.base === 'null';
const isObject = (value: unknown): value is Data =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
