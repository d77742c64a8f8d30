import { nodeOf, UNKNOWN_SYMBOL, type Contract, type SchemaField, type SchemaNode } from '#avro';
import { Dice } from '../avro/sample.js';

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Texts that would leave a comment or a string if they were printed as they are, or that are tags. */
const HOSTILE = [
  '*/ export const x = 1; /*',
  '*' + '/',
  "'; throw 1; //",
  '`${process.exit(1)}`',
  '\\',
  '@ts-ignore',
  '@deprecated {@link x}',
  'a\r\nb\u2028c\u2029d',
  '\u202E\u2066 bidi',
  '\ud800 half',
  '// @ts-nocheck',
  '</script>',
  '',
  'biasa · ordinary',
];
const FIELDS = (
  'nama kelas class function var await default import toString valueOf hasOwnProperty _ __x A1 type readonly string number null this ' +
  'delete arguments undefined NaN DateText Long defineEvent length name get set async'
).split(' ');
const RECORDS =
  'Orang Record Array Readonly String Object Promise DateText Long Terbit TerbitData Data class A_B AB a_b'.split(' ');
const SYMBOLS = '_tidak_dikenal a b class null toString valueOf __x A1 true'.split(' ');

/** A contract with every kind of type, made of random numbers: names that are words of TypeScript, hostile texts, records in lists, maps and unions. */
export function randomContract(seed: number, type: string, name: string): string {
  return JSON.stringify(new Maker(new Dice(seed)).contract(type, name));
}

class Maker {
  /** Names that may stand for their type: it is complete. */
  readonly #named: string[] = [];
  readonly #taken = new Set<string>();
  #budget = 40;

  constructor(private readonly dice: Dice) {}

  contract(type: string, name: string): Json {
    const fields = [...this.#fields(0), { name: 'nomor', type: 'string' }];
    return {
      type: 'record',
      name,
      doc: this.#text(),
      simpul: {
        ...{ type, version: 1, stream: type.slice(0, type.lastIndexOf('.')), owner: 'SU00001' },
        ...{ titleId: `${this.#text()}.`, titleEn: `${this.#text()}.`, publishers: ['any'], consumers: [] },
        ...{ subject: ['nomor'], subjectForm: 'clear', ordering: 'subject', unitFields: [], highestPii: 'none' },
        ...{ main: false, latencyTarget: 'x', volumePerDay: 1, retention: 'x', availableFrom: 'x', deadlines: [] },
      },
      fields,
    };
  }

  #text(): string {
    return this.dice.pick(HOSTILE);
  }

  #fields(depth: number): Json[] {
    const names = new Set(Array.from({ length: this.dice.int(depth === 0 ? 3 : 0, 7) }, () => this.dice.pick(FIELDS)));
    return [...names].map((name) => {
      const type = this.#type(depth + 1);
      const about = { doc: this.#text(), note: this.#text(), pii: this.dice.pick(['none', 'umum', 'terbatas']) };
      const value = this.dice.unit() < 0.5 ? this.#default(type) : undefined;
      return { name, type, ...about, ...this.#bounds(type), ...(value === undefined ? {} : { default: value }) };
    });
  }

  #bounds(type: Json): { readonly [name: string]: Json } {
    return type === 'long' && this.dice.unit() < 0.5 ? { min: -5, max: 2 ** 53 - 1 } : {};
  }

  #default(type: Json): Json | undefined {
    if (Array.isArray(type)) return type[0] === 'null' ? null : undefined;
    const values: { readonly [name: string]: Json } = {
      boolean: true,
      int: 7,
      long: -3,
      double: 1.5,
      string: '*/ \'"\\',
    };
    return typeof type === 'string' ? values[type] : undefined;
  }

  #type(depth: number): Json {
    if (this.#budget-- < 0 || depth > 5) return this.#scalar();
    switch (this.dice.int(0, 9)) {
      case 0:
        return { type: 'array', items: this.#withBytes(depth) };
      case 1:
        return { type: 'map', values: this.#type(depth + 1) };
      case 2:
        return this.#record(depth);
      case 3:
        return this.#enum();
      case 4:
      case 5:
        return this.#union(depth);
      case 6:
        return this.#named.length > 0 ? this.dice.pick(this.#named) : this.#scalar();
      default:
        return this.#scalar();
    }
  }

  /** A list holds no items of zero bytes; a value of a union has at least one. */
  #withBytes(depth: number): Json {
    const type = this.#type(depth + 1);
    if (type === 'null') return 'string';
    return Array.isArray(type) || (typeof type === 'string' && !type.includes('.')) ? type : [type, 'null'];
  }

  #union(depth: number): Json {
    const branches: Json[] = [];
    const seen = new Set<string>();
    const add = (type: Json): void => {
      const { type: base, name } = typeof type === 'object' ? (type as Record<string, Json>) : {};
      const key = String(name ?? (typeof base === 'string' ? base : type));
      if (Array.isArray(type) || seen.has(key)) return;
      seen.add(key);
      branches.push(type);
    };
    if (this.dice.unit() < 0.6) add('null');
    for (let i = this.dice.int(1, 3); i > 0; i--) {
      const complete = this.#named.length;
      const { length } = branches;
      add(this.#type(depth + 1));
      // A branch that is left out takes its named types with it.
      if (branches.length === length) this.#named.length = complete;
    }
    return branches.length > 0 ? branches : 'string';
  }

  #record(depth: number): Json {
    const name = this.#name();
    const record = { type: 'record', name, doc: this.#text(), fields: this.#fields(depth + 1) };
    this.#named.push(name);
    return record;
  }

  #enum(): Json {
    const symbols: string[] = [...new Set(Array.from({ length: this.dice.int(1, 5) }, () => this.dice.pick(SYMBOLS)))];
    // A value that can be published.
    if (!symbols.some((s) => s !== UNKNOWN_SYMBOL)) symbols.push('a');
    const labels = Object.fromEntries(symbols.map((s) => [s, { id: this.#text(), en: this.#text() }]));
    const name = this.#name();
    this.#named.push(name);
    return { type: 'enum', name, symbols, labels: this.dice.unit() < 0.8 ? labels : this.#text() };
  }

  #name(): string {
    const name = `${this.dice.pick(['x.', 'y.z.', 'x.Terbit', 'a.b.c.'])}${this.dice.pick(RECORDS)}`;
    const free = this.#taken.has(name) ? `${name}_${this.#taken.size}` : name;
    this.#taken.add(free);
    return free;
  }

  #scalar(): Json {
    return this.dice.pick<Json>([
      ...['boolean', 'int', 'long', 'double', 'float', 'string', 'bytes', 'string', 'long', 'null'],
      { type: 'int', logicalType: 'date' },
      { type: 'long', logicalType: 'timestamp-millis' },
      { type: 'bytes', logicalType: 'decimal', precision: 18, scale: 2 },
      { type: 'string', logicalType: 'uuid' },
    ]);
  }
}

/** Random data of a contract, as a publisher gives it: fields that may be absent are sometimes, longs are of all sizes. */
export function randomData(contract: Contract, seed: number): Record<string, unknown> {
  return recordData(nodeOf(contract), new Dice(seed));
}

function recordData(t: SchemaNode, dice: Dice): Record<string, unknown> {
  const given = t.fields.filter((field) => !mayBeAbsent(field) || dice.unit() < 0.6);
  return Object.fromEntries(
    given.map((field) => [field.name, valueData(field.type, dice, field.extra['min'] !== undefined)]),
  );
}

/** The compiler asks for a field whose name every object inherits: without it, `toString` would be a function. */
const mayBeAbsent = ({ name, type, fallback }: SchemaField): boolean =>
  !(name in Object.prototype) &&
  (fallback !== undefined || type.base === 'null' || type.branches.some((b) => b.base === 'null'));

const LONGS = [0, -1, 2 ** 53 - 1, '9007199254740993', '-9223372036854775808'];

function valueData(t: SchemaNode, dice: Dice, bounded: boolean): unknown {
  if (t.logical === 'date') return '2021-07-15';
  if (t.logical === 'timestamp-millis') return '2021-07-15T09:30:00+07:00';
  if (t.logical === 'decimal') return '12.50';
  if (t.logical === 'uuid') return '6ba7b810-9dad-11d1-80b4-00c04fd430c8';
  switch (t.base) {
    case 'null':
      return null;
    case 'boolean':
      return dice.unit() < 0.5;
    case 'int':
      return dice.int(-100, 100);
    case 'long':
      return bounded ? dice.int(-5, 100) : dice.pick<unknown>(LONGS);
    case 'float':
    case 'double':
      return dice.int(-10, 10) / 4;
    case 'bytes':
    case 'fixed':
      return Buffer.alloc(t.base === 'bytes' ? dice.int(0, 5) : t.size, 7).toString('base64');
    case 'string':
      return dice.pick(['', 'teks', "it's", 'a\nb', '12', 'SGFp']);
    case 'enum':
      return dice.pick(t.symbols.filter((s) => s !== UNKNOWN_SYMBOL));
    case 'array':
      return Array.from({ length: dice.int(0, 2) }, () => valueData(t.items!, dice, bounded));
    case 'map':
      return Object.fromEntries(
        ['a', "it's */ b"].slice(dice.int(0, 2)).map((k) => [k, valueData(t.items!, dice, bounded)]),
      );
    case 'union':
      return valueData(dice.pick(t.branches), dice, bounded);
    default:
      return recordData(t, dice);
  }
}
