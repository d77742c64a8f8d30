import type { FaultCode, Problem, Text } from '#faults';
import { JsonNumber } from './number.js';
import { defaultOf } from './defaults.js';
import type { FieldNode, Json, Node } from './schema.js';
import { describe, scalarWriter, UNKNOWN_SYMBOL, type Write } from './scalar.js';
import { texts } from './texts.js';
import { MAX_ITEMS, nearest, type Walk } from './walk.js';

/** The code of data that is refused with these problems: the first that says more than `schema_mismatch`. */
export function refusalCode(problems: readonly Problem[]): FaultCode {
  return problems.find((p) => p.code !== undefined && p.code !== 'schema_mismatch')?.code ?? 'schema_mismatch';
}

/** The writer of a type: it validates a value and writes it in one walk. A named type that is used several times gets one writer. */
export function writerOf(t: Node, role?: string, made = new Map<string, Write>()): Write {
  const key = t.name === '' ? undefined : `${t.name}\0${role ?? ''}`;
  const known = key === undefined ? undefined : made.get(key);
  if (known) return known;
  const write = compose(t, roleOf(t.extra['role']) ?? role, made);
  if (key !== undefined) made.set(key, write);
  return write;
}

function roleOf(json: Json | undefined): string | undefined {
  return typeof json === 'string' ? json : undefined;
}

function compose(t: Node, role: string | undefined, made: Map<string, Write>): Write {
  switch (t.base) {
    case 'record':
      return recordWriter(t, made);
    case 'enum':
      return enumWriter(t);
    case 'array':
      return arrayWriter(writerOf(t.items!, role, made));
    case 'map':
      return mapWriter(writerOf(t.items!, role, made));
    case 'union':
      return unionWriter(t, role, made);
    default:
      return scalarWriter(t, role);
  }
}

function isObject(v: unknown): v is Record<string, unknown> {
  return typeof v === 'object' && v !== null && !Array.isArray(v) && !(v instanceof JsonNumber);
}

interface FieldWriter {
  readonly name: string;
  readonly write: Write;
  readonly expected: Text;
  /** The value that is written when the field is absent; undefined: the field is required. */
  readonly fallback: { readonly value: unknown } | undefined;
  /** Every object inherits a property of this name (`toString`), so only an own property counts. */
  readonly inherited: boolean;
}

function fieldWriter(f: FieldNode, made: Map<string, Write>): FieldWriter {
  const optional = f.type.base === 'union' && f.type.branches.some((b) => b.base === 'null');
  const fallback = f.fallback
    ? { value: defaultOf(f.type, f.fallback.json) }
    : optional || f.type.base === 'null'
      ? { value: null }
      : undefined;
  const write = writerOf(f.type, roleOf(f.extra['role']), made);
  return { name: f.name, write, expected: describe(f.type), fallback, inherited: f.name in Object.prototype };
}

function recordWriter(t: Node, made: Map<string, Write>): Write {
  const writers = t.fields.map((f) => fieldWriter(f, made));
  const names = t.fields.map((f) => f.name);
  const known = new Set(names);
  return (v, w) => {
    if (!isObject(v)) return w.problem(texts.not_an_object(), describe(t));
    let present = 0;
    const at = w.depth++;
    for (const field of writers) {
      let x = v[field.name];
      if (field.inherited && !Object.hasOwn(v, field.name)) x = undefined;
      w.path[at] = field.name;
      if (x !== undefined) present++;
      else if (field.fallback) x = field.fallback.value;
      else {
        w.problem(texts.required_missing(), field.expected);
        continue;
      }
      field.write(x, w);
    }
    const given = Object.keys(v);
    if (given.length !== present) {
      for (const name of given) {
        if (known.has(name) || v[name] === undefined) continue;
        w.path[at] = name;
        const near = nearest(
          name,
          names.filter((n) => v[n] === undefined),
        );
        w.problem(texts.unknown_field(), near === undefined ? undefined : texts.did_you_mean({ name: near }));
        if (w.full) break;
      }
    }
    w.depth = at;
  };
}

function enumWriter(t: Node): Write {
  const indexes = new Map(t.symbols.map((s, i) => [s, i]));
  const offered = t.symbols.filter((s) => s !== UNKNOWN_SYMBOL);
  return (v, w) => {
    const i = typeof v === 'string' ? indexes.get(v) : undefined;
    if (i !== undefined && v !== UNKNOWN_SYMBOL) return w.sink.long(i);
    if (v === UNKNOWN_SYMBOL) return w.problem(texts.default_symbol(), describe(t));
    if (typeof v !== 'string') return w.problem(texts.not_text(), describe(t));
    const near = nearest(v, offered);
    w.problem(
      texts.not_a_symbol(),
      near === undefined ? describe(t) : texts.expected_or_near({ expected: describe(t), name: near }),
    );
  };
}

function enter(w: Walk, count: number): boolean {
  w.items += count;
  if (w.items <= MAX_ITEMS) return true;
  w.problem(texts.too_many_entries_in_event({ most: MAX_ITEMS }), undefined, 'avro_limit_exceeded');
  return false;
}

function arrayWriter(write: Write): Write {
  return (v, w) => {
    if (!Array.isArray(v)) return w.problem(texts.not_a_list(), texts.list());
    if (!enter(w, v.length)) return;
    if (v.length > 0) {
      w.sink.long(v.length);
      const at = w.depth++;
      for (let i = 0; i < v.length && !w.full; i++) {
        w.path[at] = i;
        write(v[i], w);
      }
      w.depth = at;
    }
    w.sink.byte(0);
  };
}

function mapWriter(write: Write): Write {
  return (v, w) => {
    if (!isObject(v)) return w.problem(texts.not_an_object(), texts.object());
    const names = Object.keys(v);
    if (!enter(w, names.length)) return;
    if (names.length > 0) {
      w.sink.long(names.length);
      const at = w.depth++;
      for (const name of names) {
        if (w.full) break;
        w.path[at] = name;
        w.text(name);
        write(v[name], w);
      }
      w.depth = at;
    }
    w.sink.byte(0);
  };
}

function unionWriter(t: Node, role: string | undefined, made: Map<string, Write>): Write {
  const writers = t.branches.map((b) => writerOf(b, role, made));
  const none = t.branches.findIndex((b) => b.base === 'null');
  if (none >= 0 && t.branches.length === 2) {
    const some = 1 - none;
    const write = writers[some]!;
    return (v, w) => {
      if (v === null || v === undefined) return w.sink.byte(none << 1);
      w.sink.byte(some << 1);
      write(v, w);
    };
  }
  // Plain JSON has no branch tags, so the first branch that accepts the value is written.
  return (v, w) => {
    const mark = w.sink.mark();
    const { depth, items, problems } = w;
    for (const [i, write] of writers.entries()) {
      w.problems = [];
      w.sink.long(i);
      write(v, w);
      const fits = w.problems.length === 0;
      w.problems = problems;
      if (fits) return;
      w.sink.rewind(mark);
      w.depth = depth;
      w.items = items;
    }
    w.problem(texts.fits_no_branch(), describe(t));
  };
}
